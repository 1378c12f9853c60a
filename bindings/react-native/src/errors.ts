/**
 * Failures: one class, a stable code, a sentence for the user.
 *
 * # Promises
 *
 * - **J1** Whatever rejects or throws is a {@link FinalmileError} with a code: a failure of the library, one of
 *   the app's own callbacks, or a mistake in an argument.
 * - **J2** A call that was given up rejects with the code `CANCELLED` and the name `AbortError`, as `fetch` does.
 * - **J3** `JSON.stringify` of it gives `{ error, code }` and nothing else: no path, no token, no cause.
 */

/** What is known of a failure besides its code. */
export interface FailureDetails {
  /** Whether the same call may work later. */
  retryable?: boolean;
  /** What was thrown, where it was none of ours. It is never serialised. */
  cause?: unknown;
  /** How long the other side asked to wait, in milliseconds. */
  retryAfterMs?: number;
}

/** Why a call did not do what it should. `message` may be shown; `code` tells failures apart. */
export class FinalmileError extends Error {
  /** The stable public name, such as `CONTENT_UNAVAILABLE`. */
  readonly code: string;
  /** Whether the same call may work later. */
  readonly retryable: boolean;
  /** How long the other side asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** What was thrown, where it was none of ours. */
  override readonly cause: unknown;

  constructor(code: string, message: string, details: FailureDetails = {}) {
    super(message);
    // Whoever knows `fetch` looks at the name to tell an abort from a failure.
    this.name = code === 'CANCELLED' ? 'AbortError' : 'FinalmileError';
    this.code = code;
    this.retryable = details.retryable ?? false;
    this.retryAfterMs = details.retryAfterMs;
    Object.defineProperty(this, 'cause', { value: details.cause, enumerable: false });
  }

  /** What a client may see of it, in the shape that services answer with. */
  toJSON(): { error: string; code: string } {
    return { error: this.message, code: this.code };
  }
}

/** The failure of a call that was given up. */
export function cancelled(): FinalmileError {
  return new FinalmileError('CANCELLED', 'This was cancelled', { retryable: true });
}

/** The failure of a call that nobody can answer. */
export function invalidArgument(reason: string): FinalmileError {
  return new FinalmileError('INVALID_ARGUMENT', reason);
}

/** The number, if it is a whole one between two others; else `INVALID_ARGUMENT`. */
export function whole(number: number, least: number, most: number, what: string): number {
  if (!Number.isInteger(number) || number < least || number > most) {
    throw invalidArgument(`${what} is a whole number from ${least} to ${most}`);
  }
  return number;
}

/** Throws when the caller does not wait any more. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw cancelled();
  }
}

/** Makes one of ours of whatever was thrown; `code` and `message` are for what says nothing of its own. */
export function asFinalmileError(
  thrown: unknown,
  code = 'INTERNAL_ERROR',
  message = 'Something went wrong. Please try again',
): FinalmileError {
  if (thrown instanceof FinalmileError) {
    return thrown;
  }
  const said = fields(thrown);
  const inner = fields(said['inner']);
  if (typeof inner['code'] === 'string') {
    return new FinalmileError(inner['code'], text(inner['reason']) ?? message, {
      retryable: inner['retryable'] === true,
      cause: thrown,
    });
  }
  if (said['name'] === 'AbortError') {
    return cancelled();
  }
  return new FinalmileError(text(said['code']) ?? code, text(said['error']) ?? message, {
    retryable: isPassing(thrown),
    cause: thrown,
    retryAfterMs: typeof said['retryAfterMs'] === 'number' ? said['retryAfterMs'] : undefined,
  });
}

/** Whether what was thrown by the app's own code may pass: it says so, its status does, or no answer came. */
export function isPassing(thrown: unknown): boolean {
  const said = fields(thrown);
  if (typeof said['retryable'] === 'boolean') {
    return said['retryable'];
  }
  const status = said['status'] ?? said['statusCode'];
  if (typeof status === 'number') {
    return status === 408 || status === 425 || status === 429 || status >= 500;
  }
  // What `fetch` of React Native, of Node and of browsers throws when there is no answer at all.
  return thrown instanceof TypeError && /network|fetch|load failed/i.test(thrown.message);
}

function fields(thing: unknown): Record<string, unknown> {
  return typeof thing === 'object' && thing !== null ? (thing as Record<string, unknown>) : {};
}

function text(thing: unknown): string | undefined {
  return typeof thing === 'string' && thing !== '' ? thing : undefined;
}
