/**
 * How the generated module is called: given up beforehand it is not called, and what it throws is ours (**J1**).
 *
 * # Promises
 *
 * - **J4** A listener or decoder of the app that throws disturbs nothing: it is written to the console, and the
 *   call that lent it goes on.
 */
import { asFinalmileError, cancelled, throwIfAborted } from './errors';
import type { ProgressListener } from './native';

/** Calls what answers later. */
export async function call<T>(
  signal: AbortSignal | undefined,
  start: (options: { signal: AbortSignal } | undefined) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  try {
    return await start(signal && { signal });
  } catch (thrown) {
    throw asFinalmileError(thrown);
  }
}

/** Calls what answers at once. */
export function callNow<T>(start: () => T): T {
  try {
    return start();
  } catch (thrown) {
    throw asFinalmileError(thrown);
  }
}

/** An ear for a call's progress, a share from 0 to 1, at most ten times a second; deaf once it was aborted. */
export function listener(
  onProgress: ((share: number) => void) | undefined,
  signal: AbortSignal | undefined,
): ProgressListener | undefined {
  if (onProgress === undefined) {
    return undefined;
  }
  return {
    told(share) {
      if (!signal?.aborted) {
        unharmed(() => onProgress(share));
      }
    },
  };
}

/** Runs the app's own code where a throw would hurt somebody else (**J4**). */
export function unharmed(run: () => void): void {
  try {
    run();
  } catch (thrown) {
    console.error('finalmile: a callback threw', thrown);
  }
}

/** A signal that ends with another, or when it is told to. Hermes has no `AbortSignal.any`. */
export function linked(outer: AbortSignal | undefined): {
  signal: AbortSignal;
  abort: () => void;
  unlink: () => void;
} {
  const inner = new AbortController();
  const abort = (): void => inner.abort();
  if (outer?.aborted) {
    abort();
  }
  outer?.addEventListener('abort', abort);
  return {
    signal: inner.signal,
    abort,
    unlink: () => outer?.removeEventListener('abort', abort),
  };
}

/** What comes of `coming`, unless the caller gives up first. */
export async function unlessAborted<T>(
  coming: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  throwIfAborted(signal);
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(cancelled());
    signal?.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([coming, aborted]);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
