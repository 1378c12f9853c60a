/** Content ids: of files, of a few bytes, and one spelling for all of them. */
import { withLocalFile } from './borrow';
import { call, callNow } from './call';
import { FinalmileError, invalidArgument } from './errors';
import * as native from './native';

/** How a file is cut into blocks, on which its id depends (IPIP-499). */
export type ImportProfile = 'unixfs-v1-2025' | 'unixfs-v0-2015';

/**
 * The content id of the file at `uri`. Pinata answers with the same when it is asked for `unixfs-v1-2025`.
 *
 * @throws `FILE_UNREADABLE`, `CANCELLED`, and those of foreign URIs.
 */
export async function cidOfFile(
  uri: string,
  options: { signal?: AbortSignal; profile?: ImportProfile } = {},
): Promise<string> {
  const { signal, profile = 'unixfs-v1-2025' } = options;
  const profiles = {
    'unixfs-v1-2025': native.ImportProfile.UnixfsV1,
    'unixfs-v0-2015': native.ImportProfile.UnixfsV0,
  };
  const asked = profiles[profile];
  if (asked === undefined) {
    throw invalidArgument('There is no such profile');
  }
  return withLocalFile(uri, signal, (path) => call(signal, (o) => native.cidOfFile(path, asked, o)));
}

/**
 * The content id of at most 64 KiB.
 *
 * @throws `INVALID_ARGUMENT` for more: that belongs in a file.
 */
export async function cidOfBytes(
  bytes: Uint8Array,
  options: { signal?: AbortSignal } = {},
): Promise<string> {
  if (!(bytes instanceof Uint8Array)) {
    throw invalidArgument('Bytes are a Uint8Array');
  }
  // Bytes cross one by one: too many are refused before they do.
  if (bytes.length > 65_536) {
    throw invalidArgument('More than 64 KiB belong in a file');
  }
  return call(options.signal, (o) => native.cidOfBytes(bytes, o));
}

/**
 * The one spelling of a content id, at once.
 *
 * @throws `INVALID_CID`, `UNSUPPORTED_CID`.
 */
export function canonicalCid(cid: string): string {
  return callNow(() => native.canonicalCid(String(cid)));
}

/**
 * The spelling that begins with `Qm`, or `null` where the id has none.
 *
 * @throws `INVALID_CID`, `UNSUPPORTED_CID`.
 */
export function cidToV0(cid: string): string | null {
  return callNow(() => native.cidToV0(String(cid))) ?? null;
}

/**
 * Throws unless the service answered the id that was computed, in whatever spelling.
 *
 * @throws `CID_MISMATCH`.
 */
export function mustBe(expected: string, answered: string): void {
  let canonical: string | undefined;
  try {
    canonical = canonicalCid(answered);
  } catch {
    // What is no id at all is not the right one.
  }
  if (canonical !== expected) {
    throw new FinalmileError('CID_MISMATCH', 'What was stored is not what was sent');
  }
}
