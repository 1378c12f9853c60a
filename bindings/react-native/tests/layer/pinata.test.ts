import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { createUploader, pinataUploader, setUploadToIPFS, uploadToIPFS } from '../../src/index';
import { mock } from '../../src/mock';
import { NodeXhr } from '../support/xhr';
import { rejection, settled } from '../support/wait';

const CONTENT = 'a picture\r\n--with odd bytes\u0000';
const FILE = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'finalmile-pinata-')), 'a b.jpg');
const URI = `file://${FILE.replace(' ', '%20')}`;

/** What the service was sent, and what it answers. */
const service = {
  requests: [] as { headers: http.IncomingHttpHeaders; fields: Record<string, string>; file: string; disposition: string }[],
  answer: (_: number): { status?: number; body?: string; headers?: Record<string, string>; hang?: boolean } => ({}),
};
let server: http.Server;
let endpoint: string;

beforeAll(async () => {
  fs.writeFileSync(FILE, CONTENT);
  const FormData = jest.requireActual<{ default: unknown }>('react-native/Libraries/Network/FormData').default;
  Object.assign(globalThis, { XMLHttpRequest: NodeXhr, FormData });
  server = http.createServer((request, answer) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      service.requests.push(parsed(request.headers, Buffer.concat(parts)));
      const said = service.answer(service.requests.length);
      if (said.hang !== true) {
        answer.writeHead(said.status ?? 200, said.headers ?? {});
        answer.end(said.body ?? JSON.stringify({ data: { id: '1', cid: mock.cid(CONTENT) } }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3/files`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  mock.reset();
  mock.files.set(FILE, new TextEncoder().encode(CONTENT));
  service.requests.length = 0;
  service.answer = () => ({});
});

function parsed(headers: http.IncomingHttpHeaders, body: Buffer) {
  const boundary = `--${/boundary=(.*)$/.exec(headers['content-type'] ?? '')?.[1]}`;
  const fields: Record<string, string> = {};
  let file = '';
  let disposition = '';
  for (const part of body.toString().split(`${boundary}\r\n`).slice(1)) {
    const [head = '', ...rest] = part.split('\r\n\r\n');
    const value = rest.join('\r\n\r\n').replace(new RegExp(`\\r\\n(${boundary}--\\r\\n)?$`), '');
    const name = /name="([^"]*)"/.exec(head)?.[1] ?? '';
    if (name === 'file') {
      file = value;
      disposition = head;
    } else {
      fields[name] = value;
    }
  }
  return { headers, fields, file, disposition };
}

const token = jest.fn(async () => 'a-secret-token');
const uploader = (more: object = {}) => pinataUploader({ token, endpoint, ...more });

test('J29 sends the file, the profile and a fresh token', async () => {
  token.mockClear();
  const options = { groupId: 'g1', keyvalues: { app: 'mine' }, network: 'private' as const };
  const cid = mock.cid(CONTENT);
  expect(await uploader(options)(URI, { name: 'a.jpg', mediaType: 'image/jpeg' })).toBe(cid);
  const [request] = service.requests;
  expect(request).toMatchObject({
    headers: { authorization: 'Bearer a-secret-token' },
    file: CONTENT,
    fields: {
      cid_version: 'unixfs-v1-2025',
      network: 'private',
      name: 'a.jpg',
      group_id: 'g1',
      keyvalues: '{"app":"mine"}',
    },
  });
  expect(request!.disposition).toContain('filename="a.jpg"');
  expect(request!.disposition).toContain('image/jpeg');
  await uploader()(URI);
  expect(token).toHaveBeenCalledTimes(2);
  expect(service.requests[1]!.fields).toEqual({ cid_version: 'unixfs-v1-2025', network: 'public', name: cid });
});

test('J25 another id than the file\'s is CID_MISMATCH', async () => {
  service.answer = () => ({ body: JSON.stringify({ data: { cid: mock.cid('another') } }) });
  expect(await rejection(uploader()(URI))).toMatchObject({ code: 'CID_MISMATCH' });
});

test.each([
  [401, 'UPLOAD_UNAUTHORIZED', false],
  [403, 'UPLOAD_UNAUTHORIZED', false],
  [400, 'UPLOAD_REJECTED', false],
  [413, 'UPLOAD_REJECTED', false],
  [302, 'UPLOAD_REJECTED', false],
  [408, 'UPLOAD_UNAVAILABLE', true],
  [429, 'RATE_LIMITED', true],
  [500, 'UPLOAD_UNAVAILABLE', true],
  [503, 'UPLOAD_UNAVAILABLE', true],
])('J30 an answer of %i is %s', async (status, code, retryable) => {
  service.answer = () => ({ status, body: 'a page with a-secret-token', headers: { 'retry-after': '3' } });
  const error = await rejection(uploader()(URI));
  expect(error).toMatchObject({ code, retryable });
  expect(error.retryAfterMs).toBe(status === 429 || status >= 500 || status === 408 ? 3000 : undefined);
  expect(JSON.stringify([error, error.message, error.stack])).not.toContain('a-secret-token');
});

test.each(['', '<html>', '{}', '{"data":{}}', 'null'])('J30 an answer of %j is UPLOAD_ANSWER_INVALID', async (body) => {
  service.answer = () => ({ body });
  expect(await rejection(uploader()(URI))).toMatchObject({ code: 'UPLOAD_ANSWER_INVALID', retryable: true });
});

test('J30 no answer, a late one and an abort have their codes', async () => {
  const nobody = uploader({ endpoint: 'http://127.0.0.1:9' });
  expect(await rejection(nobody(URI))).toMatchObject({ code: 'UPLOAD_UNAVAILABLE', retryable: true });
  service.answer = () => ({ hang: true });
  expect(await rejection(uploader({ timeoutMs: 50 })(URI))).toMatchObject({ code: 'UPLOAD_TIMEOUT', retryable: true });
  const stop = new AbortController();
  const gone = rejection(uploader()(URI, { signal: stop.signal }));
  while (service.requests.length < 2) {
    await settled();
  }
  stop.abort();
  expect(await gone).toMatchObject({ code: 'CANCELLED', name: 'AbortError' });
  expect(await rejection(uploader()(URI, { signal: stop.signal }))).toMatchObject({ code: 'CANCELLED' });
});

test.each([
  ['throws', () => { throw new Error('a-secret-token'); }, true],
  ['rejects', () => Promise.reject(new Error('a-secret-token')), true],
  ['answers nothing', async () => '', false],
])('J29 a token callback that %s is UPLOAD_UNAUTHORIZED, and nothing is sent', async (_, odd, retryable) => {
  const error = await rejection(uploader({ token: odd })(URI));
  expect(error).toMatchObject({ code: 'UPLOAD_UNAUTHORIZED', retryable });
  expect(JSON.stringify(error)).not.toContain('a-secret-token');
  expect(service.requests).toEqual([]);
});

test('progress is heard', async () => {
  const heard: number[] = [];
  await uploader()(URI, { onProgress: (share) => heard.push(share) });
  expect(heard).toEqual([0.5, 1]);
});

test('a URI alone does, once it was said what uploads', async () => {
  expect(await rejection(uploadToIPFS(URI))).toMatchObject({ code: 'UPLOADER_MISSING' });
  setUploadToIPFS(uploader());
  expect(await uploadToIPFS(URI)).toBe(mock.cid(CONTENT));
});

test('J24 as the step of an uploader: a service that has a moment\'s problem gets the file once more', async () => {
  const small = jest.fn(async (_: string, { expectedCid }: { expectedCid: string }) => expectedCid);
  const toPinata = uploader();
  service.answer = (nth) => (nth === 1 ? { status: 503 } : {});
  const { upload } = createUploader({
    beginUpload: async () => ({ upload_id: 'u1' }),
    uploadToIPFS: (uri, context) => (context.part === 'full' ? toPinata(uri, context) : small(uri, context)),
    finalizeUpload: async () => {},
    thumbnails: { outDir: '/out' },
    retry: { firstMs: 1 },
  });
  const result = await upload(URI, 'image', { size: CONTENT.length });
  expect(result.ipfs_cid).toBe(mock.cid(CONTENT));
  expect(service.requests).toHaveLength(2);
  expect(small).toHaveBeenCalledTimes(2);
});
