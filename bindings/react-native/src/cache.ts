/**
 * The verified cache: content by its id, as a file whose every byte was checked.
 *
 * # Promises
 *
 * - **J14** However many ask for one content at once, it is fetched once; who gives up leaves the others theirs.
 * - **J15** `peek` answers at once, throws never, and answers `null` after `close`.
 * - **J16** After `close` every call rejects with `CLOSED`, a second `close` does nothing, and the app's
 *   comings and goings are not listened to any more.
 * - **J17** In the background the cache is suspended: it has written down what it knows and holds no lock. Calls
 *   made when the app is in front again wait until it is awake; one made meanwhile is `SUSPENDED`, which is
 *   retryable.
 * - **J18** A memory warning costs no file: prefetches that wait and painted placeholders are let go, and what
 *   is on the disk stays, since it is not what the system is short of.
 */
import { withLocalFile } from './borrow';
import { call, listener, unlessAborted } from './call';
import { asFinalmileError, FinalmileError, invalidArgument, whole } from './errors';
import { cacheFolder } from './folders';
import { watchApp } from './lifecycle';
import * as native from './native';
import { expoNetwork, lend, type Network } from './network';
import { forgetPainted } from './painted';
import { pathOf, uriOf } from './uri';

/** What a file is for. Media never push thumbnails below their share of the cache. */
export type ContentKind = 'thumbnail' | 'media';

/** Where content is asked for: an address, and the token of a dedicated Pinata gateway. */
export type Gateway = string | { url: string; token?: string };

/** How a cache is opened. */
export interface CacheOptions {
  /** `https`, or `http` on this device; asked in this order until more is known of them. None: offline. */
  gateways: Gateway[];
  /** Its folder, as URI or path. Default: one in the app's caches, with expo-file-system. */
  folder?: string;
  /** What it may hold, in mebibytes. Default: 256. */
  limitMib?: number;
  /** How long a file is kept, in seconds. Default: until its room is needed. */
  ttlS?: number;
  /** How long one request may take, in seconds. Default: 60. */
  timeoutS?: number;
  /** How files are fetched. Default: expo-file-system. */
  network?: Network;
}

/** How content is asked for. */
export interface FetchOptions {
  /** Gives it up; whoever else waits for it still gets it. */
  signal?: AbortSignal;
  /** What for. Default: `media`. */
  kind?: ContentKind;
  /** Hears a share from 0 to 1, at most ten times a second, where the gateway tells the size. */
  onProgress?: (share: number) => void;
}

/** A file whose every byte was checked. */
export interface CachedFile {
  /** Where it lies. */
  uri: string;
  /** Its own id, where a path led to it. */
  cid: string;
  /** Bytes. */
  size: number;
  /** `cache`, `put`, or by which way it came: `raw`, `car`, `skeleton`, `reimport`. */
  source: string;
  /** Whether the cache keeps it; one that is too large to be kept is there until a few others like it came. */
  kept: boolean;
}

/** What a cache holds, and what became of it since it was opened. */
export type CacheStats = native.CacheStats;

/** A folder of checked files, and the gateways that bring what it lacks. */
export class IpfsCache {
  private closed = false;
  private asleep = false;
  /** Whether it sleeps because the app went away. */
  private away = false;
  /** Suspends and resumes, in the order in which they were asked for. */
  private changes: Promise<void> | undefined;
  private sleepers: (() => void)[] = [];
  private readonly unwatch: () => void;

  private constructor(private readonly inner: native.IpfsCacheLike) {
    this.unwatch = watchApp({
      left: () => {
        this.away = true;
        void this.suspend().catch(() => {});
      },
      came: () => {
        if (this.away) {
          this.away = false;
          void this.resume().catch(() => {});
        }
      },
      shortOfMemory: () => {
        forgetPainted();
        // A feed of nothing: what was queued for another place is forgotten.
        void this.prefetchNext(0, [], () => null).catch(() => {});
      },
    });
  }

