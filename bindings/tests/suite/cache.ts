/** The cache: content by its id, fetched once, checked and kept. */

import { ContentKind, ContentRequest, GatewaySettings, type IpfsCache, NetworkAnswer, cidOfFile } from 'finalmile';

import { failure, holds, pause, same, until } from './check';
import { HELLO } from './cids';
import type { Cases, Stage } from './harness';
import { Shelf, Told, cacheOf, cut, silent } from './shelf';

/** A request for a content. */
export const content = (cid: string, kind?: ContentKind) => ContentRequest.create({ content: cid, kind });

/** A cache over a shelf that holds `hello world`. */
export async function helloCache(stage: Stage): Promise<{ cache: IpfsCache; shelf: Shelf }> {
  const shelf = new Shelf(stage);
  await shelf.holding('hello world');
  return { cache: await cacheOf(stage, shelf), shelf };
}

/** A text of about so many bytes, unlike every other number's. */
const text = (number: number, bytes = 40) => `text ${number} `.repeat(Math.ceil(bytes / 7)).slice(0, bytes);

/** What lies in a cache's folder under ids, its own records aside. */
function contents(stage: Stage): string[] {
  return stage.host.names(`${stage.folder}/cache`).filter((name) => name.startsWith('baf'));
}

/** What lies in the folder where answers of the network are put. */
function answers(stage: Stage): string[] {
  return stage.host.names(`${stage.folder}/cache/.answers`);
}

/** How a fetch of `hello world` over such a network fails. */
async function fetchFails(stage: Stage, network: Told, timeoutS?: number) {
  const cache = await cacheOf(stage, network, timeoutS === undefined ? {} : { timeoutS });
  const answer = await failure(() => cache.getCachedOrFetch(content(HELLO)), 'the fetch');
  holds(network.asked.length > 0, 'the network was asked');
  same(contents(stage), [], 'files');
  same(cache.peek(content(HELLO)), undefined, 'a look');
  await cache.close();
  await until(stage.host, () => answers(stage).length === 0, 'no answer is left');
  return answer;
}

