/** Content ids for the fake module: true ones for up to 1 MiB, parsed and spelled as the library does. */
import { createHash } from 'node:crypto';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const RAW = 0x55;
const DAG_PB = 0x70;

/** The content id of bytes, under `unixfs-v1-2025`. Above 1 MiB the library answers another one. */
export function cidOf(bytes: Uint8Array): string {
  return spelled(RAW, createHash('sha256').update(bytes).digest());
}

/** The one spelling of a content id, or nothing for what is none. */
export function canonical(text: string): string | undefined {
  const parsed = parse(text);
  return parsed && spelled(parsed.codec, parsed.digest);
}

/** The spelling that begins with `Qm`, where there is one. */
export function toV0(text: string): string | undefined {
  const parsed = parse(text);
  if (parsed?.codec !== DAG_PB) {
    return undefined;
  }
  let number = BigInt(`0x1220${Buffer.from(parsed.digest).toString('hex')}`);
  let v0 = '';
  for (; number > 0n; number /= 58n) {
    v0 = BASE58[Number(number % 58n)] + v0;
  }
  return v0;
}

interface Parsed {
  readonly codec: number;
  readonly digest: Uint8Array;
}

function parse(text: string): Parsed | undefined {
  if (/^Qm[1-9A-HJ-NP-Za-km-z]{44}$/.test(text)) {
    const number = [...text].reduce((sum, letter) => sum * 58n + BigInt(BASE58.indexOf(letter)), 0n);
    const bytes = Buffer.from(number.toString(16), 'hex');
    return bytes.length === 34 ? { codec: DAG_PB, digest: bytes.subarray(2) } : undefined;
  }
  if (!/^(b[a-z2-7]{58}|B[A-Z2-7]{58})$/.test(text)) {
    return undefined;
  }
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text.slice(1).toLowerCase()) {
    held = ((held << 5) | BASE32.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  const [version, codec = 0, hash, length] = bytes;
  const known = version === 1 && (codec === RAW || codec === DAG_PB) && hash === 0x12 && length === 32;
  return known ? { codec, digest: Uint8Array.from(bytes.slice(4)) } : undefined;
}

function spelled(codec: number, digest: Uint8Array): string {
  let text = 'b';
  let bits = 0;
  let held = 0;
  for (const byte of [1, codec, 0x12, 32, ...digest]) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(held >> bits) & 31];
    }
  }
  return bits > 0 ? text + BASE32[(held << (5 - bits)) & 31] : text;
}
