import { createQueue, createUploader, FinalmileError, IpfsCache, type UploaderOptions, type UploadProgress } from '../../src/index';
import { mock } from '../../src/mock';
import { newKey } from '../../src/uploadJob';
import { rejection, settled } from '../support/wait';

const FILE = 'file:///photos/a%20b.jpg';
const busy = (): FinalmileError => new FinalmileError('BUSY', 'Later', { retryable: true });

beforeEach(() => mock.reset());

/** Steps of a service that works, and what is said to it. */
function service(changes: Partial<UploaderOptions> = {}) {
  const steps = {
    beginUpload: jest.fn(async (_size: number, _: any) => ({ upload_id: 'u1', credits_to_charge: 7 })),
    uploadToIPFS: jest.fn(async (_uri: string, context: any): Promise<string> => context.expectedCid),
    createMediaShare: jest.fn(async (_cids: any, _: any) => ({ id: 'share 1' })),
    finalizeUpload: jest.fn(async (_id: string, _cids: any, _: any): Promise<unknown> => undefined),
  };
  const uploader = createUploader({
    ...steps,
    thumbnails: { outDir: '/out' },
    retry: { firstMs: 1 },
    ...changes,
  });
  return { ...steps, uploader };
}

const upload = { size: 1234 };

test('the whole way: pictures, begin, three uploads, share, finalize', async () => {
  const { uploader, ...steps } = service();
  const result = await uploader.upload(FILE, 'image', upload);
  const cids = {
    ipfs_cid: mock.cid('/photos/a b.jpg'),
    thumbnail_cid: result.set.thumbnail.cid,
    preview_cid: result.set.preview!.cid,
  };
  expect(result).toMatchObject({ ...cids, begun: { upload_id: 'u1', credits_to_charge: 7 }, media_share_id: 'share 1' });
  expect(steps.beginUpload).toHaveBeenCalledWith(1234, expect.objectContaining({ attempt: 1 }));
  expect(steps.uploadToIPFS.mock.calls.map(([uri, { part, mediaType }]) => [uri, part, mediaType]).sort()).toEqual(
    [
      [FILE, 'full', 'image/jpeg'],
      [result.set.thumbnail.uri, 'thumbnail', 'image/jpeg'],
      [result.set.preview!.uri, 'preview', 'image/jpeg'],
    ].sort(),
  );
  const row = { ...cids, media_type: 'image', video_poster_cid: null };
  expect(steps.createMediaShare).toHaveBeenCalledWith(row, expect.objectContaining({ set: result.set }));
  expect(steps.finalizeUpload).toHaveBeenCalledWith('u1', { ...cids, media_share_id: 'share 1' }, expect.anything());
});

test('the three uploads run side by side', async () => {
  let release = (): void => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  const uploadToIPFS = jest.fn(async (_: string, { expectedCid }: any) => { await gate; return expectedCid as string; });
  const { uploader } = service({ uploadToIPFS });
  const done = uploader.upload(FILE, 'video', upload);
  await settled(60);
  expect(uploadToIPFS).toHaveBeenCalledTimes(3);
  release();
  await done;
});

test('a small picture has two uploads', async () => {
  const fake = require('../../src/mock/fake') as typeof import('../../src/mock/fake');
  const real = fake.generateThumbnailSet;
  const small = jest.spyOn(fake, 'generateThumbnailSet').mockImplementation(async (...given) => {
    const { preview: _, ...set } = await real(...given);
    return set as never;
  });
  const { uploader, ...steps } = service();
  const result = await uploader.upload(FILE, 'image', upload);
  expect(steps.uploadToIPFS).toHaveBeenCalledTimes(2);
  expect(result.preview_cid).toBeNull();
  small.mockRestore();
});