  /**
   * Opens a cache.
   *
   * @throws `CACHE_UNAVAILABLE`, `INVALID_GATEWAY`, `INVALID_ARGUMENT`, `NETWORK_MISSING`, `FILE_SYSTEM_MISSING`.
   */
  static async open(options: CacheOptions): Promise<IpfsCache> {
    if (!Array.isArray(options?.gateways)) {
      throw invalidArgument('`gateways` is a list');
    }
    const settings = native.CacheSettings.create({
      folder: options.folder === undefined ? cacheFolder('ipfs', 'pass `folder`') : pathOf(options.folder),
      gateways: options.gateways.map((gateway) =>
        native.GatewaySettings.create(typeof gateway === 'string' ? { url: gateway } : gateway),
      ),
      limitMib: whole(options.limitMib ?? 256, 1, 1 << 20, 'A limit'),
      ttlS: options.ttlS === undefined ? undefined : whole(options.ttlS, 1, 4_294_967_295, 'A time'),
      timeoutS: whole(options.timeoutS ?? 60, 1, 86_400, 'A time'),
    });
    const network = options.network ?? (options.gateways.length > 0 ? expoNetwork() : nobody);
    const inner = await call(undefined, () => native.openCache(settings, lend(network)));
    return new IpfsCache(inner);
  }

  /**
   * The URI of a content's file, from the cache, or fetched into it.
   *
   * @throws `INVALID_CID`, `OFFLINE`, `CONTENT_UNAVAILABLE` and what else the library says; `CANCELLED`,
   * `SUSPENDED`, `CLOSED`.
   */
  async getCachedOrFetch(cid: string, options: FetchOptions = {}): Promise<string> {
    return (await this.get(cid, options)).uri;
  }

  /** The same, with all that is known of the file. */
  async get(cid: string, options: FetchOptions = {}): Promise<CachedFile> {
    const { signal, kind, onProgress } = options;
    const request = requestOf(cid, kind);
    const told = listener(onProgress, signal);
    return fileOf(await this.ask(signal, (o) => this.inner.getCachedOrFetch(request, told, o)));
  }

  /** Where a content lies, if it is there: one look at the disk, so that a first render can ask (**J15**). */
  peek(cid: string): string | null {
    if (this.closed || typeof cid !== 'string') {
      return null;
    }
    try {
      const path = this.inner.peek(requestOf(cid));
      return path === undefined ? null : uriOf(path);
    } catch {
      return null;
    }
  }

  /** Fetches ahead, when nobody waits for another. Answers before it is there; `null` is passed over. */
  async prefetch(cids: readonly (string | null | undefined)[], kind?: ContentKind): Promise<void> {
    const requests = cids.filter((cid) => typeof cid === 'string').map((cid) => requestOf(cid, kind));
    await this.ask(undefined, () => this.inner.prefetch(requests));
  }

  /**
   * Fetches ahead the thumbnails of the `count` items that follow `items[index]`, and forgets what was queued
   * for another place. Without another `count` it is three; an item without a content id is passed over.
   */
  async prefetchNext<Item>(
    index: number,
    items: readonly Item[],
    cidOf: (item: Item) => string | null | undefined,
    count = 3,
  ): Promise<void> {
    const next = items.slice(Math.max(0, index + 1));
    const cids: string[] = [];
    for (const item of next) {
      const cid = cidOf(item);
      if (cids.length >= count) {
        break;
      }
      if (typeof cid === 'string' && cid !== '') {
        cids.push(cid);
      }
    }
    if (cids.length > 3) {
      return this.prefetch(cids, 'thumbnail');
    }
    // The library passes over `feed[at]`, the item that is shown.
    await this.ask(undefined, () => this.inner.prefetchNext(['', ...cids], 0));
  }

  /**
   * Keeps a copy of a file under its id, which it answers: what was just uploaded need not be fetched.
   *
   * @throws `FILE_UNREADABLE`, `DISK_FULL`, `CACHE_FULL`, `SUSPENDED`, `CLOSED`, and those of foreign URIs.
   */
  async put(uri: string, kind?: ContentKind): Promise<string> {
    const kept = kindOf(kind);
    return withLocalFile(uri, undefined, async (path) => {
      return (await this.ask(undefined, () => this.inner.put(path, kept))).cid;
    });
  }

  /** Keeps a content for offline use; if it is not there, as soon as it comes. Throws `INVALID_CID`, … */
  async pin(cid: string): Promise<void> {
    await this.ask(undefined, () => this.inner.pin(String(cid)));
  }

