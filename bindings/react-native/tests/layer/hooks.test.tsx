import { Activity } from 'react';
import { create, type ReactTestRenderer } from 'react-test-renderer';

import { IpfsCache, useFeedPrefetch, useIpfsCache, useIpfsImage, useThumbnailSet } from '../../src/index';
import { mock } from '../../src/mock';
import { fakeApp } from '../support/app';
import { acted, inside, renderHook } from '../support/render';

const network = { download: async () => ({ status: 200, headers: {} }) };
let cache: IpfsCache;
let app: ReturnType<typeof fakeApp>;

beforeEach(async () => {
  mock.reset();
  app = fakeApp();
  cache = await IpfsCache.open({ gateways: ['https://gateway.example'], folder: '/ipfs', network });
  mock.calls.length = 0;
});
afterEach(() => jest.restoreAllMocks());

interface Asked {
  cid: string | null | undefined;
  fallbackCid?: string | null;
}
const image = (asked: Asked, given: () => IpfsCache | null = () => cache) =>
  renderHook(given, ({ cid, fallbackCid }: Asked) => useIpfsImage(cid, { fallbackCid }), asked);
const gets = (): number => mock.calls.filter((call) => call === 'getCachedOrFetch').length;

describe('useIpfsImage', () => {
  test('J31 what the cache has is in the first render, and nothing is fetched', async () => {
    const cid = await cache.put('/a.jpg');
    const hook = await image({ cid });
    await acted(() => {});
    for (const { status, uri, source } of hook.all) {
      expect([status, uri]).toEqual(['ready', `file:///ipfs/${cid}`]);
      expect(source).toEqual({ uri: `file:///ipfs/${cid}`, cacheKey: cid });
    }
    expect(gets()).toBe(0);
  });

  test('J32 what it lacks is loaded once, StrictMode or not', async () => {
    const cid = mock.cid('one');
    const hook = await image({ cid });
    await acted(() => {});
    expect(hook.all[0]).toMatchObject({ status: 'loading', uri: null, source: null });
    expect(hook.last).toMatchObject({ status: 'ready', uri: `file:///ipfs/${cid}`, progress: 1 });
    expect(gets()).toBe(1);
    // The same object as long as it is the same picture, so that no memo is broken.
    const { source } = hook.last;
    await hook.rerender({ cid });
    expect(hook.last.source).toBe(source);
  });

  test('J14 two components share one fetch', async () => {
    const cid = mock.cid('one');
    const release = mock.hold();
    const [one, two] = [await image({ cid }), await image({ cid })];
    await acted(release);
    expect([one.last.status, two.last.status, mock.fetches]).toEqual(['ready', 'ready', 1]);
  });

  test('J32 when it goes, what it asked for is given up', async () => {
    const asked = jest.spyOn(cache, 'get');
    const release = mock.hold();
    const hook = await image({ cid: mock.cid('one') });
    await acted(() => {});
    const { signal } = asked.mock.calls[0]![1]!;
    expect(signal!.aborted).toBe(false);
    const renders = hook.all.length;
    await hook.unmount();
    expect(signal!.aborted).toBe(true);
    await acted(release);
    expect(hook.all).toHaveLength(renders);
    expect(asked).toHaveBeenCalledTimes(1);
  });

  test('J32 when it asks for another, the first is given up and never shown', async () => {
    const [a, b] = [mock.cid('a'), await cache.put('/b.jpg')];
    const asked = jest.spyOn(cache, 'get');
    const release = mock.hold();
    const hook = await image({ cid: a });
    await acted(() => {});
    const before = hook.all.length;
    await hook.rerender({ cid: b });
    await acted(release);
    expect(asked.mock.calls[0]![1]!.signal!.aborted).toBe(true);
    hook.all.slice(before).forEach(({ uri }) => expect(uri).toBe(`file:///ipfs/${b}`));
    await hook.rerender({ cid: null });
    expect(hook.last).toMatchObject({ status: 'idle', uri: null, source: null });
  });

  test('J32 what is hidden while it loads gives up, and loads when it is shown again', async () => {
    const release = mock.hold();
    const seen: string[] = [];
    function Picture({ cid }: { cid: string }): null {
      seen.push(useIpfsImage(cid).status);
      return null;
    }
    const cid = mock.cid('one');
    const screen = (mode: 'hidden' | 'visible') =>
      inside(cache, <Activity mode={mode}><Picture cid={cid} /></Activity>);
    const asked = jest.spyOn(cache, 'get');
    let tree!: ReactTestRenderer;
    await acted(() => void (tree = create(screen('visible'))));
    await acted(() => tree.update(screen('hidden')));
    await acted(() => {});
    expect(asked.mock.calls.map(([, options]) => options!.signal!.aborted)).toEqual([true]);
    await acted(() => tree.update(screen('visible')));
    await acted(release);
    expect(asked).toHaveBeenCalledTimes(2);
    expect(seen.at(-1)).toBe('ready');
  });

  test('J32 a fling through many ends with the last', async () => {
    const cids = Array.from({ length: 20 }, (_, n) => mock.cid(`${n}`));
    const hook = await image({ cid: cids[0] });
    for (const cid of cids) {
      await hook.rerender({ cid });
    }
    expect(hook.last).toMatchObject({ status: 'ready', uri: `file:///ipfs/${cids[19]}` });
  });

  test('a failure is told, and a retry asks again', async () => {
    const cid = mock.cid('one');
    mock.offline = true;
    const hook = await image({ cid });
    await acted(() => {});
    expect(hook.last).toMatchObject({ status: 'error', uri: null, error: { code: 'OFFLINE', retryable: true } });
    mock.offline = false;
    await acted(() => hook.last.retry());
    expect(hook.last).toMatchObject({ status: 'ready', error: null, uri: `file:///ipfs/${cid}` });
  });

  test('J36 a picture that was on its way when the app went to the background comes when it is back', async () => {
    const release = mock.hold();
    const hook = await image({ cid: mock.cid('one'), fallbackCid: mock.cid('small') });
    await acted(() => app.tell('change', 'background'));
    await acted(release);
    expect(hook.last.status).toBe('loading');
    await acted(() => app.tell('change', 'active'));
    await acted(() => {});
    expect(hook.last).toMatchObject({ status: 'ready', source: { cacheKey: mock.cid('one') } });
    expect(hook.all.map(({ status }) => status)).not.toContain('error');
  });

  test('J36 J32 one that goes while the app is away, or whose cache is closed then, waits for nothing', async () => {
    const release = mock.hold();
    const hook = await image({ cid: mock.cid('one') });
    await acted(() => app.tell('change', 'background'));
    await acted(release);
    await acted(() => void cache.close());
    await acted(() => {});
    expect(hook.last).toMatchObject({ status: 'error', error: { code: 'CLOSED' } });
    await hook.unmount();
  });

  test('the fallback is shown where the content cannot be had; its own failure is not told', async () => {
    const [gone, small] = [mock.cid('gone'), mock.cid('small')];
    mock.unavailable.add(gone);
    const hook = await image({ cid: gone, fallbackCid: small });
    await acted(() => {});
    expect(hook.last).toMatchObject({ status: 'ready', source: { cacheKey: small } });
    const other = await image({ cid: gone, fallbackCid: 'no id' });
    await acted(() => {});
    expect(other.last).toMatchObject({ status: 'error', error: { code: 'CONTENT_UNAVAILABLE' } });
  });

  test('the fallback stands in where there is no content', async () => {
    const small = mock.cid('small');
    const hook = await image({ cid: null, fallbackCid: small });
    await acted(() => {});
    expect(hook.last).toMatchObject({ status: 'ready', source: { cacheKey: small } });
  });

  test.each(['no id', 'bafy', '../../etc/passwd'])('%s is an error and no crash', async (cid) => {
    const hook = await image({ cid });
    await acted(() => {});
    expect(hook.last).toMatchObject({ status: 'error', error: { code: 'INVALID_CID' } });
  });

  test('while the cache is being opened it loads, and goes on with it', async () => {
    let now: IpfsCache | null = null;
    const cid = mock.cid('one');
    const hook = await image({ cid }, () => now);
    await acted(() => {});
    expect(hook.last.status).toBe('loading');
    now = cache;
    await hook.rerender({ cid });
    await acted(() => {});
    expect(hook.last.status).toBe('ready');
  });

  test('after the cache was closed it is an error', async () => {
    await cache.close();
    const hook = await image({ cid: mock.cid('one') });
    await acted(() => {});
    expect(hook.last).toMatchObject({ status: 'error', error: { code: 'CLOSED' } });
  });
});