test('J23 one key, from the first attempt to the last and over a second run', async () => {
  const { uploader, ...steps } = service();
  steps.beginUpload.mockRejectedValueOnce(busy());
  steps.finalizeUpload.mockRejectedValueOnce(busy()).mockRejectedValueOnce(new FinalmileError('FROZEN', 'No'));
  const job = uploader.prepare(FILE, 'image', upload);
  expect(await rejection(job.run())).toMatchObject({ code: 'FROZEN' });
  await job.run();
  const contexts = [
    ...steps.beginUpload.mock.calls.map((call) => call[1]),
    ...steps.uploadToIPFS.mock.calls.map((call) => call[1]),
    ...steps.createMediaShare.mock.calls.map((call) => call[1]),
    ...steps.finalizeUpload.mock.calls.map((call) => call[2]),
  ];
  expect(contexts).toHaveLength(2 + 3 + 1 + 3);
  expect(new Set(contexts.map(({ idempotencyKey }) => idempotencyKey))).toEqual(new Set([job.idempotencyKey]));
  expect(steps.beginUpload.mock.calls.map((call) => call[1].attempt)).toEqual([1, 2]);
});

test('J23 a key of the app\'s is kept, and two jobs have two keys', () => {
  const { uploader } = service();
  expect(uploader.prepare(FILE, 'image', { ...upload, idempotencyKey: 'mine' }).idempotencyKey).toBe('mine');
  const keys = Array.from({ length: 100 }, () => uploader.prepare(FILE, 'image').idempotencyKey);
  expect(new Set(keys).size).toBe(100);
});

test('J23 without a random source of the system, keys are UUIDs all the same', () => {
  const { crypto } = globalThis;
  Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true });
  const keys = Array.from({ length: 100 }, newKey);
  Object.defineProperty(globalThis, 'crypto', { value: crypto, configurable: true });
  expect(new Set(keys).size).toBe(100);
  keys.forEach((key) => expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/));
});

describe.each(['beginUpload', 'uploadToIPFS', 'createMediaShare', 'finalizeUpload'] as const)('%s', (name) => {
  const codes = {
    beginUpload: 'BEGIN_FAILED',
    uploadToIPFS: 'UPLOAD_FAILED',
    createMediaShare: 'SHARE_FAILED',
    finalizeUpload: 'FINALIZE_FAILED',
  };

  test('J22 fails for a moment, and is tried again', async () => {
    const { uploader, ...steps } = service();
    steps[name].mockRejectedValueOnce(busy()).mockRejectedValueOnce(new TypeError('Network request failed'));
    await uploader.upload(FILE, 'image', upload);
    expect(steps.finalizeUpload.mock.calls.length).toBe(name === 'finalizeUpload' ? 3 : 1);
  });

  test('J22 fails for a moment four times: that is enough', async () => {
    const { uploader, ...steps } = service();
    steps[name].mockRejectedValue(busy());
    expect(await rejection(uploader.upload(FILE, 'image', upload))).toMatchObject({ code: 'BUSY', retryable: true });
    const attempts = steps[name].mock.calls.map((call) => (call.at(-1) as { attempt: number }).attempt);
    expect(Math.max(...attempts)).toBe(4);
  });

  test('J24 J26 fails for good: the job does, with its code, and goes on from there when it runs again', async () => {
    const { uploader, ...steps } = service();
    steps[name].mockRejectedValueOnce(new Error('boom: a secret'));
    const job = uploader.prepare(FILE, 'image', upload);
    const error = await rejection(job.run());
    expect(error).toBeInstanceOf(FinalmileError);
    expect(error).toMatchObject({ code: codes[name], retryable: false });
    expect(JSON.stringify(error)).not.toContain('secret');
    await job.run();
    const calls = Object.values(steps).map((step) => step.mock.calls.length);
    const once = { beginUpload: 1, uploadToIPFS: 3, createMediaShare: 1, finalizeUpload: 1, [name]: 2 };
    once.uploadToIPFS = name === 'uploadToIPFS' ? calls[1]! : 3;
    expect(calls).toEqual(Object.values(once));
    expect(mock.calls.filter((call) => call === 'generateThumbnailSet')).toHaveLength(1);
  });

  test('J2 never answers, and is given up', async () => {
    const { uploader, ...steps } = service();
    steps[name].mockReturnValue(new Promise<never>(() => {}));
    const stop = new AbortController();
    const gone = rejection(uploader.upload(FILE, 'image', { ...upload, signal: stop.signal }));
    await settled(60);
    expect(steps[name]).toHaveBeenCalled();
    stop.abort();
    expect(await gone).toMatchObject({ code: 'CANCELLED', name: 'AbortError' });
    const [context] = steps[name].mock.calls[0]!.slice(-1) as [{ signal: AbortSignal }];
    expect(context.signal.aborted).toBe(true);
  });

  test('answers an error of the service as an object', async () => {
    const { uploader, ...steps } = service();
    steps[name].mockRejectedValueOnce({ error: 'Storage limit reached', code: 'STORAGE_LIMIT_REACHED' });
    const error = await rejection(uploader.upload(FILE, 'image', upload));
    expect(error.toJSON()).toEqual({ error: 'Storage limit reached', code: 'STORAGE_LIMIT_REACHED' });
  });
});

