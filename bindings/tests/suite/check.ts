/** What a case says when something is not as it should be. */

import { Failure } from 'finalmile';

import type { Host } from './host';

/** How a call failed, as the library says it. */
export interface Failed {
  readonly code: string;
  readonly reason: string;
  readonly retryable: boolean;
}

/** The condition holds. */
export function holds(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** Both are the same, by what they look like as JSON. */
export function same(actual: unknown, expected: unknown, what: string): void {
  const [is, should] = [shown(actual), shown(expected)];
  holds(is === should, `${what}: ${is} instead of ${should}`);
}

function shown(value: unknown): string {
  if (value instanceof Uint8Array) return `[${Array.from(value).join(' ')}]`;
  return JSON.stringify(value) ?? 'undefined';
}

/** The call fails as the library fails, with a code of its own and a sentence. */
export async function failure(call: () => unknown, what = 'the call'): Promise<Failed> {
  let answer: unknown;
  try {
    answer = await call();
  } catch (error) {
    return failed(error, what);
  }
  throw new Error(`${what} should fail, and answered ${shown(answer)}`);
}

/** What was thrown is the library's failure. */
export function failed(error: unknown, what: string): Failed {
  holds(Failure.instanceOf(error), `${what} should fail with a code, and threw ${String(error)}`);
  const { code, reason, retryable } = error.inner;
  holds(/^[A-Z][A-Z_]+$/.test(code), `${what}: ${code} is no code`);
  holds(reason.length > 5 && typeof retryable === 'boolean', `${what}: ${code} says ${reason}`);
  // A panic, or an error that nobody thought of, is none of the answers that a case expects.
  holds(code !== 'INTERNAL_ERROR', `${what}: ${code}`);
  return { code, reason, retryable };
}

/** The call was given up by whoever made it. */
export async function aborted(call: Promise<unknown>, what: string): Promise<void> {
  let answer: unknown;
  try {
    answer = await call;
  } catch (error) {
    const name = error instanceof Error ? error.name : String(error);
    holds(name === 'AbortError', `${what} should end with AbortError, and threw ${name}: ${error}`);
    return;
  }
  throw new Error(`${what} should end with AbortError, and answered ${shown(answer)}`);
}

/** Later, by so many milliseconds. */
export function pause(host: Host, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = host.every(ms, () => {
      stop();
      resolve();
    });
  });
}

/** Waits until the condition holds, or says after `ms` that it never did. */
export async function until(
  host: Host,
  condition: () => boolean | Promise<boolean>,
  what: string,
  ms = 10_000,
): Promise<void> {
  const end = host.now() + ms;
  while (!(await condition())) {
    holds(host.now() < end, `${what}, but not within ${ms} ms`);
    await pause(host, 10);
  }
}

/** Tries what a busy machine can make slow up to three times. */
export async function patiently<T>(attempt: (tryNumber: number) => Promise<T>): Promise<T> {
  for (let tryNumber = 1; ; tryNumber++) {
    try {
      return await attempt(tryNumber);
    } catch (error) {
      if (tryNumber === 3) throw error;
    }
  }
}
