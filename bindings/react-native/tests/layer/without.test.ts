/** An app without any of the optional packages. */
import { cidOfFile, createUploader, expoNetwork, generateThumbnailSet, IpfsCache, systemDecoder } from '../../src/index';
import { mock } from '../../src/mock';
import { rejection } from '../support/wait';

beforeEach(() => mock.reset());

test('a foreign file says what to install', async () => {
  const error = await rejection(cidOfFile('content://media/1'));
  expect(error).toMatchObject({ code: 'FILE_SYSTEM_MISSING' });
  expect(error.message).toContain('npx expo install expo-file-system');
});

test('a set without a folder, and a cache without one, say what to do', async () => {
  expect((await rejection(generateThumbnailSet('/a.jpg', 'image'))).message).toContain('`outDir`');
  const open = IpfsCache.open({ gateways: [] });
  expect(await rejection(open)).toMatchObject({ code: 'FILE_SYSTEM_MISSING', message: expect.stringContaining('`folder`') });
});

test('a cache with gateways and without networking is NETWORK_MISSING; with its own it opens', async () => {
  const gateways = ['https://gateway.example'];
  expect(await rejection(IpfsCache.open({ gateways, folder: '/ipfs' }))).toMatchObject({ code: 'NETWORK_MISSING' });
  expect(() => expoNetwork()).toThrow(expect.objectContaining({ code: 'NETWORK_MISSING' }));
  const network = { download: async () => ({ status: 200, headers: {} }) };
  await (await IpfsCache.open({ gateways, folder: '/ipfs', network })).close();
  await (await IpfsCache.open({ gateways: [], folder: '/ipfs' })).close();
});

test('J10 the default decoder declines pictures and frames', async () => {
  const request = { uri: 'file:///a.heic', mediaType: 'image/heic', wantedSide: 600, signal: new AbortController().signal };
  expect(await systemDecoder({ ...request, atMs: null })).toBeNull();
  expect(await systemDecoder({ ...request, atMs: 0 })).toBeNull();
});

test('an upload without a size is SIZE_UNKNOWN', async () => {
  const steps = { beginUpload: jest.fn(), uploadToIPFS: jest.fn(), finalizeUpload: jest.fn() };
  const uploader = createUploader({ ...steps, thumbnails: { outDir: '/out' } });
  expect(await rejection(uploader.upload('/a.jpg', 'image'))).toMatchObject({ code: 'SIZE_UNKNOWN' });
  expect(steps.beginUpload).not.toHaveBeenCalled();
});
