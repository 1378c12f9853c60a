import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

import { withLocalFile } from '../../src/borrow';
import { cidOfFile } from '../../src/index';
import { mock } from '../../src/mock';
import { disk } from '../support/fileSystem';
import { rejection, settled } from '../support/wait';

jest.mock('expo-file-system/legacy', () => require('../support/fileSystem') as object, { virtual: true });

const PHOTO = 'ph://ED7AC36B/L0/001';

beforeEach(() => {
  mock.reset();
  disk.foreign.clear();
  disk.gate = undefined;
  disk.hang = false;
});

test('J6 a photo of the library is copied, used and removed', async () => {
  disk.foreign.set(PHOTO, 'the photo');
  const seen = await withLocalFile(PHOTO, undefined, async (path) => fs.readFileSync(path, 'utf8'));
  expect(seen).toBe('the photo');
  expect(disk.files()).toEqual([]);
});

test('J6 the copy is removed when what used it fails', async () => {
  disk.foreign.set('content://media/1', 'the photo');
  const use = rejection(withLocalFile('content://media/1', undefined, () => Promise.reject(new Error('no'))));
  expect((await use).message).toBe('no');
  expect(disk.files()).toEqual([]);
});

test('J6 an abort while it is copied rejects at once, and the copy is removed when it is there', async () => {
  disk.foreign.set(PHOTO, 'the photo');
  let go = (): void => {};
  disk.gate = new Promise((resolve) => (go = resolve));
  const stop = new AbortController();
  const use = rejection(cidOfFile(PHOTO, { signal: stop.signal }));
  await settled();
  stop.abort();
  expect(await use).toMatchObject({ code: 'CANCELLED', name: 'AbortError' });
  go();
  await settled();
  expect(disk.files()).toEqual([]);
  expect(mock.calls).toEqual([]);
});

test('J6 what cannot be copied is FILE_UNREADABLE', async () => {
  const error = await rejection(cidOfFile('content://media/2'));
  expect(error).toMatchObject({ code: 'FILE_UNREADABLE', retryable: false });
  expect(error.message).not.toContain('content://');
  expect(disk.files()).toEqual([]);
});

test('J6 a file of the app is used where it lies, and stays', async () => {
  const path = `${disk.root}/mine.txt`;
  fs.writeFileSync(path, 'mine');
  expect(await withLocalFile(`file://${path}`, undefined, async (used) => used)).toBe(path);
  expect(fs.existsSync(path)).toBe(true);
  fs.rmSync(path);
});

describe('from a server', () => {
  let server: http.Server;
  let address: string;
  beforeAll(async () => {
    server = http.createServer((request, answer) => {
      answer.statusCode = request.url === '/a.jpg' ? 200 : request.url === '/busy' ? 503 : 404;
      answer.end('from the server');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => server.close());

  test('J6 a file is fetched, used and removed', async () => {
    const seen = await withLocalFile(`${address}/a.jpg`, undefined, async (path) => fs.readFileSync(path, 'utf8'));
    expect(seen).toBe('from the server');
    expect(disk.files()).toEqual([]);
  });

  test('J6 an answer that is not the file is DOWNLOAD_FAILED, retryable if it may pass', async () => {
    expect(await rejection(cidOfFile(`${address}/none`))).toMatchObject({ code: 'DOWNLOAD_FAILED', retryable: false });
    expect(await rejection(cidOfFile(`${address}/busy`))).toMatchObject({ code: 'DOWNLOAD_FAILED', retryable: true });
    expect(disk.files()).toEqual([]);
  });

  test('J6 J8 an abort stops the download', async () => {
    disk.hang = true;
    const before = disk.cancelled;
    const stop = new AbortController();
    const use = rejection(cidOfFile(`${address}/a.jpg`, { signal: stop.signal }));
    await settled();
    stop.abort();
    expect(await use).toMatchObject({ code: 'CANCELLED' });
    await settled();
    expect(disk.cancelled).toBe(before + 1);
    expect(disk.files()).toEqual([]);
  });
});
