import { act, type ReactElement } from 'react';
import { Image, Text, View } from 'react-native';
import { create, type ReactTestInstance, type ReactTestRenderer } from 'react-test-renderer';

import { IpfsCache, IpfsImage, type IpfsImageProps } from '../../src/index';
import { mock } from '../../src/mock';
import { fakeApp } from '../support/app';
import { acted, inside } from '../support/render';

const network = { download: async () => ({ status: 200, headers: {} }) };
const THUMBHASH = new Uint8Array(20);
let cache: IpfsCache;
let tree: ReactTestRenderer;

beforeEach(async () => {
  mock.reset();
  fakeApp();
  cache = await IpfsCache.open({ gateways: ['https://gateway.example'], folder: '/ipfs', network });
});
afterEach(() => jest.restoreAllMocks());

const element = (props: IpfsImageProps): ReactElement => inside(cache, <IpfsImage thumbhash={THUMBHASH} {...props} />);

async function shown(props: IpfsImageProps): Promise<void> {
  await act(async () => {
    tree = create(element(props));
  });
}
const images = (): ReactTestInstance[] => tree.root.findAllByType(Image);
const uris = (): string[] => images().map(({ props }) => (props.source as { uri: string }).uri.slice(0, 14));
const frame = (): ReactTestInstance => tree.root.findAllByType(View)[0]!;

test('J33 a picture that the cache has is in the first render, above its placeholder until it is drawn', async () => {
  const cid = await cache.put('/a.jpg');
  const onLoad = jest.fn();
  await shown({ cid, onLoad });
  expect(uris()).toEqual(['data:image/png', 'file:///ipfs/b']);
  await acted(() => images()[1]!.props.onLoad());
  expect(uris()).toEqual(['file:///ipfs/b']);
  expect(onLoad).toHaveBeenCalledTimes(1);
});

test('J33 the placeholder is shown while the picture comes, and when it does not', async () => {
  const release = mock.hold();
  await shown({ cid: mock.cid('one'), fallback: <Text>none</Text> });
  expect(uris()).toEqual(['data:image/png']);
  await acted(release);
  expect(tree.root.findAllByType(Text)).toEqual([]);
  expect(uris()).toEqual(['data:image/png', 'file:///ipfs/b']);
});

test('J33 where there is no picture to be had, the placeholder and the fallback are shown, and it is told once', async () => {
  mock.offline = true;
  const onError = jest.fn();
  await shown({ cid: mock.cid('one'), fallback: <Text>none</Text>, onError });
  await acted(() => {});
  expect(uris()).toEqual(['data:image/png']);
  expect(tree.root.findByType(Text).props.children).toBe('none');
  // StrictMode runs effects twice at the first mounting only.
  expect(onError.mock.calls.map(([error]) => error.code)).toEqual(['OFFLINE']);
});

test('J34 a picture whose file went is fetched once more; then it is an error', async () => {
  const cid = mock.cid('one');
  const onError = jest.fn();
  await cache.get(cid);
  await shown({ cid, onError });
  await cache.remove(cid);
  await acted(() => images()[1]!.props.onError());
  expect(mock.fetches).toBe(2);
  expect(uris()).toEqual(['data:image/png', 'file:///ipfs/b']);
  expect(onError).not.toHaveBeenCalled();
  await acted(() => images()[1]!.props.onError());
  expect(mock.fetches).toBe(2);
  expect(uris()).toEqual(['data:image/png']);
  expect(onError.mock.calls.map(([error]) => error.code)).toEqual(['PICTURE_UNREADABLE']);
  // Another picture is another matter.
  await acted(() => tree.update(element({ cid: mock.cid('two'), onError })));
  await acted(() => {});
  expect(uris()).toEqual(['data:image/png', 'file:///ipfs/b']);
});

test('J35 with a label it is one image, busy until it is there', async () => {
  const release = mock.hold();
  await shown({ cid: mock.cid('one'), accessibilityLabel: 'A dog' });
  expect(frame().props).toMatchObject({
    accessible: true,
    accessibilityRole: 'image',
    accessibilityLabel: 'A dog',
    accessibilityState: { busy: true },
  });
  await acted(release);
  expect(frame().props.accessibilityState).toEqual({ busy: false });
  images().forEach(({ props }) => expect(props.accessible).toBe(false));
});

test('J35 without a label it is decoration', async () => {
  await shown({ cid: mock.cid('one') });
  expect(frame().props.accessible).toBe(false);
  expect(frame().props.accessibilityRole).toBeUndefined();
  await acted(() => {});
});

test('an odd placeholder is none, and no id shows the placeholder alone', async () => {
  await shown({ cid: null, thumbhash: 'no base64!' });
  expect(uris()).toEqual([]);
  await acted(() => tree.update(element({ cid: undefined, thumbhash: '1QcSHQRnh493V4dIh4eXh1h4kJUI' })));
  expect(uris()).toEqual(['data:image/png']);
});
