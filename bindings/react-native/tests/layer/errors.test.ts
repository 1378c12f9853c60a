import { asFinalmileError, FinalmileError, isPassing } from '../../src/errors';
import { canonicalCid, cidOfBytes, cidOfFile, cidToV0, generateThumbnailSet } from '../../src/index';
import { mock } from '../../src/mock';
import { failed } from '../../src/mock/control';
import { rejection } from '../support/wait';

beforeEach(() => mock.reset());

test('J1 a failure of the library is an error with its code, its sentence and whether to retry', async () => {
  mock.fail('cidOfBytes', { code: 'BUSY', reason: 'Too much is going on', retryable: true });
  const error = await rejection(cidOfBytes(new Uint8Array(1)));
  expect(error).toBeInstanceOf(FinalmileError);
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ code: 'BUSY', message: 'Too much is going on', retryable: true, name: 'FinalmileError' });
});

test('J1 what answers at once throws the same', () => {
  expect(() => canonicalCid('no id')).toThrow(expect.objectContaining({ code: 'INVALID_CID' }));
  expect(() => cidToV0('')).toThrow(FinalmileError);
  expect(() => canonicalCid(null as never)).toThrow(expect.objectContaining({ code: 'INVALID_CID' }));
});

test('J1 a mistake in an argument is INVALID_ARGUMENT', async () => {
  expect(await rejection(cidOfBytes('text' as never))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(await rejection(cidOfBytes(new Uint8Array(65_537)))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(await rejection(cidOfFile('/a', { profile: 'unixfs-v2' as never }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(mock.calls).toEqual([]);
});

test.each([
  ['nothing', undefined],
  ['a text', 'boom'],
  ['an error', new Error('boom')],
  ['an odd object', { inner: { code: 7 } }],
])('J1 %s that is thrown is an error with a code', (_, thrown) => {
  expect(asFinalmileError(thrown)).toMatchObject({ code: 'INTERNAL_ERROR', retryable: false });
  expect(asFinalmileError(thrown, 'BEGIN_FAILED')).toMatchObject({ code: 'BEGIN_FAILED' });
});

test('J1 a service that answers { error, code } is taken at its word', () => {
  const error = asFinalmileError({ error: 'Storage limit reached', code: 'STORAGE_LIMIT_REACHED', status: 403 });
  expect(error).toMatchObject({ code: 'STORAGE_LIMIT_REACHED', message: 'Storage limit reached', retryable: false });
});

test('J2 a call that was given up before it began is CANCELLED, and does nothing', async () => {
  const stop = new AbortController();
  stop.abort();
  const error = await rejection(generateThumbnailSet('/a.jpg', 'image', { signal: stop.signal, outDir: '/out' }));
  expect(error).toMatchObject({ code: 'CANCELLED', name: 'AbortError' });
  expect(error).toBeInstanceOf(FinalmileError);
  expect(mock.calls).toEqual([]);
});

test('J2 a call that is given up while it runs is CANCELLED', async () => {
  const release = mock.hold();
  const stop = new AbortController();
  const set = rejection(generateThumbnailSet('/a.jpg', 'image', { signal: stop.signal, outDir: '/out' }));
  stop.abort();
  expect(await set).toMatchObject({ code: 'CANCELLED', name: 'AbortError' });
  release();
});

test('J3 JSON holds a sentence and a code, and nothing else', () => {
  const cause = { token: 'secret', path: '/private' };
  const error = new FinalmileError('DISK_FULL', 'The disk is full', { cause, retryable: true });
  expect(JSON.parse(JSON.stringify({ failure: error }))).toEqual({
    failure: { error: 'The disk is full', code: 'DISK_FULL' },
  });
  expect(JSON.stringify(asFinalmileError(failed('A_CODE', 'A sentence')))).toBe('{"error":"A sentence","code":"A_CODE"}');
  expect(Object.keys(error)).not.toContain('cause');
});

test('what may pass is known by what was thrown', () => {
  expect(isPassing({ retryable: true })).toBe(true);
  expect([408, 425, 429, 500, 503].every((status) => isPassing({ status }))).toBe(true);
  expect([400, 401, 403, 404, 409].some((statusCode) => isPassing({ statusCode }))).toBe(false);
  expect(isPassing(new TypeError('Network request failed'))).toBe(true);
  expect(isPassing(new TypeError('x is not a function'))).toBe(false);
});
