/** The layer over the real library: what the fake cannot show. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import {
  canonicalCid,
  cidOfBytes,
  cidOfFile,
  cidToV0,
  createQueue,
  createUploader,
  FinalmileError,
  generatePlaceholder,
  generateThumbnailSet,
  IpfsCache,
  paintPlaceholder,
  type Network,
} from '../../src/index';
import { uriOf } from '../../src/uri';
import { png } from '../support/pictures';
import { rejection } from '../support/wait';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'finalmile real ü-'));
const file = (name: string, content: string | Buffer): string => {
  fs.writeFileSync(path.join(folder, name), content);
  return uriOf(path.join(folder, name));
};
const plain = (uri: string): string => decodeURIComponent(uri.replace('file://', ''));

const HELLO = 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e';
let photo: string;
let large: string;
let nth = 0;
const outDir = (): string => path.join(folder, `out ${(nth += 1)}`);
const listed = (dir: string): string[] => (fs.existsSync(dir) ? fs.readdirSync(dir) : []);

beforeAll(() => {
  photo = file('a photo #1 50%.png', png(800, 600));
  large = file('large.png', png(5000, 4000));
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

describe('sets', () => {
  test('J5 J11 a picture with an odd name gives its small files, named by their content', async () => {
    const out = outDir();
    const set = await generateThumbnailSet(photo, 'image', { outDir: uriOf(out) });
    expect(set).toMatchObject({
      thumbnail: { width: 300, height: 300, mediaType: 'image/jpeg' },
      preview: { width: 600, height: 450 },
      poster: null,
      partial: false,
      source: { mediaType: 'image/png', width: 800, height: 600, durationMs: null },
    });
    for (const { uri, cid, size } of [set.thumbnail, set.preview!]) {
      expect(fs.statSync(plain(uri)).size).toBe(size);
      expect(path.basename(uri)).toBe(`${cid}.jpg`);
      expect(await cidOfFile(uri)).toBe(cid);
    }
    expect(listed(out)).toHaveLength(2);
    expect(set.blurhash).toHaveLength(28);
    expect(set.thumbhash.length).toBeLessThanOrEqual(25);
    expect(paintPlaceholder(set.thumbhash)).toMatch(/^data:image\/png;base64,/);
    expect(await generatePlaceholder(photo, 'image')).toEqual({
      blurhash: set.blurhash,
      thumbhash: set.thumbhash,
      width: 800,
      height: 600,
      partial: false,
    });
  });

  test('a video has a poster, and its moment is kept to', async () => {
    const video = path.join(__dirname, '../../../../tests/data/video/baseline.mp4');
    const [early, late] = [
      await generateThumbnailSet(video, 'video', { outDir: outDir() }),
      await generateThumbnailSet(video, 'video', { outDir: outDir(), atMs: 1900 }),
    ];
    expect(early.poster).toEqual(early.preview ?? early.thumbnail);
    expect(early.source.mediaType).toBe('video/mp4');
    expect(early.source.durationMs).toBeGreaterThan(0);
    expect(fs.existsSync(plain(late!.poster!.uri))).toBe(true);
  });

  test('options are kept to', async () => {
    const set = await generateThumbnailSet(photo, 'image', {
      outDir: outDir(), thumbnailSide: 100, previewSide: 200, fit: 'contain', quality: 40,
    });
    expect([set.thumbnail.width, set.thumbnail.height, set.preview!.width]).toEqual([100, 75, 200]);
  });

  test('progress rises to 1; J4 a listener that throws disturbs nothing', async () => {
    const heard: number[] = [];
    await generateThumbnailSet(large, 'image', { outDir: outDir(), onProgress: (share) => heard.push(share) });
    expect(heard).toEqual([...heard].sort((a, b) => a - b));
    expect(heard.at(-1)).toBe(1);
    const written = jest.spyOn(console, 'error').mockImplementation(() => {});
    const onProgress = (): void => { throw new Error('boom'); };
    await generateThumbnailSet(photo, 'image', { outDir: outDir(), onProgress });
    expect(written).toHaveBeenCalled();
    written.mockRestore();
  });

  test('J2 J11 an abort rejects soon and leaves no file', async () => {
    const out = outDir();
    const stop = new AbortController();
    const gone = rejection(generateThumbnailSet(large, 'image', { outDir: out, signal: stop.signal }));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const aborted = performance.now();
    stop.abort();
    expect(await gone).toMatchObject({ code: 'CANCELLED', name: 'AbortError', retryable: true });
    expect(performance.now() - aborted).toBeLessThan(1000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(listed(out)).toEqual([]);
  });

  test.each([
    ['a text', () => file('text.txt', 'this is no picture, whatever it is called'), 'NOT_AN_IMAGE'],
    ['a file of no bytes', () => file('empty.jpg', ''), undefined],
    ['a folder', () => uriOf(folder), undefined],
    ['a missing file', () => uriOf(`${folder}/missing.jpg`), undefined],
    ['an empty name with a NUL', () => 'file:///a%00b.jpg', undefined],
  ])('J1 %s is a failure with a code, which names no path', async (_, make, code) => {
    const out = outDir();
    const error = await rejection(generateThumbnailSet(make(), 'image', { outDir: out }));
    expect(error).toBeInstanceOf(FinalmileError);
    expect(error.code).toMatch(/^[A-Z_]+$/);
    expect(error.code).not.toBe('INTERNAL_ERROR');
    if (code !== undefined) {
      expect(error.code).toBe(code);
    }
    expect(JSON.stringify(error)).not.toContain(folder);
    expect(listed(out)).toEqual([]);
  });

  test('J4 J9 the app\'s decoder is asked, and what it throws is a failure with a code', async () => {
    const heic = file('a.heic', Buffer.concat([
      Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic'), Buffer.alloc(4), Buffer.from('mif1heic'), Buffer.alloc(64),
    ]));
    const asked: unknown[] = [];
    for (const odd of [() => { throw new Error('boom'); }, async () => null, async () => '/nowhere.jpg']) {
      const decoder = (request: unknown): Promise<string | null> => {
        asked.push(request);
        return odd();
      };
      const error = await rejection(generateThumbnailSet(heic, 'image', { outDir: outDir(), decoder }));
      expect(error).toBeInstanceOf(FinalmileError);
      expect(error.code).not.toBe('INTERNAL_ERROR');
    }
    expect(asked.length).toBeGreaterThan(0);
    expect(asked[0]).toMatchObject({ uri: heic, mediaType: 'image/heic', atMs: null });
  });

  test('a decoder that never answers is given up after the call\'s time', async () => {
    const heic = uriOf(`${folder}/a.heic`);
    const decoder = (): Promise<never> => new Promise(() => {});
    const error = await rejection(generateThumbnailSet(heic, 'image', { outDir: outDir(), decoder, timeoutMs: 200 }));
    expect(error.code).toMatch(/^[A-Z_]+$/);
  });
});

describe('ids', () => {
  test('of bytes, of files, in every spelling', async () => {
    expect(await cidOfBytes(new TextEncoder().encode('hello world'))).toBe(HELLO);
    const hello = file('hello.txt', 'hello world');
    expect(await cidOfFile(hello)).toBe(HELLO);
    expect(await cidOfFile(hello, { profile: 'unixfs-v0-2015' })).toMatch(/^Qm/);
    expect(canonicalCid(HELLO.toUpperCase())).toBe(HELLO);
    expect(cidToV0(HELLO)).toBeNull();
    expect(() => canonicalCid('no id')).toThrow(expect.objectContaining({ code: 'INVALID_CID' }));
  });
});

describe('cache', () => {
  let requests: string[];
  /** A gateway that has `hello world`, or what it is told to do. */
  const gateway = (answer?: (url: string) => Promise<number>): Network => ({
    download: async ({ url, path: to }) => {
      requests.push(url);
      const status = await (answer?.(url) ?? 200);
      fs.writeFileSync(to, 'hello world');
      return { status, headers: {} };
    },
  });
  const open = (network: Network, more: object = {}): Promise<IpfsCache> =>
    IpfsCache.open({ gateways: ['https://gateway.example'], folder: outDir(), network, ...more });
  beforeEach(() => (requests = []));

  test('J14 twenty who ask share one fetch; then it is found at once', async () => {
    const cache = await open(gateway());
    expect(cache.peek(HELLO)).toBeNull();
    const all = await Promise.all(Array.from({ length: 20 }, () => cache.getCachedOrFetch(HELLO)));
    expect(new Set(all).size).toBe(1);
    expect(requests).toHaveLength(1);
    expect(fs.readFileSync(plain(all[0]!), 'utf8')).toBe('hello world');
    expect(cache.peek(HELLO)).toBe(all[0]);
    expect(await cache.get(HELLO)).toMatchObject({ cid: HELLO, size: 11, source: 'cache', kept: true });
    expect(await cache.stats()).toMatchObject({ entries: 1, bytes: 11 });
    await cache.close();
  });

  test('J7 the token goes into the query', async () => {
    const cache = await open(gateway(), { gateways: [{ url: 'https://mine.example', token: 'a secret' }] });
    await cache.getCachedOrFetch(HELLO);
    expect(requests[0]).toMatch(/^https:\/\/mine\.example\/.*[?&]pinataGatewayToken=a%20secret/);
    await cache.close();
  });

  test('J2 J14 one who gives up rejects soon, and the others get it', async () => {
    let answer = (_: number): void => {};
    const cache = await open(gateway(() => new Promise((resolve) => (answer = resolve))));
    const stop = new AbortController();
    const gone = rejection(cache.get(HELLO, { signal: stop.signal }));
    const stays = cache.getCachedOrFetch(HELLO);
    while (requests.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const aborted = performance.now();
    stop.abort();
    expect(await gone).toMatchObject({ code: 'CANCELLED', name: 'AbortError' });
    expect(performance.now() - aborted).toBeLessThan(1000);
    answer(200);
    expect(await stays).toContain(HELLO);
    expect(requests).toHaveLength(1);
    await cache.close();
  });

  test('J1 a liar, a server in trouble, a line that is down: failures with codes, and no file', async () => {
    const other = await cidOfBytes(new TextEncoder().encode('something else'));
    for (const network of [
      gateway(),
      gateway(async () => 500),
      gateway(async () => { throw new Error('https://gateway.example/?token=secret'); }),
    ]) {
      const cache = await open(network, { timeoutS: 5 });
      const error = await rejection(cache.get(other));
      expect(error).toBeInstanceOf(FinalmileError);
      expect(error.code).not.toBe('INTERNAL_ERROR');
      expect(JSON.stringify([error, error.message])).not.toContain('secret');
      expect(cache.peek(other)).toBeNull();
      await cache.close();
    }
  });

  test('J15 J16 J17 it sleeps, wakes and closes', async () => {
    const cache = await open(gateway());
    const uri = await cache.put(file('mine.txt', 'mine'), 'thumbnail').then((cid) => cache.getCachedOrFetch(cid));
    await cache.suspend();
    expect(await rejection(cache.get(HELLO))).toMatchObject({ code: 'SUSPENDED' });
    await cache.resume();
    expect(await cache.getCachedOrFetch(HELLO)).toContain(HELLO);
    await cache.close();
    await cache.close();
    expect(await rejection(cache.get(HELLO))).toMatchObject({ code: 'CLOSED' });
    expect(cache.peek(HELLO)).toBeNull();
    expect(fs.readFileSync(plain(uri), 'utf8')).toBe('mine');
  });

  test('J17 what is on its way while it falls asleep comes, or is SUSPENDED; never anything else', async () => {
    let answer = (_: number): void => {};
    const cache = await open(gateway(() => new Promise((resolve) => (answer = resolve))));
    const coming = cache.get(HELLO).then(() => 'READY', (error: FinalmileError) => error.code);
    while (requests.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await cache.suspend();
    answer(200);
    expect(['READY', 'SUSPENDED']).toContain(await coming);
    await cache.resume();
    const again = cache.getCachedOrFetch(HELLO);
    setTimeout(() => answer(200), 100);
    expect(await again).toContain(HELLO);
    await cache.close();
  });

  test('a feed\'s next three come, in the background', async () => {
    const cids = await Promise.all(['hello world', 'b', 'c'].map((text) => cidOfBytes(new TextEncoder().encode(text))));
    const cache = await open(gateway());
    await cache.prefetchNext(-1, [cids[0], null, 'no id'], (cid) => cid);
    for (let tries = 0; cache.peek(HELLO) === null && tries < 200; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(cache.peek(HELLO)).not.toBeNull();
    await cache.prefetch(cids);
    await cache.close();
    expect(await rejection(cache.prefetch(cids))).toMatchObject({ code: 'CLOSED' });
  });

  test('pins outlive a trim', async () => {
    const cache = await open(gateway());
    const [a, b] = [await cache.put(file('a.txt', 'a')), await cache.put(file('b.txt', 'b'))];
    await cache.pin(a);
    await cache.trim(0);
    expect([a, b].map((cid) => cache.peek(cid) !== null)).toEqual([true, false]);
    expect([await cache.unpin(a), await cache.unpin(a), await cache.remove(a), await cache.remove(a)]).toEqual([true, false, true, false]);
    await cache.clear();
    await cache.close();
  });

  test.each([
    ['a gateway that is none', { gateways: ['ftp://gateway.example'] }],
    ['a folder that is a file', { folder: () => plain(file('no folder', '')) }],
  ])('J1 %s is a failure with a code', async (_, more) => {
    const given = 'folder' in more ? { folder: more.folder() } : more;
    const error = await rejection(open(gateway(), given));
    expect(error).toBeInstanceOf(FinalmileError);
    expect(error.code).toMatch(/^(INVALID_GATEWAY|CACHE_UNAVAILABLE)$/);
  });
});

describe('queue', () => {
  test('J19 J20 J21 over the library\'s own throttle', async () => {
    const queue = createQueue({ concurrency: 2 });
    let inside = 0;
    let most = 0;
    const order: string[] = [];
    const task = (name: string) => async (): Promise<void> => {
      order.push(name);
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 2));
      inside -= 1;
    };
    const stop = new AbortController();
    const all = Array.from({ length: 10 }, (_, n) => queue.add(task(`a${n}`), { caller: 'a' }));
    const gone = rejection(queue.add(task('gone'), { caller: 'b', signal: stop.signal }));
    all.push(queue.add(task('b0'), { caller: 'b' }), queue.add(task('b1'), { caller: 'b', priority: 1 }));
    stop.abort();
    expect(await gone).toMatchObject({ code: 'CANCELLED' });
    await Promise.all(all);
    await queue.onIdle();
    expect(most).toBe(2);
    expect(order).toHaveLength(12);
    expect(order.indexOf('b1')).toBeLessThan(order.indexOf('b0'));
    expect(order.indexOf('b1')).toBeLessThan(order.indexOf('a6'));
  });

  test('J12 a queue that lets nobody in is INVALID_ARGUMENT', () => {
    expect(() => createQueue({ concurrency: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });
});

test('J25 J27 the whole way of an upload, with true ids', async () => {
  const cache = await IpfsCache.open({ gateways: [], folder: outDir() });
  const stored = new Map<string, Buffer>();
  const uploader = createUploader({
    beginUpload: async () => ({ upload_id: 'u1' }),
    uploadToIPFS: async (uri) => {
      const bytes = fs.readFileSync(plain(uri));
      const cid = await cidOfFile(uri);
      stored.set(cid, bytes);
      return cid;
    },
    finalizeUpload: async () => {},
    cache,
    thumbnails: { outDir: outDir() },
  });
  const size = fs.statSync(plain(photo)).size;
  const result = await uploader.upload(photo, 'image', { size });
  expect(stored.size).toBe(3);
  expect(stored.get(result.ipfs_cid)!.length).toBe(size);
  expect(fs.readFileSync(plain(cache.peek(result.thumbnail_cid)!))).toEqual(stored.get(result.thumbnail_cid));
  await cache.close();
});

test('a thousand calls at once all end', async () => {
  const bytes = new TextEncoder().encode('hello world');
  const all = await Promise.all(Array.from({ length: 1000 }, () => cidOfBytes(bytes)));
  expect(new Set(all)).toEqual(new Set([HELLO]));
});