  /** Lets go of a pin; `false` when there was none. */
  async unpin(cid: string): Promise<boolean> {
    return this.ask(undefined, () => this.inner.unpin(String(cid)));
  }

  /** Removes a content; `false` when it was not there. */
  async remove(cid: string): Promise<boolean> {
    return this.ask(undefined, () => this.inner.remove(String(cid)));
  }

  /** Evicts until at most so many mebibytes are kept. What is pinned stays. */
  async trim(toMib: number): Promise<void> {
    const most = whole(toMib, 0, 1 << 20, 'A limit');
    await this.ask(undefined, () => this.inner.trim(most));
  }

  /** Removes everything, pinned or not. */
  async clear(): Promise<void> {
    await this.ask(undefined, () => this.inner.clear());
  }

  /** What it holds. */
  async stats(): Promise<CacheStats> {
    return this.ask(undefined, () => this.inner.stats());
  }

  /** Writes down what is known and lets go of every lock. Done by itself when the app goes to the background. */
  async suspend(): Promise<void> {
    return this.change(() => {
      this.asleep = true;
      return this.inner.suspend();
    });
  }

  /** Ends a `suspend`. Done by itself when the app comes back, unless the app had suspended it before. */
  async resume(): Promise<void> {
    return this.change(async () => {
      await this.inner.resume();
      this.asleep = false;
      this.wakeAll();
    });
  }

  /** Resolves when it is not suspended. Rejects with `CLOSED`, and with `CANCELLED`. */
  async whenAwake(signal?: AbortSignal): Promise<void> {
    for (this.mustBeOpen(); this.asleep; this.mustBeOpen()) {
      await unlessAborted(new Promise<void>((resolve) => this.sleepers.push(resolve)), signal);
    }
  }

  /** Closes it for good (**J16**). */
  async close(): Promise<void> {
    if (this.closed) {
      return;
    }
    this.closed = true;
    this.unwatch();
    this.wakeAll();
    await this.changes?.catch(() => {});
    try {
      await call(undefined, () => this.inner.close());
    } finally {
      // Hermes collects what JavaScript holds, not what that holds in turn.
      (this.inner as Partial<native.IpfsCache>).uniffiDestroy?.();
    }
  }

  /** Asks the library once the cache is awake. */
  private async ask<T>(
    signal: AbortSignal | undefined,
    start: (options: { signal: AbortSignal } | undefined) => Promise<T>,
  ): Promise<T> {
    await this.changes?.catch(() => {});
    this.mustBeOpen();
    try {
      return await call(signal, start);
    } catch (thrown) {
      const error = asFinalmileError(thrown);
      throw error.code === 'CLOSED' && this.asleep && !this.closed ? suspended() : error;
    }
  }

  private async change(act: () => Promise<void>): Promise<void> {
    this.mustBeOpen();
    const before = this.changes;
    const change = (async () => {
      await before?.catch(() => {});
      await call(undefined, act);
    })();
    this.changes = change;
    try {
      await change;
    } finally {
      if (this.changes === change) {
        this.changes = undefined;
      }
    }
  }

  private wakeAll(): void {
    this.sleepers.splice(0).forEach((wake) => wake());
  }

  private mustBeOpen(): void {
    if (this.closed) {
      throw new FinalmileError('CLOSED', 'The cache is closed');
    }
  }
}

/** The network of a cache without gateways. */
const nobody: Network = {
  download: () => Promise.reject(new FinalmileError('OFFLINE', 'There is no gateway')),
};

function suspended(): FinalmileError {
  return new FinalmileError('SUSPENDED', 'The app is in the background', { retryable: true });
}

function requestOf(cid: string, kind?: ContentKind): native.ContentRequest {
  return native.ContentRequest.create({ content: String(cid), kind: kindOf(kind) });
}

function kindOf(kind: ContentKind | undefined): native.ContentKind | undefined {
  switch (kind) {
    case undefined:
      return undefined;
    case 'thumbnail':
      return native.ContentKind.Thumbnail;
    case 'media':
      return native.ContentKind.Media;
    default:
      throw invalidArgument('Content is a `thumbnail` or `media`');
  }
}

function fileOf(file: native.CachedFile): CachedFile {
  const { cid, source, kept } = file;
  return { uri: uriOf(file.path), cid, size: file.sizeBytes, source, kept };
}
