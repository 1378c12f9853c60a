/**
 * What a test says to the fake module, and what it hears of it.
 *
 * The fake is kind: every path is a picture, every content id can be fetched, nothing takes time. A test says
 * what shall be otherwise.
 */
import { cidOf } from './cid';

/** What a call of the library fails with. */
export interface FakeFailure {
  code: string;
  reason?: string;
  retryable?: boolean;
}

const failures = new Map<string, FakeFailure[]>();
let gate: Promise<void> | undefined;

/** The fake's controls. */
export const mock = {
  /** Files by path. A path that is not here holds its own name. */
  files: new Map<string, Uint8Array>(),
  /** Content ids that no gateway has: `CONTENT_UNAVAILABLE`. */
  unavailable: new Set<string>(),
  /** Whether there is no line: what is not cached is `OFFLINE`. */
  offline: false,
  /** How often a gateway was asked. */
  fetches: 0,
  /** The names of the calls that were made, in order. */
  calls: [] as string[],

  /** Everything as it was at first. */
  reset(): void {
    mock.files.clear();
    mock.unavailable.clear();
    mock.offline = false;
    mock.fetches = 0;
    mock.calls.length = 0;
    failures.clear();
    gate = undefined;
  },

  /** Makes the next call of that name fail, such as `mock.fail('generateThumbnailSet', { code: 'NOT_AN_IMAGE' })`. */
  fail(call: string, failure: FakeFailure): void {
    failures.set(call, [...(failures.get(call) ?? []), failure]);
  },

  /** Keeps all calls from answering until the answer is called: to look at what is shown meanwhile. */
  hold(): () => void {
    let release = (): void => {};
    gate = new Promise((resolve) => {
      release = () => {
        gate = undefined;
        resolve();
      };
    });
    return release;
  },

  /** The content id of a text, for use as one that exists. */
  cid(text: string): string {
    return cidOf(new TextEncoder().encode(text));
  },
};

/** What a file holds. */
export function contentOf(path: string): Uint8Array {
  return mock.files.get(path) ?? new TextEncoder().encode(path);
}

/** Notes a call, waits while calls are held, and fails if the test said so. */
export async function called(name: string, signal: AbortSignal | undefined): Promise<void> {
  mock.calls.push(name);
  throwIfAborted(signal);
  const aborted = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve()));
  await Promise.race([gate ?? Promise.resolve(), aborted]);
  throwIfAborted(signal);
  failIfTold(name);
}

/** Fails if the test said so. */
export function failIfTold(name: string): void {
  const failure = failures.get(name)?.shift();
  if (failure !== undefined) {
    throw failed(failure.code, failure.reason ?? 'The test said so', failure.retryable ?? false);
  }
}

/** A failure in the shape of the generated one. */
export function failed(code: string, reason: string, retryable = false): Error {
  return Object.assign(new Error('Failure.Failed'), { tag: 'Failed', inner: { code, reason, retryable } });
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw Object.assign(new Error('A Rust future was aborted'), { name: 'AbortError' });
  }
}
