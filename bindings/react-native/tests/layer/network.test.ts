import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

import { expoNetwork, fetchNetwork, type Network, type NetworkRequest } from '../../src/index';
import { fetchToFile, lend } from '../../src/network';
import { disk } from '../support/fileSystem';
import { rejection, settled } from '../support/wait';

jest.mock('expo-file-system/legacy', () => require('../support/fileSystem') as object, { virtual: true });

const TOKEN = { name: 'x-pinata-gateway-token', value: 'a secret/+?' };

interface Seen {
  host: string;
  url: string;
  headers: http.IncomingHttpHeaders;
}

const seen: Seen[] = [];
const servers: http.Server[] = [];
let gateway = '';
let stranger = '';

async function listening(answer: http.RequestListener): Promise<string> {
  const server = http.createServer((request, response) => {
    seen.push({ host: request.headers.host ?? '', url: request.url ?? '', headers: request.headers });
    answer(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  stranger = await listening((_, answer) => answer.end('content'));
  gateway = await listening((request, answer) => {
    if (request.url?.startsWith('/moved')) {
      answer.writeHead(302, { location: `${stranger}/elsewhere` }).end();
    } else if (request.url?.startsWith('/none')) {
      answer.writeHead(404, { 'retry-after': '7' }).end('no such content');
    } else {
      answer.end('content');
    }
  });
});
afterAll(() => servers.forEach((server) => server.close()));
beforeEach(() => {
  seen.length = 0;
  disk.hang = false;
});

const path = (): string => `${disk.root}/answer-${Math.random()}`;
const asked = (url: string, headers = [TOKEN], timeoutMs = 5000) => ({ url, headers, destination: path(), timeoutMs });

test('J7 the token goes into the query of the gateway, and no redirect carries it on', async () => {
  const answer = await lend(expoNetwork()).download(asked(`${gateway}/moved/bafk?format=raw`));
  expect(answer.status).toBe(200);
  expect(seen.map(({ url }) => url)).toEqual([
    `/moved/bafk?format=raw&pinataGatewayToken=${encodeURIComponent(TOKEN.value)}`,
    '/elsewhere',
  ]);
  expect(JSON.stringify(seen[0]!.headers)).not.toContain(TOKEN.value);
  expect(JSON.stringify(seen[1])).not.toContain(encodeURIComponent(TOKEN.value));
});

test.each([
  ['https://g.example/ipfs/a', 'https://g.example/ipfs/a?pinataGatewayToken=t%26'],
  ['https://g.example/ipfs/a?x=1#y', 'https://g.example/ipfs/a?x=1&pinataGatewayToken=t%26#y'],
])('J7 the query of %s is kept', async (url, expected) => {
  const download = jest.fn(async (_: NetworkRequest) => ({ status: 200, headers: {} }));
  await lend({ download }).download(asked(url, [{ name: 'X-Pinata-Gateway-Token', value: 't&' }]));
  expect(download.mock.calls[0]![0]).toMatchObject({ url: expected, headers: { 'Accept-Encoding': 'identity' } });
});

test('J7 a networking that stops at redirects is given the header', async () => {
  const download = jest.fn(async (_: NetworkRequest) => ({ status: 302, headers: { Location: 'https://b.example' } }));
  const network: Network = { stopsAtRedirects: true, download };
  const answer = await lend(network).download(asked('https://g.example/a'));
  expect(download.mock.calls[0]![0]).toMatchObject({
    url: 'https://g.example/a',
    headers: { 'x-pinata-gateway-token': TOKEN.value },
  });
  expect(answer).toEqual({ status: 302, headers: [{ name: 'Location', value: 'https://b.example' }] });
});

test('an answer that is no 2xx is an answer, with its headers and its body', async () => {
  const request = asked(`${gateway}/none`, []);
  const answer = await lend(expoNetwork()).download(request);
  expect(answer.status).toBe(404);
  expect(answer.headers).toContainEqual({ name: 'retry-after', value: '7' });
  expect(fs.readFileSync(request.destination, 'utf8')).toBe('no such content');
});

test('J1 J7 whatever a networking throws, the library is told that no answer came, and no address', async () => {
  const network: Network = { download: () => Promise.reject(new Error(`cannot reach https://g/?t=${TOKEN.value}`)) };
  const error = await rejection(lend(network).download(asked('https://g.example/a')));
  expect(error).toMatchObject({ tag: 'Failed', inner: { reason: 'there was no answer' } });
  const thrown = await rejection(lend({ download: null as never }).download(asked('https://g.example/a')));
  expect(thrown).toMatchObject({ tag: 'Failed' });
});

test('J8 a download that takes too long is stopped, and says so', async () => {
  disk.hang = true;
  const before = disk.cancelled;
  const late = fetchToFile(`${gateway}/a`, {}, path(), 30, undefined);
  expect(await rejection(late)).toMatchObject({ code: 'TIMEOUT', retryable: true });
  await settled();
  expect(disk.cancelled).toBe(before + 1);
});

test('J8 a download that nobody waits for is stopped', async () => {
  disk.hang = true;
  const before = disk.cancelled;
  const stop = new AbortController();
  const gone = rejection(lend(expoNetwork()).download(asked(`${gateway}/a`), { signal: stop.signal }));
  await settled();
  stop.abort();
  expect(await gone).toMatchObject({ tag: 'Failed' });
  expect(disk.cancelled).toBe(before + 1);
});

describe('fetch', () => {
  const written = new Map<string, string>();
  const network = (): Network =>
    fetchNetwork({ writeFile: async (to, bytes) => void written.set(to, Buffer.from(bytes).toString()) });

  test('J7 writes the body to the file, and the token reaches no other host', async () => {
    const request = asked(`${gateway}/moved/a`);
    const answer = await lend(network()).download(request);
    expect(answer.status).toBe(200);
    expect(written.get(request.destination)).toBe('content');
    expect(seen[1]).toMatchObject({ url: '/elsewhere' });
    expect(JSON.stringify(seen[1])).not.toContain('secret');
  });

  test('J8 ends in time although it does not listen', async () => {
    const deaf = fetchNetwork({ writeFile: async () => {}, fetch: () => new Promise(() => {}) });
    const signal = new AbortController().signal;
    const late = deaf.download({ url: 'https://g.example', headers: {}, path: '/x', timeoutMs: 20, signal });
    expect(await rejection(late)).toMatchObject({ code: 'TIMEOUT' });
  });
});
