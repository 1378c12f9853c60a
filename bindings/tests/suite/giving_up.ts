/** Giving up: a call that nobody waits for any more ends at once, and leaves nothing. */

import { cidOfFile, generateThumbnailSet } from 'finalmile';

import { aborted, holds, patiently, pause, same } from './check';
import { HELLO } from './cids';
import { content } from './cache';
import type { Cases, Stage } from './harness';
import { request } from './pictures';
import { Shelf, cacheOf, silent } from './shelf';

/** How soon a call that was given up rejects. */
export const ABORT_MS = 50;

/** Gives a call up after so many milliseconds; how long it then took to end. */
export async function endsAfter(
  stage: Stage,
  call: (options: { signal: AbortSignal }) => Promise<unknown>,
  ms: number,
): Promise<number> {
  const control = new AbortController();
  const ended = aborted(call({ signal: control.signal }), `the call, given up after ${ms} ms`);
  // Whoever is late to look must not find an unheard rejection.
  ended.catch(() => undefined);
  await pause(stage.host, ms);
  const begun = stage.host.now();
  control.abort();
  await ended;
  return stage.host.now() - begun;
}

/** The same, where it must take at most `ABORT_MS`; a busy machine has three tries. */
async function endsSoon(
  stage: Stage,
  call: (options: { signal: AbortSignal }) => Promise<unknown>,
  ms: number,
): Promise<void> {
  await patiently(async () => {
    const took = await endsAfter(stage, call, ms);
    holds(took <= ABORT_MS, `given up after ${ms} ms, it took ${took.toFixed(1)} ms to end`);
  });
}

export const givingUp: Cases = {
  async abort_set(stage) {
    const set = (options: { signal: AbortSignal }) =>
      generateThumbnailSet(request(stage, 'photo.jpg'), undefined, undefined, options);
    for (const ms of [1, 5, 10]) await endsSoon(stage, set, ms);
    // The work, which may not have noticed yet, must not write afterwards either.
    await pause(stage.host, 500);
    same(stage.host.names(stage.folder), [], 'files');
  },

  async abort_before(stage) {
    const control = new AbortController();
    control.abort();
    const { signal } = control;
    const told: number[] = [];
    const listener = { told: (share: number) => void told.push(share) };
    await aborted(generateThumbnailSet(request(stage, 'photo.jpg'), undefined, listener, { signal }), 'the set');
    await pause(stage.host, 200);
    same([stage.host.names(stage.folder), told], [[], []], 'what was done');
  },

  async abort_fetch(stage) {
    const network = silent();
    const cache = await cacheOf(stage, network);
    await endsSoon(stage, (options) => cache.getCachedOrFetch(content(HELLO), undefined, options), 50);
    holds(network.asked.length > 0, 'the network was asked');
    await cache.close();
  },

  async abort_one_of_two(stage) {
    const shelf = new Shelf(stage, 300);
    await shelf.holding('hello world');
    const cache = await cacheOf(stage, shelf);
    const other = cache.getCachedOrFetch(content(HELLO));
    await endsSoon(stage, (options) => cache.getCachedOrFetch(content(HELLO), undefined, options), 20);
    same(stage.host.read((await other).path), 'hello world', 'what the other gets');
    same(shelf.asked.length, 1, 'questions');
    await cache.close();
  },

  async abort_cid(stage) {
    await endsSoon(stage, (options) => cidOfFile(stage.file('big.bin'), undefined, options), 30);
  },
};