export const caching: Cases = {
  async cache_fetch(stage) {
    const { cache, shelf } = await helloCache(stage);
    const first = await cache.getCachedOrFetch(content(HELLO));
    same([first.cid, first.sizeBytes, first.kept], [HELLO, 11, true], 'the file');
    same(stage.host.read(first.path), 'hello world', 'its text');
    same(shelf.asked.length, 1, 'questions');
    const again = await cache.getCachedOrFetch(content(HELLO));
    same([again.path, again.source, shelf.asked.length], [first.path, 'cache', 1], 'the second time');
    await cache.close();
    same(answers(stage), [], 'answers that are left');
  },

  async cache_put(stage) {
    const network = cut();
    const cache = await cacheOf(stage, network);
    const put = await cache.put(stage.file('other.jpg'), ContentKind.Thumbnail);
    same(put.cid, await cidOfFile(stage.file('other.jpg')), 'the id');
    const found = await cache.getCachedOrFetch(content(put.cid));
    same([found.path, found.sizeBytes], [put.path, stage.host.size(stage.file('other.jpg'))], 'the file');
    same(network.asked.length, 0, 'questions');
    await cache.close();
  },

  async cache_once(stage) {
    const { cache, shelf } = await helloCache(stage);
    const calls = Array.from({ length: 20 }, () => cache.getCachedOrFetch(content(HELLO)));
    const found = await Promise.all(calls);
    same(new Set(found.map((file) => file.path)).size, 1, 'paths');
    same(shelf.asked.length, 1, 'questions');
    await cache.close();
  },

  async cache_peek(stage) {
    const { cache } = await helloCache(stage);
    same(cache.peek(content(HELLO)), undefined, 'before');
    const { path } = await cache.getCachedOrFetch(content(HELLO));
    same(cache.peek(content(HELLO)), path, 'after');
    same(cache.peek(content(HELLO.toUpperCase())), path, 'another spelling');
    for (const none of ['', 'no id', HELLO.slice(1)]) same(cache.peek(content(none)), undefined, none);
    await cache.close();
  },

  async cache_liar(stage) {
    const lie = async (request: { destination: string }) => {
      stage.host.write(request.destination, 'hello there');
      return NetworkAnswer.create({ status: 200, headers: [] });
    };
    await fetchFails(stage, new Told(lie));
  },

  async cache_status(stage) {
    const { retryable } = await fetchFails(
      stage,
      new Told(async () => NetworkAnswer.create({ status: 500, headers: [] })),
    );
    same(retryable, true, 'it may work later');
  },

  async cache_unreachable(stage) {
    const { retryable } = await fetchFails(stage, cut());
    same(retryable, true, 'it may work later');
  },

  async cache_odd_throw(stage) {
    const odd = [new Error('odd'), 'a text', { odd: true }];
    let next = 0;
    await fetchFails(stage, new Told(() => Promise.reject(odd[next++ % odd.length])));
  },

  async cache_never(stage) {
    const begun = stage.host.now();
    await fetchFails(stage, silent(), 1);
    const seconds = (stage.host.now() - begun) / 1000;
    holds(seconds >= 0.9 && seconds < 19, `it failed after ${seconds} s`);
  },

  async cache_offline(stage) {
    const cache = await cacheOf(stage, cut(), { gateways: [] });
    await failure(() => cache.getCachedOrFetch(content(HELLO)), 'the fetch');
    const { path } = await cache.put(stage.file('hello.txt'));
    same((await cache.getCachedOrFetch(content(HELLO))).path, path, 'what is there');
    await cache.close();
  },

  async cache_token(stage) {
    const shelf = new Shelf(stage);
    await shelf.holding('hello world');
    const [own, other] = ['https://own.example', 'https://other.example'];
    const network = new Told(async (request) => {
      if (request.url.startsWith(own)) return NetworkAnswer.create({ status: 500, headers: [] });
      return shelf.download(request);
    });
    const gateways = [
      GatewaySettings.create({ url: own, token: 'a-secret' }),
      GatewaySettings.create({ url: other }),
    ];
    const cache = await cacheOf(stage, network, { gateways });
    await cache.getCachedOrFetch(content(HELLO));
    await cache.close();
    const shown = (url: string) => network.asked.filter((asked) => asked.url.startsWith(url)).map((asked) => JSON.stringify(asked));
    holds(shown(own).length > 0 && shown(other).length > 0, 'both were asked');
    holds(shown(own).every((asked) => asked.includes('a-secret')), 'it is sent to its own');
    holds(!shown(other).some((asked) => asked.includes('a-secret')), 'it is sent to no other');
  },

  async cache_progress(stage) {
    const shelf = new Shelf(stage);
    const cid = await shelf.holding(text(1, 60_000));
    const cache = await cacheOf(stage, shelf);
    const heard: number[] = [];
    await cache.getCachedOrFetch(content(cid), { told: (share) => void heard.push(share) });
    holds(heard.length > 0, 'nothing was heard');
    holds(heard.every((share, at) => share >= (heard[at - 1] ?? 0) && share <= 1), `the shares: ${heard}`);
    same(heard.at(-1), 1, 'the last share');
    await cache.close();
  },

  async cache_pin(stage) {
    const { cache } = await helloCache(stage);
    const { path } = await cache.getCachedOrFetch(content(HELLO));
    const { cid } = await cache.put(stage.file('small.jpg'));
    await cache.pin(HELLO);
    await cache.trim(0);
    same([cache.peek(content(HELLO)), cache.peek(content(cid))], [path, undefined], 'what is left');
    holds((await cache.stats()).pinnedBytes >= 11, 'it is counted as pinned');
    await cache.close();
  },

  async cache_unpin(stage) {
    const { cache } = await helloCache(stage);
    await cache.pin(HELLO);
    await cache.getCachedOrFetch(content(HELLO));
    same([await cache.unpin(HELLO), await cache.unpin(HELLO)], [true, false], 'the answers');
    await cache.trim(0);
    same(cache.peek(content(HELLO)), undefined, 'a look');
    await cache.close();
  },

  async cache_remove(stage) {
    const { cache } = await helloCache(stage);
    const { path } = await cache.getCachedOrFetch(content(HELLO));
    same([await cache.remove(HELLO), await cache.remove(HELLO)], [true, false], 'the answers');
    same([cache.peek(content(HELLO)), stage.host.size(path)], [undefined, undefined], 'what is left');
    await cache.close();
  },

  async cache_trim(stage) {
    const cache = await cacheOf(stage, cut());
    stage.host.makeFolder(`${stage.folder}/texts`);
    for (let number = 0; number < 5; number++) {
      const path = `${stage.folder}/texts/${number}`;
      stage.host.write(path, text(number, 500_000));
      await cache.put(path);
    }
    same((await cache.stats()).bytes, 2_500_000, 'bytes before');
    await cache.trim(1);
    const { bytes, entries, evictions } = await cache.stats();
    holds(bytes <= 1 << 20 && bytes > 0, `${bytes} bytes afterwards`);
    same([entries, evictions], [contents(stage).length, 5 - entries], 'entries and evictions');
    await cache.close();
  },

  async cache_clear(stage) {
    const { cache } = await helloCache(stage);
    await cache.getCachedOrFetch(content(HELLO));
    await cache.pin(HELLO);
    await cache.clear();
    const { entries, bytes, pinnedBytes } = await cache.stats();
    same([entries, bytes, pinnedBytes, contents(stage)], [0, 0, 0, []], 'what is left');
    await cache.close();
  },

  async cache_stats(stage) {
    const { cache } = await helloCache(stage);
    await cache.getCachedOrFetch(content(HELLO));
    await cache.getCachedOrFetch(content(HELLO));
    await cache.put(stage.file('small.jpg'));
    const { entries, bytes, hits, misses, evictions, pinnedBytes } = await cache.stats();
    same([entries, bytes, pinnedBytes], [2, 11 + (stage.host.size(stage.file('small.jpg')) ?? 0), 0], 'what is there');
    same([hits, misses, evictions], [1, 1, 0], 'what was asked');
    await cache.close();
  },

  async cache_prefetch(stage) {
    const shelf = new Shelf(stage);
    const wanted = await Promise.all([1, 2, 3, 4, 5].map((number) => shelf.holding(text(number))));
    const cache = await cacheOf(stage, shelf);
    await cache.prefetch(wanted.map((cid) => content(cid)));
    const come = () => wanted.every((cid) => cache.peek(content(cid)) !== undefined);
    await until(stage.host, come, 'all come');
    same(shelf.asked.length, 5, 'questions');
    await cache.close();
  },

  async cache_prefetch_next(stage) {
    const shelf = new Shelf(stage);
    const feed = await Promise.all([0, 1, 2, 3, 4, 5, 6].map((number) => shelf.holding(text(number))));
    const cache = await cacheOf(stage, shelf);
    const there = (cids: string[]) => cids.map((cid) => cache.peek(content(cid)) !== undefined);
    const seen = feed[1] ?? '';
    await cache.getCachedOrFetch(content(seen));
    await cache.prefetchNext([...feed.slice(0, 3), 'no id', ...feed.slice(3)], 1);
    await until(stage.host, () => there(feed.slice(2, 5)).every(Boolean), 'the next three come');
    await pause(stage.host, 200);
    same(there(feed), [false, true, true, true, true, false, false], 'which come');
    await cache.close();
  },

  async cache_suspend(stage) {
    const { cache, shelf } = await helloCache(stage);
    const { path } = await cache.getCachedOrFetch(content(HELLO));
    await cache.suspend();
    await cache.resume();
    same((await cache.getCachedOrFetch(content(HELLO))).path, path, 'the path');
    same(shelf.asked.length, 1, 'questions');
    await cache.close();
  },

  async cache_reopen(stage) {
    const { cache } = await helloCache(stage);
    const { path } = await cache.getCachedOrFetch(content(HELLO));
    await cache.close();
    const network = cut();
    const again = await cacheOf(stage, network);
    same((await again.getCachedOrFetch(content(HELLO))).path, path, 'the path');
    same([again.peek(content(HELLO)), network.asked.length], [path, 0], 'a look');
    await again.close();
  },

  async cache_closed(stage) {
    const { cache } = await helloCache(stage);
    await cache.getCachedOrFetch(content(HELLO));
    await cache.close();
    const calls: [string, () => unknown][] = [
      ['getCachedOrFetch', () => cache.getCachedOrFetch(content(HELLO))],
      ['put', () => cache.put(stage.file('hello.txt'))],
      ['pin', () => cache.pin(HELLO)],
      ['unpin', () => cache.unpin(HELLO)],
      ['remove', () => cache.remove(HELLO)],
      ['trim', () => cache.trim(0)],
      ['clear', () => cache.clear()],
      ['stats', () => cache.stats()],
      ['resume', () => cache.resume()],
      ['prefetch', () => cache.prefetch([content(HELLO)])],
      ['prefetchNext', () => cache.prefetchNext([HELLO, HELLO], 0)],
    ];
    for (const [name, call] of calls) same((await failure(call, name)).code, 'CLOSED', name);
    same(cache.peek(content(HELLO)), undefined, 'a look');
    await cache.close();
  },

  async cache_bad_gateway(stage) {
    for (const url of ['', 'gateway.example', 'http://gateway.example', 'ftp://gateway.example', 'https://']) {
      const gateways = [GatewaySettings.create({ url })];
      const { code } = await failure(() => cacheOf(stage, cut(), { gateways }), url);
      same(code, 'INVALID_GATEWAY', url);
    }
  },

  async cache_bad_folder(stage) {
    const { code } = await failure(() => cacheOf(stage, cut(), { folder: stage.file('hello.txt') }), 'the cache');
    same(code, 'CACHE_UNAVAILABLE', 'the code');
  },

  async cache_bad_content(stage) {
    const network = cut();
    const cache = await cacheOf(stage, network);
    for (const none of ['', 'no id', HELLO.slice(0, -1)]) {
      same((await failure(() => cache.getCachedOrFetch(content(none)), none)).code, 'INVALID_CID', none);
      same((await failure(() => cache.pin(none), none)).code, 'INVALID_CID', none);
    }
    same(network.asked.length, 0, 'questions');
    await cache.close();
  },
};
