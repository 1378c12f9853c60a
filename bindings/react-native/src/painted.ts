/**
 * Painted placeholders, kept so that a list that scrolls does not paint them again.
 *
 * # Promises
 *
 * - **J13** At most {@link KEPT} are in memory, and none after a memory warning.
 */
import { FinalmileError } from './errors';
import { paintPlaceholder } from './thumbnails';

/** How many are kept: a screen or two of a grid, of some kilobytes each. */
export const KEPT = 64;

const painted = new Map<string, string>();

/** A ThumbHash, as bytes or as base64, as a `data:` URI; `null` for what is none. */
export function placeholderUri(thumbhash: Uint8Array | string | null | undefined): string | null {
  if (thumbhash === null || thumbhash === undefined || thumbhash.length === 0) {
    return null;
  }
  const key = typeof thumbhash === 'string' ? thumbhash : Array.from(thumbhash).join();
  const known = painted.get(key);
  if (known !== undefined) {
    return known;
  }
  try {
    const uri = paintPlaceholder(typeof thumbhash === 'string' ? fromBase64(thumbhash) : thumbhash);
    const oldest = painted.keys().next();
    if (painted.size >= KEPT && !oldest.done) {
      painted.delete(oldest.value);
    }
    painted.set(key, uri);
    return uri;
  } catch (thrown) {
    // A placeholder is a courtesy: a picture is not lost for want of one.
    if (thrown instanceof FinalmileError) {
      return null;
    }
    throw thrown;
  }
}

/** Lets go of all of them. */
export function forgetPainted(): void {
  painted.clear();
}

/** How many are kept now. */
export function paintedCount(): number {
  return painted.size;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** By hand, because Hermes has had `atob` for a short time only. Throws `INVALID_ARGUMENT`. */
function fromBase64(text: string): Uint8Array {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text.replace(/-/g, '+').replace(/_/g, '/').replace(/=+$/, '')) {
    const value = ALPHABET.indexOf(letter);
    if (value < 0) {
      throw new FinalmileError('INVALID_ARGUMENT', 'This is no base64');
    }
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  return Uint8Array.from(bytes);
}
