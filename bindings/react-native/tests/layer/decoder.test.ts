import fs from 'node:fs';

import { lendDecoder, systemDecoder, type DecodeRequest } from '../../src/decoder';
import { generateThumbnailSet } from '../../src/index';
import { mock } from '../../src/mock';
import * as fake from '../../src/mock/fake';
import { pictures, videos } from '../support/expoPictures';
import { disk } from '../support/fileSystem';
import { rejection } from '../support/wait';

jest.mock('expo-file-system/legacy', () => require('../support/fileSystem') as object, { virtual: true });
jest.mock('expo-image-manipulator', () => require('../support/expoPictures') as object, { virtual: true });
jest.mock('expo-video', () => require('../support/expoPictures') as object, { virtual: true });

const signal = new AbortController().signal;
const picture: DecodeRequest = { uri: 'file:///a.heic', mediaType: 'image/heic', atMs: null, wantedSide: 1200, signal };
const frame: DecodeRequest = { uri: 'file:///a.mov', mediaType: 'video/quicktime', atMs: 1500, wantedSide: 600, signal };

beforeEach(() => {
  mock.reset();
  disk.clear();
  Object.assign(pictures, { resized: [], manipulated: [], released: 0, fail: false, size: { width: 4000, height: 3000 } });
  Object.assign(videos, { asked: [], players: 0, released: 0, frames: [], status: 'readyToPlay', becomes: 'readyToPlay' });
});

test('a picture is made as small as it may be, by its longer side', async () => {
  expect(await systemDecoder(picture)).toMatch(/^file:\/\/.*\.jpg$/);
  pictures.size = { width: 3000, height: 4000 };
  await systemDecoder(picture);
  pictures.size = { width: 800, height: 600 };
  await systemDecoder(picture);
  expect(pictures.resized).toEqual([{ width: 1200 }, { height: 1200 }]);
  // Each whole picture and each small one.
  expect(pictures.released).toBe(5);
});

test('a frame is asked for at its moment, and the player is let go', async () => {
  videos.frames = [['a frame']];
  expect(await systemDecoder(frame)).toMatch(/\.jpg$/);
  expect(videos.asked).toEqual([{ times: [1.5], options: { maxWidth: 600, maxHeight: 600 } }]);
  expect(pictures.manipulated).toEqual(['a frame']);
  expect([videos.players, videos.released]).toEqual([1, 1]);
});

test('a player that has not looked at its video yet is waited for', async () => {
  Object.assign(videos, { status: 'loading', frames: [[], ['a frame']] });
  expect(await systemDecoder(frame)).toMatch(/\.jpg$/);
  expect(videos.asked).toHaveLength(2);
});

test('J10 a video that cannot be played is declined, and the player is let go', async () => {
  Object.assign(videos, { status: 'loading', becomes: 'error' });
  expect(await systemDecoder(frame)).toBeNull();
  Object.assign(videos, { status: 'error' });
  expect(await systemDecoder(frame)).toBeNull();
  expect(videos.released).toBe(2);
});

test('J9 what the default decoder made is removed when the call has ended, well or not', async () => {
  for (const code of ['NOT_AN_IMAGE', 'CANCELLED']) {
    let meanwhile: string[] = [];
    let path: string | undefined;
    const asked = jest.spyOn(fake, 'generateThumbnailSet').mockImplementationOnce(async (request, decoder) => {
      path = await decoder!.decode({ path: request.path, mediaType: 'image/heic', wantedSidePx: 1200 } as never);
      meanwhile = disk.files();
      throw Object.assign(new Error(), { inner: { code } });
    });
    expect(await rejection(generateThumbnailSet('/a.heic', 'image'))).toMatchObject({ code });
    expect(meanwhile).toHaveLength(1);
    expect(path).toMatch(/^\/.*\.jpg$/);
    expect(disk.files()).toEqual([]);
    asked.mockRestore();
  }
});

test('J9 a file of the app\'s own decoder stays', async () => {
  const mine = `${disk.root}/mine b.jpg`;
  fs.writeFileSync(mine, 'a jpeg');
  const given = jest.fn(async (_: DecodeRequest) => `file://${mine.replace(' ', '%20')}`);
  const { decoder, tidy } = lendDecoder(given);
  const asked = { path: '/a b.heic', mediaType: 'image/heic', atMs: undefined, wantedSidePx: 600 };
  expect(await decoder.decode(asked as never)).toBe(mine);
  expect(given.mock.calls[0]![0]).toMatchObject({ uri: 'file:///a%20b.heic', atMs: null, wantedSide: 600 });
  await tidy();
  expect(disk.files()).toEqual(['mine b.jpg']);
});

test('J4 what a decoder throws, or answers oddly, is told to the library as a failure', async () => {
  const asked = { path: '/a', mediaType: 'image/heic', wantedSidePx: 600 } as never;
  for (const odd of [
    () => { throw new Error('boom'); },
    () => Promise.reject('boom'),
    async () => 'content://not-mine',
    async () => 7 as never,
  ]) {
    expect(await rejection(lendDecoder(odd as never).decoder.decode(asked))).toMatchObject({ tag: 'Failed' });
  }
  expect(await lendDecoder(async () => null).decoder.decode(asked)).toBeUndefined();
});

test('J9 a picture that cannot be written leaves no bitmap behind', async () => {
  pictures.fail = true;
  await rejection(systemDecoder(picture));
  expect(pictures.released).toBe(2);
});
