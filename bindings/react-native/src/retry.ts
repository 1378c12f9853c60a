/**
 * Trying again: what may pass is tried a few times, further apart each time.
 *
 * # Promises
 *
 * - **J22** A failure that is not retryable is not retried; one that says how long to wait is waited for; no wait
 *   outlives an abort.
 */
import { asFinalmileError, cancelled, throwIfAborted } from './errors';

/** How often, and how far apart. */
export interface RetryOptions {
  /** How often a step is tried in all. Default: 4. */
  attempts?: number;
  /** The first wait, in milliseconds; each further one is twice as long. Default: 500. */
  firstMs?: number;
  /** The longest wait, in milliseconds. Default: 30,000. */
  longestMs?: number;
}

/** Runs `step` until it succeeds, fails for good, or has failed often enough. */
export async function retried<T>(
  step: (attempt: number) => Promise<T>,
  signal: AbortSignal | undefined,
  options: RetryOptions = {},
): Promise<T> {
  const { attempts = 4, firstMs = 500, longestMs = 30_000 } = options;
  for (let attempt = 1; ; attempt += 1) {
    throwIfAborted(signal);
    try {
      return await step(attempt);
    } catch (thrown) {
      const error = asFinalmileError(thrown);
      if (signal?.aborted) {
        throw cancelled();
      }
      if (!error.retryable || error.code === 'CANCELLED' || attempt >= attempts) {
        throw error;
      }
      const wait = Math.min(firstMs * 2 ** (attempt - 1), longestMs);
      // A crowd that was turned away together shall not come back together.
      await pause(error.retryAfterMs ?? wait * (0.5 + Math.random() / 2), signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(cancelled());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