test('J24 an upload that succeeded beside one that failed is not repeated', async () => {
  const { uploader, ...steps } = service();
  let fails = true;
  steps.uploadToIPFS.mockImplementation(async (_, { part, expectedCid }) => {
    if (part === 'full' && fails) {
      await settled();
      throw new Error('boom');
    }
    return expectedCid as string;
  });
  const job = uploader.prepare(FILE, 'image', upload);
  await rejection(job.run());
  fails = false;
  await job.run();
  expect(steps.uploadToIPFS.mock.calls.map(([, { part }]) => part).sort()).toEqual(['full', 'full', 'preview', 'thumbnail']);
});

test('J24 a job that runs is run once, and one that is done says what it said', async () => {
  const { uploader, ...steps } = service();
  const job = uploader.prepare(FILE, 'image', upload);
  expect(steps.beginUpload).not.toHaveBeenCalled();
  const [one, two] = await Promise.all([job.run(), job.run()]);
  expect(two).toBe(one);
  expect(await job.run()).toBe(one);
  expect(steps.finalizeUpload).toHaveBeenCalledTimes(1);
});

test.each([
  ['another id', () => mock.cid('something else')],
  ['no id', () => 'ok'],
  ['nothing', () => undefined as never],
])('J25 a service that answers %s is CID_MISMATCH, and nothing is finalized', async (_, answer) => {
  const { uploader, ...steps } = service();
  steps.uploadToIPFS.mockImplementation(async (_uri, { part, expectedCid }) => part === 'preview' ? answer() : (expectedCid as string));
  expect(await rejection(uploader.upload(FILE, 'image', upload))).toMatchObject({ code: 'CID_MISMATCH', retryable: false });
  expect(steps.uploadToIPFS).toHaveBeenCalledTimes(3);
  expect(steps.createMediaShare).not.toHaveBeenCalled();
  expect(steps.finalizeUpload).not.toHaveBeenCalled();
});

test('J25 another spelling of the right id is right', async () => {
  const { uploader, ...steps } = service();
  steps.uploadToIPFS.mockImplementation(async (_, { expectedCid }) => (expectedCid as string).toUpperCase());
  const result = await uploader.upload(FILE, 'image', upload);
  expect(result.ipfs_cid).toBe(mock.cid('/photos/a b.jpg'));
});

test('a beginning without an id is BEGIN_FAILED', async () => {
  const { uploader, ...steps } = service();
  steps.beginUpload.mockResolvedValue({} as never);
  expect(await rejection(uploader.upload(FILE, 'image', upload))).toMatchObject({ code: 'BEGIN_FAILED' });
  expect(steps.uploadToIPFS).not.toHaveBeenCalled();
});

test('a share without an id is SHARE_FAILED, and nothing is finalized', async () => {
  const { uploader, ...steps } = service();
  steps.createMediaShare.mockResolvedValue(null as never);
  expect(await rejection(uploader.upload(FILE, 'image', upload))).toMatchObject({ code: 'SHARE_FAILED' });
  expect(steps.finalizeUpload).not.toHaveBeenCalled();
});

test('the poster of a video is the preview of its frame', async () => {
  const { uploader, ...steps } = service();
  const result = await uploader.upload(FILE, 'video', upload);
  expect(steps.createMediaShare.mock.calls[0]![0]).toMatchObject({ video_poster_cid: result.preview_cid });
  expect(steps.uploadToIPFS).toHaveBeenCalledTimes(3);
});

test('J26 when one upload fails for good, those beside it are aborted', async () => {
  const { uploader, ...steps } = service();
  const signals: AbortSignal[] = [];
  steps.uploadToIPFS.mockImplementation((_, { part, signal }) => {
    signals.push(signal as AbortSignal);
    return part === 'thumbnail' ? Promise.reject(new Error('boom')) : new Promise(() => {});
  });
  expect(await rejection(uploader.upload(FILE, 'image', upload))).toMatchObject({ code: 'UPLOAD_FAILED' });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
});

