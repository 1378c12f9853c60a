/** A content as the source of an image. */
import { useMemo } from 'react';

import type { CachedFile, ContentKind, FetchOptions, IpfsCache } from '../cache';
import { FinalmileError } from '../errors';
import { useIpfsCache } from './provider';
import { useTask, type Status } from './useTask';

/** How an image is asked for. */
export interface IpfsImageOptions {
  /** Shown instead when the content cannot be had, or where there is none. */
  fallbackCid?: string | null | undefined;
  /** What for. Default: `thumbnail`. */
  kind?: ContentKind;
}

/** An image on its way. */
export interface IpfsImageState {
  /** Of a checked file, as soon as there is one. */
  uri: string | null;
  /** The same for `<Image source>`; the key is the content's id, so that no gateway's address matters. */
  source: { uri: string; cacheKey: string } | null;
  /** `idle`: no content id was given. */
  status: Status;
  /** From 0 to 1, where the gateway tells the size. */
  progress: number;
  /** Why it could not be had; the failure of the content itself rather than of the fallback. */
  error: FinalmileError | null;
  /** Asks again. */
  retry: () => void;
}

type Shown = Pick<CachedFile, 'uri' | 'cid'>;

/**
 * The file of `cid`: what the cache has is there in the first render, what it lacks is fetched.
 *
 * # Promises
 *
 * - **J36** Going to the background costs no picture: what was on its way then comes when the app is back.
 */
export function useIpfsImage(
  cid: string | null | undefined,
  options: IpfsImageOptions = {},
): IpfsImageState {
  const { fallbackCid, kind = 'thumbnail' } = options;
  const cache = useIpfsCache();
  const [first, second] = [cid, fallbackCid].filter((one) => typeof one === 'string' && one !== '') as string[];
  const task = useTask<Shown>({
    key: first === undefined ? null : JSON.stringify([keyOf(cache), first, second, kind]),
    peek: () => peek(cache, first),
    start: async ({ signal, onProgress }) => {
      if (cache === null || first === undefined) {
        // Another key comes with the cache.
        return new Promise<never>(() => {});
      }
      const options = { signal, kind, onProgress };
      try {
        return await awake(cache, first, options);
      } catch (thrown) {
        if (second === undefined || signal.aborted) {
          throw thrown;
        }
        const shown = peek(cache, second);
        return shown ?? (await awake(cache, second, options).catch(() => Promise.reject(thrown)));
      }
    },
  });
  const { value } = task;
  const source = useMemo(() => (value === null ? null : { uri: value.uri, cacheKey: value.cid }), [value]);
  const { status, progress, error, retry } = task;
  return { uri: value?.uri ?? null, source, status, progress, error, retry };
}

/** A picture that was on its way when the app went to the background is asked for again when it is back. */
async function awake(cache: IpfsCache, cid: string, options: FetchOptions & { signal: AbortSignal }): Promise<Shown> {
  for (;;) {
    try {
      return await cache.get(cid, options);
    } catch (thrown) {
      if (!(thrown instanceof FinalmileError) || thrown.code !== 'SUSPENDED') {
        throw thrown;
      }
      await cache.whenAwake(options.signal);
    }
  }
}

function peek(cache: IpfsCache | null, cid: string | undefined): Shown | null {
  const uri = cid === undefined ? null : (cache?.peek(cid) ?? null);
  return uri === null || cid === undefined ? null : { uri, cid };
}

const keys = new WeakMap<IpfsCache, number>();
let caches = 0;

/** Another cache is another task. */
function keyOf(cache: IpfsCache | null): number {
  if (cache === null) {
    return 0;
  }
  const key = keys.get(cache) ?? (caches += 1);
  keys.set(cache, key);
  return key;
}
