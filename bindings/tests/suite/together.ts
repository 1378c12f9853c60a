/** All together: many calls at once, listeners that misbehave, and an end in the middle. */

import { canonicalCid, cidOfBytes, cidOfFile, generateThumbnailSet } from 'finalmile';

import { failure, holds, pause, same } from './check';
import { HELLO, bytesOf } from './cids';
import { content, helloCache } from './cache';
import type { Cases, Stage } from './harness';
import { request, setOf } from './pictures';
import { cacheOf, silent } from './shelf';

/** Begins calls of every kind, none of which has ended when the answer is there. */
export async function beginCalls(stage: Stage): Promise<void> {
  const unheard = (call: Promise<unknown>) => void call.catch(() => undefined);
  // Its fetches end while the runtime that comes afterwards is at work.
  const cache = await cacheOf(stage, silent(), { timeoutS: 1 });
  const decode = () => new Promise<undefined>(() => undefined);
  for (let number = 0; number < 20; number++) {
    unheard(cache.getCachedOrFetch(content(HELLO), { told: () => undefined }));
    unheard(generateThumbnailSet(request(stage, 'photo.jpg'), undefined, { told: () => undefined }));
    unheard(generateThumbnailSet(request(stage, 'card.heic'), { decode }));
  }
  // Work that nobody can stop any more keeps a processor for its time: a little of it.
  unheard(cidOfFile(stage.file('big.bin')));
}

/** What still works in a runtime that came after one that was taken away. */
export async function afterwards(stage: Stage): Promise<boolean> {
  const begun = stage.host.now();
  const { cache } = await helloCache(stage);
  // What the earlier one lent is given back, or called, as if this one had lent it.
  while (stage.host.now() < begun + 2_500) {
    await cache.getCachedOrFetch(content(HELLO), { told: () => undefined });
    await cache.remove(HELLO);
    await pause(stage.host, 50);
  }
  await cache.close();
  await generateThumbnailSet(request(stage, 'small.jpg'), undefined, { told: () => undefined });
  const ms = stage.host.now() - begun;
  stage.host.print(`a new runtime had its answers after ${ms.toFixed(0)} ms`);
  return ms < 9_000;
}

export const together: Cases = {
  async many_calls(stage) {
    const { cache } = await helloCache(stage);
    const calls = Array.from({ length: 1000 }, (_, number): Promise<unknown> => {
      switch (number % 5) {
        case 0:
          return cache.getCachedOrFetch(content(HELLO));
        case 1:
          return cidOfBytes(bytesOf(`call ${number}`));
        case 2:
          return failure(() => setOf(stage, 'text.txt'), 'a text');
        case 3:
          return cidOfFile(stage.file('hello.txt'));
        default:
          return cache.stats();
      }
    });
    const answers = await Promise.all(calls);
    same(new Set(answers.filter((_, number) => number % 5 === 1)).size, 200, 'ids of two hundred texts');
    same(new Set(answers.filter((_, number) => number % 5 === 3)).size, 1, 'ids of one file');
    await cache.close();
  },

  async callback_calls_back(stage) {
    const ids: string[] = [];
    const later: Promise<string>[] = [];
    const told = () => {
      ids.push(canonicalCid(HELLO.toUpperCase()));
      later.push(cidOfFile(stage.file('hello.txt')));
    };
    await generateThumbnailSet(request(stage, 'photo.jpg'), undefined, { told });
    holds(ids.length > 0 && ids.every((id) => id === HELLO), `at once: ${ids}`);
    holds((await Promise.all(later)).every((id) => id === HELLO), 'later');
  },

  async listener_throws(stage) {
    let times = 0;
    const told = () => {
      times += 1;
      throw new Error('a listener that throws');
    };
    const set = await generateThumbnailSet(request(stage, 'photo.jpg'), undefined, { told });
    same(stage.host.size(set.thumbnail.path), set.thumbnail.sizeBytes, 'the file');
    holds(times > 0, 'it was told');
  },

  async failure_shape(stage) {
    const cache = await cacheOf(stage, silent(), { gateways: [] });
    const secret = 'a-name-that-nobody-should-read';
    const calls: [string, () => unknown][] = [
      [secret, () => setOf(stage, `/there/is/no/${secret}.jpg`)],
      [secret, () => cidOfFile(`/there/is/no/${secret}`)],
      [secret, () => canonicalCid(secret)],
      [secret, () => cache.put(`/there/is/no/${secret}`)],
      [HELLO, () => cache.getCachedOrFetch(content(HELLO))],
      ['hello.txt', () => cacheOf(stage, silent(), { folder: stage.file('hello.txt') })],
    ];
    for (const [name, call] of calls) {
      const answer = await failure(call, name);
      holds(!JSON.stringify(answer).includes(name), `it names ${name}: ${JSON.stringify(answer)}`);
      same(Object.keys(answer).sort(), ['code', 'reason', 'retryable'], 'what it has');
    }
    await cache.close();
  },

  async torn_down(stage) {
    const { status, ms, output } = stage.host.again('torn-down');
    holds(status === 0, `it ended with status ${status}: ${output}`);
    holds(output.includes('calls are under way'), `it said: ${output}`);
    holds(ms < 14_000, `it ended after ${ms} ms`);
  },
};
