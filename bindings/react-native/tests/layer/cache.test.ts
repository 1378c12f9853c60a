import { IpfsCache } from '../../src/index';
import { mock } from '../../src/mock';
import * as fake from '../../src/mock/fake';
import { paintedCount, placeholderUri } from '../../src/painted';
import { fakeApp } from '../support/app';
import { rejection, settled } from '../support/wait';

const network = { download: async () => ({ status: 200, headers: {} }) };
const gateways = ['https://gateway.example'];
const open = (): Promise<IpfsCache> => IpfsCache.open({ gateways, folder: 'file:///caches/ipfs', network });

let app: ReturnType<typeof fakeApp>;
beforeEach(() => {
  mock.reset();
  app = fakeApp();
});
afterEach(() => jest.restoreAllMocks());

test('what it lacks is fetched once and then found', async () => {
  const cache = await open();
  const cid = mock.cid('one');
  expect(cache.peek(cid)).toBeNull();
  const uri = await cache.getCachedOrFetch(cid, { kind: 'thumbnail' });
  expect(uri).toBe(`file:///caches/ipfs/${cid}`);
  expect(cache.peek(cid)).toBe(uri);
  expect(await cache.get(cid)).toMatchObject({ uri, cid, source: 'cache', kept: true, size: expect.any(Number) });
  expect(mock.fetches).toBe(1);
  expect(await cache.stats()).toMatchObject({ entries: 1, hits: 1, misses: 1 });
});

test('J14 twenty who ask at once share one fetch, and one who gives up leaves it to the others', async () => {
  const cache = await open();
  const cid = mock.cid('one');
  const stop = new AbortController();
  const release = mock.hold();
  const gone = rejection(cache.get(cid, { signal: stop.signal }));
  const all = Promise.all(Array.from({ length: 20 }, () => cache.getCachedOrFetch(cid)));
  await settled();
  stop.abort();
  expect(await gone).toMatchObject({ code: 'CANCELLED' });
  release();
  expect(new Set(await all).size).toBe(1);
  expect(mock.fetches).toBe(1);
});

test('J15 peek answers null for what is no id, and after close', async () => {
  const cache = await open();
  const cid = await cache.put('/a.jpg');
  expect(cache.peek(cid)).not.toBeNull();
  expect(cache.peek('no id')).toBeNull();
  expect(cache.peek(null as never)).toBeNull();
  await cache.close();
  expect(cache.peek(cid)).toBeNull();
});

test('J16 after close every call is CLOSED, a second close does nothing, and the app is not listened to', async () => {
  const cache = await open();
  expect(app.listeners).toBe(2);
  await cache.close();
  await cache.close();
  expect(app.listeners).toBe(0);
  const cid = mock.cid('one');
  for (const call of [
    () => cache.get(cid),
    () => cache.getCachedOrFetch(cid),
    () => cache.prefetch([cid]),
    () => cache.prefetchNext(0, [cid], (one) => one),
    () => cache.put('/a.jpg'),
    () => cache.pin(cid),
    () => cache.unpin(cid),
    () => cache.remove(cid),
    () => cache.trim(0),
    () => cache.clear(),
    () => cache.stats(),
    () => cache.suspend(),
    () => cache.resume(),
  ]) {
    expect(await rejection(call())).toMatchObject({ code: 'CLOSED' });
  }
  expect(mock.calls.filter((call) => call === 'close')).toHaveLength(1);
});

test('J17 it sleeps in the background, and wakes up before calls that come after', async () => {
  const cache = await open();
  const cid = mock.cid('one');
  app.tell('change', 'inactive');
  expect(mock.calls).not.toContain('suspend');
  app.tell('change', 'background');
  await settled();
  expect(await rejection(cache.get(cid))).toMatchObject({ code: 'SUSPENDED', retryable: true });
  app.tell('change', 'active');
  // Not a moment later: the first frame after coming back asks for pictures.
  expect(await cache.getCachedOrFetch(cid)).toMatch(cid);
  expect(mock.calls.filter((call) => call === 'suspend' || call === 'resume')).toEqual(['suspend', 'resume']);
});

test('J17 who waits for it to wake up is told, also of its end', async () => {
  const cache = await open();
  await cache.whenAwake();
  await cache.suspend();
  const stop = new AbortController();
  const gone = rejection(cache.whenAwake(stop.signal));
  const woken = cache.whenAwake();
  stop.abort();
  expect(await gone).toMatchObject({ code: 'CANCELLED' });
  await cache.resume();
  await woken;
  await cache.suspend();
  const ended = rejection(cache.whenAwake());
  await cache.close();
  expect(await ended).toMatchObject({ code: 'CLOSED' });
});

test('J17 coming and going quickly ends as it should', async () => {
  const cache = await open();
  for (let round = 0; round < 5; round += 1) {
    app.tell('change', 'background');
    app.tell('change', 'active');
  }
  expect(await cache.getCachedOrFetch(mock.cid('one'))).toBeTruthy();
  app.tell('change', 'background');
  app.tell('change', 'active');
  app.tell('change', 'background');
  await settled(60);
  expect(await rejection(cache.stats())).toMatchObject({ code: 'SUSPENDED' });
});

