/** What an app's own tests look like, with the mocks of the package as it is published. */
import { act } from 'react';
import { Image } from 'react-native';
import {
  createQueue,
  FinalmileError,
  FinalmileProvider,
  generateThumbnailSet,
  IpfsCache,
  IpfsImage,
} from 'react-native-finalmile';
import { mock } from 'react-native-finalmile/jest';
import * as raw from 'react-native-finalmile/raw';
import { create, type ReactTestRenderer } from 'react-test-renderer';

(globalThis as Record<string, unknown>)['IS_REACT_ACT_ENVIRONMENT'] = true;
beforeEach(() => mock.reset());

test('a picked picture gives small pictures', async () => {
  const set = await generateThumbnailSet('file:///picked.jpg', 'image', { outDir: '/out' });
  expect(set.thumbnail.width).toBe(300);
  expect(mock.calls).toEqual(['generateThumbnailSet']);
});

test('a failure can be played', async () => {
  mock.fail('generateThumbnailSet', { code: 'NOT_AN_IMAGE' });
  const failed = generateThumbnailSet('file:///picked.txt', 'image', { outDir: '/out' });
  await expect(failed).rejects.toBeInstanceOf(FinalmileError);
  await expect(generateThumbnailSet('file:///picked.jpg', 'image', { outDir: '/out' })).resolves.toBeDefined();
});

test('a feed shows its pictures, and what it shows meanwhile', async () => {
  const network = { download: async () => ({ status: 200, headers: {} }) };
  const cache = await IpfsCache.open({ gateways: ['https://gateway.example'], folder: '/ipfs', network });
  const cid = mock.cid('a picture');
  const release = mock.hold();
  let tree!: ReactTestRenderer;
  await act(async () => {
    tree = create(
      <FinalmileProvider cache={cache}>
        <IpfsImage cid={cid} />
      </FinalmileProvider>,
    );
  });
  expect(tree.root.findAllByType(Image)).toHaveLength(0);
  await act(async () => {
    release();
    await new Promise((resolve) => setTimeout(resolve, 10));
  });
  expect(tree.root.findByType(Image).props.source).toEqual({ uri: `file:///ipfs/${cid}` });
  expect(mock.fetches).toBe(1);
  await act(async () => tree.unmount());
});

test('a queue runs', async () => {
  await expect(createQueue({ concurrency: 2 }).addAll([() => 1, () => 2])).resolves.toEqual([1, 2]);
});

test('the raw module is the fake too', async () => {
  await expect(raw.cidOfBytes(new TextEncoder().encode('hello world'))).resolves.toMatch(/^bafkrei/);
});
