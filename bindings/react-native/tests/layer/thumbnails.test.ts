import {
  cidOfBytes,
  cidOfFile,
  cidToV0,
  canonicalCid,
  generatePlaceholder,
  generateThumbnailSet,
  paintPlaceholder,
  type ThumbnailOptions,
} from '../../src/index';
import { mock } from '../../src/mock';
import * as fake from '../../src/mock/fake';
import { rejection } from '../support/wait';

beforeEach(() => mock.reset());
afterEach(() => jest.restoreAllMocks());

const outDir = 'file:///caches/small%20ones/';

test('J11 a picture has a thumbnail, a preview and placeholders, and no poster', async () => {
  const set = await generateThumbnailSet('file:///photos/a%20b.jpg', 'image', { outDir });
  expect(set).toMatchObject({
    thumbnail: { width: 300, height: 300, mediaType: 'image/jpeg' },
    preview: { width: 600, height: 450 },
    poster: null,
    partial: false,
    source: { mediaType: 'image/jpeg', width: 4000, height: 3000, durationMs: null },
  });
  expect(set.thumbnail.uri).toBe(`file:///caches/small%20ones/${set.thumbnail.cid}.jpg`);
  expect(set.thumbhash).toBeInstanceOf(Uint8Array);
  expect(await cidOfFile(set.thumbnail.uri)).toBe(set.thumbnail.cid);
});

test('J11 the poster of a video is its frame', async () => {
  const set = await generateThumbnailSet('/a.mp4', 'video', { outDir, atMs: 0 });
  expect(set.poster).toEqual(set.preview);
  expect(set.source).toMatchObject({ mediaType: 'video/mp4', durationMs: 1000 });
});

test('what is said crosses, and what is not has its default', async () => {
  const asked = jest.spyOn(fake, 'generateThumbnailSet');
  await generateThumbnailSet('/a.mp4', 'video', {
    outDir, thumbnailSide: 100, previewSide: 200, fit: 'contain', quality: 50, atMs: 1500, timeoutMs: 1000,
  });
  await generateThumbnailSet('/a.jpg', 'image', { outDir });
  expect(asked.mock.calls.map(([request]) => request)).toEqual([
    {
      path: '/a.mp4', kind: 1, outDir: '/caches/small ones', thumbnailSidePx: 100, previewSidePx: 200, fit: 1,
      quality: 50, atMs: 1500, timeoutMs: 1000,
    },
    {
      path: '/a.jpg', kind: 0, outDir: '/caches/small ones', thumbnailSidePx: 300, previewSidePx: 600, fit: 0,
      quality: 80, atMs: undefined, timeoutMs: 30_000,
    },
  ]);
});

test.each<[string, ThumbnailOptions]>([
  ['a side of 0', { thumbnailSide: 0 }],
  ['half a pixel', { previewSide: 0.5 }],
  ['a side of 65,536, which would cross as 0', { thumbnailSide: 65_536 }],
  ['no number', { previewSide: Number.NaN }],
  ['a quality of 101', { quality: 101 }],
  ['a moment before the beginning', { atMs: -1 }],
  ['no time at all', { timeoutMs: 0 }],
  ['another fit', { fit: 'stretch' as never }],
])('J12 %s is INVALID_ARGUMENT, and the library is not asked', async (_, options) => {
  const error = await rejection(generateThumbnailSet('/a.jpg', 'image', { outDir, ...options }));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', retryable: false });
  expect(mock.calls).toEqual([]);
});

test('J12 another kind of file is INVALID_ARGUMENT', async () => {
  expect(await rejection(generateThumbnailSet('/a.mp3', 'audio' as never, { outDir }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(await rejection(generatePlaceholder('/a.mp3', 'audio' as never))).toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('J11 what the library says of a file is told', async () => {
  mock.fail('generateThumbnailSet', { code: 'NOT_AN_IMAGE', reason: 'This is no picture' });
  const error = await rejection(generateThumbnailSet('/a.txt', 'image', { outDir }));
  expect(error).toMatchObject({ code: 'NOT_AN_IMAGE', message: 'This is no picture' });
});

test('progress is heard', async () => {
  const heard: number[] = [];
  await generateThumbnailSet('/a.jpg', 'image', { outDir, onProgress: (share) => heard.push(share) });
  expect(heard).toEqual([0.5, 1]);
});

test('J4 a listener that throws disturbs nothing', async () => {
  const written = jest.spyOn(console, 'error').mockImplementation(() => {});
  const onProgress = (): void => { throw new Error('boom'); };
  expect((await generateThumbnailSet('/a.jpg', 'image', { outDir, onProgress })).thumbnail.width).toBe(300);
  expect(written).toHaveBeenCalledTimes(2);
});

test('J2 nothing is heard after an abort', async () => {
  const stop = new AbortController();
  const heard: number[] = [];
  const onProgress = (share: number): void => { heard.push(share); stop.abort(); };
  await generateThumbnailSet('/a.jpg', 'image', { outDir, onProgress, signal: stop.signal }).catch(() => {});
  expect(heard).toEqual([0.5]);
});

test('a placeholder alone, and painted', async () => {
  const made = await generatePlaceholder('/a.jpg', 'image');
  expect(made).toMatchObject({ width: 4000, height: 3000, partial: false });
  expect(made.blurhash).toHaveLength(28);
  expect(paintPlaceholder(made.thumbhash)).toMatch(/^data:image\/png;base64,/);
  expect(() => paintPlaceholder(new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  expect(() => paintPlaceholder('text' as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

test('the mock\'s ids are true ones', async () => {
  const hello = await cidOfBytes(new TextEncoder().encode('hello world'));
  expect(hello).toBe('bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e');
  expect(canonicalCid(hello.toUpperCase())).toBe(hello);
  expect(cidToV0(hello)).toBeNull();
  const v0 = 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG';
  expect(cidToV0(canonicalCid(v0))).toBe(v0);
  expect(canonicalCid(v0)).toBe('bafybeie5nqv6kd3qnfjupgvz34woh3oksc3iau6abmyajn7qvtf6d2ho34');
});
