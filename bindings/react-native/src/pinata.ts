/**
 * Uploads to Pinata (v3 `files`), streamed from the file by React Native's own networking.
 *
 * Pinata is asked for `unixfs-v1-2025`, the one profile that both sides compute alike; what it answers is compared
 * with the id of the file here.
 *
 * # Promises
 *
 * - **J29** The token is asked for at each upload, and is sent to the upload's address alone; no failure carries it.
 * - **J30** An answer other than 2xx, one without an id, no answer and an abort are each a failure with a code of
 *   its own, and `Retry-After` is told.
 */
import { withLocalFile } from './borrow';
import { unharmed } from './call';
import { cidOfFile, mustBe } from './cids';
import { cancelled, FinalmileError, throwIfAborted } from './errors';
import type { UploadContext } from './uploader';
import { uriOf } from './uri';

/** How files are sent to Pinata. */
export interface PinataOptions {
  /** A token, short-lived and from the app's own service: one that can do everything belongs in no app. */
  token: () => string | Promise<string>;
  /** Where to. Default: Pinata. */
  endpoint?: string;
  /** Default: `public`. */
  network?: 'public' | 'private';
  /** The group that files are put into. */
  groupId?: string;
  /** What is kept beside them. */
  keyvalues?: Record<string, string>;
  /** How long one upload may take, in milliseconds. Default: ten minutes. */
  timeoutMs?: number;
}

/** What an upload may be told; {@link createUploader} tells all of it. */
export type PinataContext = Partial<UploadContext> & {
  /** The name that Pinata shows. Default: the id. */
  name?: string;
};

/** Uploads a file and answers its id. */
export type UploadToIpfs = (uri: string, context?: PinataContext) => Promise<string>;

const ENDPOINT = 'https://uploads.pinata.cloud/v3/files';

/**
 * Makes the `uploadToIPFS` of an uploader, or of code that calls it with a URI alone.
 *
 * It rejects with `CID_MISMATCH`; `UPLOAD_UNAUTHORIZED`, `UPLOAD_REJECTED`; and, retryable, `RATE_LIMITED`,
 * `UPLOAD_UNAVAILABLE`, `UPLOAD_TIMEOUT`, `UPLOAD_ANSWER_INVALID`; `CANCELLED`; and those of foreign URIs.
 */
export function pinataUploader(options: PinataOptions): UploadToIpfs {
  return (uri, context = {}) =>
    withLocalFile(uri, context.signal, async (path) => {
      const { signal } = context;
      const file = uriOf(path);
      const expected = context.expectedCid ?? (await cidOfFile(file, signal ? { signal } : {}));
      const token = await tokenOf(options);
      throwIfAborted(signal);
      const body = new FormData();
      const part = { uri: file, name: context.name ?? expected, type: context.mediaType ?? UNKNOWN };
      // React Native's own form: a part that names a file is streamed from it.
      body.append('file', part as unknown as Blob);
      body.append('network', options.network ?? 'public');
      body.append('name', part.name);
      body.append('cid_version', 'unixfs-v1-2025');
      if (options.groupId !== undefined) {
        body.append('group_id', options.groupId);
      }
      if (options.keyvalues !== undefined) {
        body.append('keyvalues', JSON.stringify(options.keyvalues));
      }
      const answer = await send(options, token, body, context);
      mustBe(expected, cidIn(answer));
      return expected;
    });
}

let chosen: UploadToIpfs | undefined;

/** Chooses what {@link uploadToIPFS} does; once, where the app begins. */
export function setUploadToIPFS(upload: UploadToIpfs): void {
  chosen = upload;
}

/** Uploads with what was chosen by {@link setUploadToIPFS}. Rejects with `UPLOADER_MISSING` before that. */
export const uploadToIPFS: UploadToIpfs = async (uri, context) => {
  if (chosen === undefined) {
    throw new FinalmileError('UPLOADER_MISSING', 'Call `setUploadToIPFS(pinataUploader({ token }))` first');
  }
  return chosen(uri, context);
};

const UNKNOWN = 'application/octet-stream';

async function tokenOf(options: PinataOptions): Promise<string> {
  let token: string;
  try {
    token = await options.token();
  } catch (thrown) {
    throw new FinalmileError('UPLOAD_UNAUTHORIZED', 'There is no token for the upload', {
      // The app's own service gives it, which may be out of reach for a moment.
      retryable: true,
      cause: thrown,
    });
  }
  if (typeof token !== 'string' || token === '') {
    throw new FinalmileError('UPLOAD_UNAUTHORIZED', 'There is no token for the upload');
  }
  return token;
}

/** Sends it with `XMLHttpRequest`, which in React Native alone tells how far an upload is. */
function send(
  options: PinataOptions,
  token: string,
  body: FormData,
  { signal, onProgress }: PinataContext,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = (): void => request.abort();
    const settle = (act: () => void) => (): void => {
      signal?.removeEventListener('abort', stop);
      act();
    };
    const failed = (code: string, reason: string) =>
      settle(() => reject(new FinalmileError(code, reason, { retryable: true })));
    request.open('POST', options.endpoint ?? ENDPOINT);
    request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.timeout = options.timeoutMs ?? 600_000;
    request.upload.onprogress = ({ loaded, total }: { loaded: number; total: number }): void => {
      if (total > 0 && !signal?.aborted) {
        unharmed(() => onProgress?.(loaded / total));
      }
    };
    request.onload = settle(() => {
      const { status } = request;
      if (status >= 200 && status < 300) {
        resolve(request.responseText);
      } else {
        reject(refused(status, request.getResponseHeader('Retry-After')));
      }
    });
    request.onerror = failed('UPLOAD_UNAVAILABLE', 'The upload service cannot be reached');
    request.ontimeout = failed('UPLOAD_TIMEOUT', 'The upload took too long');
    request.onabort = settle(() => reject(cancelled()));
    signal?.addEventListener('abort', stop);
    request.send(body);
  });
}

function refused(status: number, retryAfter: string | null): FinalmileError {
  const seconds = Number(retryAfter ?? Number.NaN);
  const retryAfterMs = seconds >= 0 ? seconds * 1000 : undefined;
  if (status === 401 || status === 403) {
    return new FinalmileError('UPLOAD_UNAUTHORIZED', 'The upload was not allowed');
  }
  if (status === 429) {
    return new FinalmileError('RATE_LIMITED', 'Too many uploads', { retryable: true, retryAfterMs });
  }
  if (status === 408 || status === 425 || status >= 500) {
    const reason = 'The upload service has a problem';
    return new FinalmileError('UPLOAD_UNAVAILABLE', reason, { retryable: true, retryAfterMs });
  }
  return new FinalmileError('UPLOAD_REJECTED', 'The upload was refused');
}

function cidIn(answer: string): string {
  try {
    const said = JSON.parse(answer) as { data?: { cid?: unknown } };
    if (typeof said.data?.cid === 'string') {
      return said.data.cid;
    }
  } catch {
    // A page of a proxy, or half an answer.
  }
  throw new FinalmileError('UPLOAD_ANSWER_INVALID', 'The upload service gave no id', {
    retryable: true,
  });
}