describe('useThumbnailSet', () => {
  const sets = (): number => mock.calls.filter((call) => call === 'generateThumbnailSet').length;
  const set = (uri: string | null) =>
    renderHook(() => null, (asked: string | null) => useThumbnailSet(asked, 'image', { outDir: '/out', quality: 70 }), uri);

  test('J32 a set is made once, StrictMode or not, and anew for another file', async () => {
    const hook = await set('/a.jpg');
    await acted(() => {});
    expect(hook.last).toMatchObject({ status: 'ready', progress: 1, set: { thumbnail: { width: 300 } } });
    expect(sets()).toBe(1);
    await hook.rerender('/b.jpg');
    expect(sets()).toBe(2);
    await hook.rerender(null);
    expect(hook.last).toMatchObject({ status: 'idle', set: null });
  });

  test('J32 when it goes, the work is given up', async () => {
    mock.hold();
    const hook = await set('/a.jpg');
    await acted(() => {});
    await hook.unmount();
    expect(sets()).toBe(1);
  });

  test('a failure is told, and a retry makes it anew', async () => {
    mock.fail('generateThumbnailSet', { code: 'NOT_AN_IMAGE' });
    const hook = await set('/a.txt');
    await acted(() => {});
    expect(hook.last).toMatchObject({ status: 'error', error: { code: 'NOT_AN_IMAGE' } });
    await acted(() => hook.last.retry());
    expect(hook.last).toMatchObject({ status: 'ready', error: null });
    expect(sets()).toBe(2);
  });
});

