/** Content ids: of files, of bytes, and their spellings. */

import { ImportProfile, canonicalCid, cidOfBytes, cidOfFile, cidToV0 } from 'finalmile';

import { failure, holds, same } from './check';
import type { Cases } from './harness';

/** The id of the eleven bytes `hello world`. */
export const HELLO = 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e';
/** What older software calls the same. */
const HELLO_V0 = 'Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD';
/** A folder that many have: the spelling of version 0, and of version 1. */
const READMES = ['QmS4ustL54uo8FzR9455qaxZwuMiUhyvMcX9Ba8nUH4uVv', 'bafybeibxm2nsadl3fnxv2sxcxmxaco2jl53wpeorjdzidjwf5aqdg7wa6u'];
/** `HELLO` in base58btc, base36 and base16; the last is spelled right, and not read. */
const HELLO_BASE58 = 'zb2rhj7crUKTQYRGCRATFaQ6YFLTde2YzdqbbhAASkL9uRDXn';
const HELLO_BASE36 = 'k2cwued9o1pvrt3q271rrqbo49x30tbxwpoeaq75z14e5ui2rzygpbe1';
const HELLO_BASE16 = 'f01551220b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9';

/** A text's bytes, where each character is one. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The id of a text. */
export function cidOf(text: string): Promise<string> {
  return cidOfBytes(bytesOf(text));
}

export const cids: Cases = {
  async cid_file({ file }) {
    same(await cidOfFile(file('hello.txt')), HELLO, 'the id');
  },

  async cid_file_v0({ file }) {
    same(await cidOfFile(file('hello.txt'), ImportProfile.UnixfsV0), HELLO_V0, 'the id');
  },

  async cid_file_large({ host, file }) {
    same(await cidOfFile(file('chunks.bin')), host.read(file('chunks.cid')), 'the id');
  },

  async cid_bytes({ host, folder }) {
    const texts = ['hello world', '', 'a'.repeat(65_536)];
    host.makeFolder(folder);
    for (const text of texts) {
      host.write(`${folder}/text`, text);
      same(await cidOf(text), await cidOfFile(`${folder}/text`), `the id of ${text.length} bytes`);
    }
    same(await cidOf('hello world'), HELLO, 'the id');
  },

  async cid_bytes_many() {
    const { code } = await failure(() => cidOf('a'.repeat(65_537)), 'more bytes than cross');
    same(code, 'INVALID_ARGUMENT', 'the code');
  },

  async cid_canonical() {
    for (const spelling of [HELLO, HELLO.toUpperCase(), HELLO_BASE58, HELLO_BASE36, HELLO_BASE36.toUpperCase()]) {
      same(canonicalCid(spelling), HELLO, spelling);
    }
    for (const spelling of READMES) same(canonicalCid(spelling), READMES[1], spelling);
  },

  async cid_to_v0() {
    for (const spelling of READMES) same(cidToV0(spelling), READMES[0], spelling);
    same(cidToV0(HELLO), undefined, 'an id of raw bytes has none');
  },

  async cid_bad() {
    for (const text of ['', 'no id', 'Qm', HELLO.slice(0, -1), `${HELLO}a`, `${HELLO} `, '🦀']) {
      const { code, retryable } = await failure(() => canonicalCid(text), JSON.stringify(text));
      same([code, retryable], ['INVALID_CID', false], JSON.stringify(text));
      same((await failure(() => cidToV0(text), text)).code, 'INVALID_CID', JSON.stringify(text));
    }
    same((await failure(() => canonicalCid(HELLO_BASE16), 'base16')).code, 'UNSUPPORTED_CID', 'base16');
  },

  async cid_no_file({ file }) {
    for (const name of ['folder', 'there-is-no-such-file', 'loop', 'pipe']) {
      const { code } = await failure(() => cidOfFile(file(name)), name);
      holds(code === 'FILE_UNREADABLE', `${name}: ${code}`);
    }
  },
};
