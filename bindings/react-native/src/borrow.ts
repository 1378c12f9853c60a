/**
 * Files that lie elsewhere (a photo library, another app, a server), lent as a file of ours for one call.
 *
 * # Promises
 *
 * - **J6** The copy of a foreign file is gone when the call that needed it has ended, however it ended; a file
 *   of the app's own is used where it lies, and never removed.
 */
import { unlessAborted } from './call';
import { asFinalmileError, FinalmileError, throwIfAborted } from './errors';
import { missing, temporaryFile } from './folders';
import { fetchToFile } from './network';
import { fileSystem } from './optional/fileSystem';
import { placeOf, uriOf } from './uri';

/** What a foreign file is given up after, in milliseconds, if it comes from a server. */
const DOWNLOAD_MS = 60_000;

/**
 * Runs `use` with the path of the file at `uri`.
 *
 * @throws `INVALID_URI`, `UNSUPPORTED_URI`; `FILE_SYSTEM_MISSING`; `FILE_UNREADABLE` when it cannot be copied,
 * `DOWNLOAD_FAILED` when it cannot be fetched; those of `use`.
 */
export async function withLocalFile<T>(
  uri: string,
  signal: AbortSignal | undefined,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const lent = await borrow(uri, signal);
  try {
    return await use(lent.path);
  } finally {
    await lent.giveBack();
  }
}

/** A file of ours, and what to call when it is not needed any more. */
export interface Lent {
  readonly path: string;
  giveBack(): Promise<void>;
}

/** The file at `uri`, copied if it lies elsewhere. Throws as {@link withLocalFile} does. */
export async function borrow(uri: string, signal?: AbortSignal): Promise<Lent> {
  throwIfAborted(signal);
  const place = placeOf(uri);
  if ('local' in place) {
    return { path: place.local, giveBack: async () => {} };
  }
  const system = fileSystem();
  if (system === undefined) {
    throw missing('A file that lies outside the app', 'copy it to a file of the app yourself');
  }
  const path = await temporaryFile();
  const giveBack = async (): Promise<void> => {
    // One that was never written, or that the system took, is gone already.
    await system.deleteAsync(uriOf(path), { idempotent: true }).catch(() => {});
  };
  const fetch = place.how === 'copy' ? copied : downloaded;
  const coming = fetch(place.foreign, path, signal);
  try {
    await unlessAborted(coming, signal);
  } catch (thrown) {
    // A copy cannot be stopped: it is removed when it is there.
    void coming.catch(() => {}).then(giveBack);
    throw asFinalmileError(thrown);
  }
  return { path, giveBack };
}

async function copied(uri: string, path: string): Promise<void> {
  try {
    await fileSystem()?.copyAsync({ from: uri, to: uriOf(path) });
  } catch (thrown) {
    throw new FinalmileError('FILE_UNREADABLE', 'The file cannot be read', { cause: thrown });
  }
}

async function downloaded(uri: string, path: string, signal?: AbortSignal): Promise<void> {
  let status: number;
  try {
    status = (await fetchToFile(uri, {}, path, DOWNLOAD_MS, signal)).status;
  } catch (thrown) {
    throw asFinalmileError(thrown, 'DOWNLOAD_FAILED', 'The file cannot be fetched');
  }
  if (status < 200 || status > 299) {
    const retryable = status === 408 || status === 429 || status >= 500;
    throw new FinalmileError('DOWNLOAD_FAILED', 'The file cannot be fetched', { retryable });
  }
}