describe('useFeedPrefetch', () => {
  const feed = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, thumb: mock.cid(name) }));

  test('what follows the last item that is seen is fetched ahead', async () => {
    const hook = await renderHook(() => cache, (items: typeof feed) => useFeedPrefetch(items, (item) => item.thumb), feed);
    await acted(() => hook.last.onViewableItemsChanged({ viewableItems: [{ index: 1 }, { index: 0 }, { index: null }] }));
    expect(feed.map(({ thumb }) => cache.peek(thumb) !== null)).toEqual([false, false, true, true, true]);
    mock.calls.length = 0;
    await acted(() => hook.last.onViewableItemsChanged({ viewableItems: [] }));
    expect(mock.calls).toEqual([]);
  });

  test('its props are the same objects, and see the items of the last render', async () => {
    const hook = await renderHook(() => cache, (items: typeof feed) => useFeedPrefetch(items, (item) => item.thumb, 1), [] as typeof feed);
    const first = hook.last;
    await hook.rerender(feed);
    expect(hook.last).toBe(first);
    expect(hook.last.onViewableItemsChanged).toBe(first.onViewableItemsChanged);
    await acted(() => first.onViewableItemsChanged({ viewableItems: [{ index: 0 }] }));
    expect(feed.map(({ thumb }) => cache.peek(thumb) !== null)).toEqual([false, true, false, false, false]);
  });

  test('J15 a closed cache, and one that is being opened, disturb no list', async () => {
    const hook = await renderHook(() => null, () => useFeedPrefetch(feed, (item) => item.thumb), 0);
    await acted(() => hook.last.onViewableItemsChanged({ viewableItems: [{ index: 0 }] }));
    await cache.close();
    const other = await renderHook(() => cache, () => useFeedPrefetch(feed, () => { throw new Error('boom'); }), 0);
    await acted(() => other.last.onViewableItemsChanged({ viewableItems: [{ index: 0 }] }));
  });
});

test('J1 a hook outside of the provider is PROVIDER_MISSING', async () => {
  const written = jest.spyOn(console, 'error').mockImplementation(() => {});
  function Lost(): null {
    useIpfsCache();
    return null;
  }
  await expect(acted(() => void create(<Lost />))).rejects.toMatchObject({ code: 'PROVIDER_MISSING' });
  written.mockRestore();
});
