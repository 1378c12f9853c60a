/** What React Native has and a bare JavaScriptCore lacks. Imported first. */

/** UTF-8 of a text, as WHATWG's Encoding standard says: a lone surrogate becomes U+FFFD. */
class Encoder {
  encode(text: string): Uint8Array {
    const bytes = new Uint8Array(text.length * 3);
    return bytes.slice(0, this.encodeInto(text, bytes).written);
  }

  encodeInto(text: string, bytes: Uint8Array): { read: number; written: number } {
    let [read, written] = [0, 0];
    for (const character of text) {
      const point = character.codePointAt(0) ?? 0;
      const code = point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
      const length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      if (written + length > bytes.length) break;
      if (length === 1) {
        bytes[written] = code;
      } else {
        // The first byte says how many there are; each other carries six bits.
        bytes[written] = ((0xf00 >> length) & 0xff) | (code >> (6 * (length - 1)));
        for (let at = 1; at < length; at++) bytes[written + at] = 0x80 | ((code >> (6 * (length - 1 - at))) & 0x3f);
      }
      written += length;
      read += character.length;
    }
    return { read, written };
  }
}

/** As much of DOM's AbortController as the generated code and the cases use. */
class Signal {
  aborted = false;
  private readonly listeners = new Set<() => void>();

  addEventListener(_: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    this.listeners.forEach((listener) => listener());
  }
}

class Controller {
  readonly signal = new Signal();

  abort(): void {
    this.signal.abort();
  }
}

const say = (...words: unknown[]) => machine.print(words.map(String).join(' '));

Object.assign(globalThis, {
  TextEncoder: Encoder,
  AbortController: Controller,
  console: { log: say, info: say, warn: say, error: say, debug: say },
  // As in an app that is shipped: failures without stacks from where they were called.
  process: { env: { NODE_ENV: 'production' } },
});