test('J17 what the app itself suspended, the app itself resumes', async () => {
  const cache = await open();
  await cache.suspend();
  app.tell('change', 'active');
  expect(await rejection(cache.stats())).toMatchObject({ code: 'SUSPENDED' });
  await cache.resume();
  expect(await cache.stats()).toMatchObject({ entries: 0 });
});

test('J17 a sleep that fails is told to who asked, and disturbs nobody else', async () => {
  const cache = await open();
  mock.fail('suspend', { code: 'CACHE_UNAVAILABLE' });
  app.tell('change', 'background');
  app.tell('change', 'active');
  expect(await cache.stats()).toMatchObject({ entries: 0 });
  mock.fail('suspend', { code: 'CACHE_UNAVAILABLE' });
  expect(await rejection(cache.suspend())).toMatchObject({ code: 'CACHE_UNAVAILABLE' });
});

test('J13 J18 a memory warning costs no file, and lets go of what is painted and of what waits', async () => {
  const cache = await open();
  const cid = await cache.put('/a.jpg');
  expect(placeholderUri(new Uint8Array(20))).toMatch(/^data:/);
  expect(paintedCount()).toBe(1);
  const ahead = jest.spyOn(fake, 'paintPlaceholder');
  mock.calls.length = 0;
  app.tell('memoryWarning');
  await settled();
  expect(paintedCount()).toBe(0);
  expect(mock.calls).toEqual(['prefetchNext']);
  expect(cache.peek(cid)).not.toBeNull();
  placeholderUri(new Uint8Array(20));
  expect(ahead).toHaveBeenCalledTimes(1);
});

test('J13 at most 64 painted placeholders are kept, and an odd one is none', () => {
  for (let n = 0; n < 100; n += 1) {
    placeholderUri(Uint8Array.from([n, 0, 0, 0, 0, 0]));
  }
  expect(paintedCount()).toBe(64);
  expect(placeholderUri('1QcSHQRnh493V4dIh4eXh1h4kJUI')).toMatch(/^data:/);
  for (const odd of [null, undefined, '', '!!', 'AA', new Uint8Array(0), new Uint8Array(1)]) {
    expect(placeholderUri(odd)).toBeNull();
  }
});

test('of a feed, the next three come; what has no id is passed over', async () => {
  const cache = await open();
  const feed = ['a', 'b', null, 'c', 'd', 'e'].map((name) => ({ thumb: name && mock.cid(name) }));
  await cache.prefetchNext(0, feed, (item) => item.thumb);
  await settled();
  expect(feed.map(({ thumb }) => thumb !== null && cache.peek(thumb) !== null)).toEqual([false, true, false, true, true, false]);
  await cache.prefetchNext(-1, feed, (item) => item.thumb, 5);
  await settled();
  expect(mock.fetches).toBe(5);
  await cache.prefetchNext(99, feed, (item) => item.thumb);
  await cache.prefetch([null, undefined, feed[0]!.thumb, 'no id']);
});

test('pins, trims, removals', async () => {
  const cache = await open();
  const [a, b] = [await cache.put('/a.jpg', 'thumbnail'), await cache.put('/b.jpg')];
  await cache.pin(a);
  await cache.trim(0);
  expect([cache.peek(a), cache.peek(b)].map((uri) => uri !== null)).toEqual([true, false]);
  expect(await cache.unpin(a)).toBe(true);
  expect(await cache.unpin(a)).toBe(false);
  expect(await cache.remove(a)).toBe(true);
  expect(await cache.remove(a)).toBe(false);
  await cache.clear();
  expect(await cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
});

test.each([
  ['no gateways', { gateways: undefined as never }],
  ['a limit of 0', { gateways, limitMib: 0 }],
  ['a limit and a half', { gateways, limitMib: 1.5 }],
  ['a time of no length', { gateways, ttlS: 0 }],
  ['a timeout of no length', { gateways, timeoutS: 0 }],
])('J12 %s is INVALID_ARGUMENT', async (_, options) => {
  expect(await rejection(IpfsCache.open({ folder: '/ipfs', network, ...options }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(mock.calls).toEqual([]);
});

test('J1 what the library refuses is told', async () => {
  const odd = IpfsCache.open({ folder: '/ipfs', network, gateways: ['ftp://gateway.example'] });
  expect(await rejection(odd)).toMatchObject({ code: 'INVALID_GATEWAY' });
  const cache = await open();
  expect(await rejection(cache.get('no id'))).toMatchObject({ code: 'INVALID_CID' });
  expect(await rejection(cache.get(undefined as never))).toMatchObject({ code: 'INVALID_CID' });
  expect(await rejection(cache.get(mock.cid('a'), { kind: 'film' as never }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  mock.offline = true;
  expect(await rejection(cache.get(mock.cid('a')))).toMatchObject({ code: 'OFFLINE', retryable: true });
});