test('J26 what the library says of the file is told, and nothing is begun', async () => {
  mock.fail('generateThumbnailSet', { code: 'NOT_AN_IMAGE' });
  const { uploader, ...steps } = service();
  expect(await rejection(uploader.upload(FILE, 'image', upload))).toMatchObject({ code: 'NOT_AN_IMAGE' });
  expect(steps.beginUpload).not.toHaveBeenCalled();
});

describe('with a cache', () => {
  const open = (): Promise<IpfsCache> => IpfsCache.open({ gateways: [], folder: '/ipfs' });

  test('J27 our own upload need not be fetched', async () => {
    const cache = await open();
    const { uploader } = service({ cache });
    const result = await uploader.upload(FILE, 'image', upload);
    for (const cid of [result.ipfs_cid, result.thumbnail_cid, result.preview_cid!]) {
      expect(cache.peek(cid)).toBe(`file:///ipfs/${cid}`);
    }
    await cache.close();
  });

  test('J27 a full cache, and a closed one, fail no upload', async () => {
    const cache = await open();
    const { uploader, ...steps } = service({ cache });
    mock.fail('put', { code: 'CACHE_FULL' });
    await uploader.upload(FILE, 'image', upload);
    await cache.close();
    await uploader.upload(FILE, 'image', upload);
    expect(steps.finalizeUpload).toHaveBeenCalledTimes(2);
  });
});

test('J28 progress never goes back, and ends with 1', async () => {
  const { uploader, ...steps } = service();
  steps.uploadToIPFS.mockImplementationOnce(async (_, { onProgress, expectedCid }) => {
    [0.5, 0.2, 0.9, 7, Number.NaN].forEach(onProgress);
    throw Object.assign(busy(), { expectedCid });
  });
  const told: UploadProgress[] = [];
  await uploader.upload(FILE, 'image', { ...upload, onProgress: (progress) => told.push(progress) });
  const shares = told.map(({ share }) => share);
  expect(shares).toEqual([...shares].sort((a, b) => a - b));
  expect(told.at(-1)).toEqual({ phase: 'done', share: 1 });
  expect(new Set(told.map(({ phase }) => phase))).toEqual(new Set(['thumbnails', 'begin', 'upload', 'finalize', 'done']));
});

test('J4 a listener that throws disturbs no upload', async () => {
  const written = jest.spyOn(console, 'error').mockImplementation(() => {});
  const { uploader } = service();
  await uploader.upload(FILE, 'image', { ...upload, onProgress: () => { throw new Error('boom'); } });
  expect(written).toHaveBeenCalled();
  written.mockRestore();
});

test('J22 a service that says how long to wait is waited for; an abort ends the wait', async () => {
  const { uploader, ...steps } = service();
  steps.beginUpload.mockRejectedValueOnce(new FinalmileError('RATE_LIMITED', 'Later', { retryable: true, retryAfterMs: 40 }));
  const begun = Date.now();
  await uploader.upload(FILE, 'image', upload);
  expect(Date.now() - begun).toBeGreaterThanOrEqual(38);
  steps.beginUpload.mockRejectedValueOnce(new FinalmileError('RATE_LIMITED', 'Later', { retryable: true, retryAfterMs: 60_000 }));
  const stop = new AbortController();
  const gone = rejection(uploader.upload(FILE, 'image', { ...upload, signal: stop.signal }));
  await settled(60);
  stop.abort();
  expect(await gone).toMatchObject({ code: 'CANCELLED' });
});

test('J19 jobs take places in a queue', async () => {
  const queue = createQueue({ concurrency: 1 });
  const { uploader, ...steps } = service({ queue });
  let inside = 0;
  steps.beginUpload.mockImplementation(async () => {
    inside += 1;
    expect(queue.pending).toBe(1);
    return { upload_id: `u${inside}`, credits_to_charge: 1 };
  });
  const all = [1, 2, 3].map(() => uploader.upload(FILE, 'image', upload));
  expect((await Promise.all(all)).map(({ begun }) => begun.upload_id)).toEqual(['u1', 'u2', 'u3']);
});
