/** The fake's cache: a map, and gateways that have everything. */
import type * as native from '../native';
import { canonical, cidOf } from './cid';
import { called, contentOf, failed, failIfTold, mock } from './control';

type Options = { signal: AbortSignal };

interface Kept {
  readonly path: string;
  readonly bytes: number;
}

/** An {@link native.IpfsCacheLike} in memory. */
export class FakeCache implements native.IpfsCacheLike {
  private readonly kept = new Map<string, Kept>();
  private readonly pinned = new Set<string>();
  private readonly flights = new Map<string, Promise<void>>();
  private state: 'open' | 'suspended' | 'closed' = 'open';
  private hits = 0;
  private misses = 0;
  private evictions = 0;

  constructor(private readonly settings: native.CacheSettings) {}

  async getCachedOrFetch(
    request: native.ContentRequest,
    progress?: native.ProgressListener,
    options?: Options,
  ): Promise<native.CachedFile> {
    const cid = this.cidIn(request.content);
    await called('getCachedOrFetch', options?.signal);
    const found = this.kept.get(cid);
    if (found !== undefined) {
      this.hits += 1;
      return file(cid, found, 'cache');
    }
    this.mustBeOpen();
    this.misses += 1;
    await this.fetch(cid);
    progress?.told(1);
    return file(cid, this.kept.get(cid)!, 'raw');
  }

  peek(request: native.ContentRequest): string | undefined {
    const cid = canonical(request.content);
    return cid === undefined ? undefined : this.kept.get(cid)?.path;
  }

  async put(path: string, _kind?: native.ContentKind, options?: Options): Promise<native.CachedFile> {
    await called('put', options?.signal);
    this.mustBeOpen();
    const cid = cidOf(contentOf(path));
    return file(cid, this.keep(cid, contentOf(path)), 'put');
  }

  async prefetch(requests: native.ContentRequest[]): Promise<void> {
    await called('prefetch', undefined);
    this.ahead(requests.map(({ content }) => content));
  }

  async prefetchNext(feed: string[], at: number): Promise<void> {
    await called('prefetchNext', undefined);
    this.ahead(feed.slice(at + 1).filter((content) => canonical(content) !== undefined).slice(0, 3));
  }

  async pin(cid: string): Promise<void> {
    await called('pin', undefined);
    this.mustBeOpen();
    this.pinned.add(this.cidIn(cid));
  }

  async unpin(cid: string): Promise<boolean> {
    await called('unpin', undefined);
    this.mustBeOpen();
    return this.pinned.delete(this.cidIn(cid));
  }

  async remove(cid: string): Promise<boolean> {
    await called('remove', undefined);
    this.mustBeOpen();
    return this.kept.delete(this.cidIn(cid));
  }

  async trim(toMib: number): Promise<void> {
    await called('trim', undefined);
    this.mustBeOpen();
    for (const cid of [...this.kept.keys()]) {
      if (this.bytes() > toMib * 1_048_576 && !this.pinned.has(cid)) {
        this.kept.delete(cid);
        this.evictions += 1;
      }
    }
  }

  async clear(): Promise<void> {
    await called('clear', undefined);
    this.mustBeOpen();
    this.kept.clear();
    this.pinned.clear();
  }

  async stats(): Promise<native.CacheStats> {
    await called('stats', undefined);
    this.mustBeOpen();
    const { hits, misses, evictions } = this;
    const pinnedBytes = this.bytes((cid) => this.pinned.has(cid));
    return { entries: this.kept.size, bytes: this.bytes(), pinnedBytes, hits, misses, evictions };
  }

  async suspend(): Promise<void> {
    change('suspend');
    this.state = this.state === 'open' ? 'suspended' : this.state;
  }

  async resume(): Promise<void> {
    change('resume');
    if (this.state === 'closed') {
      this.mustBeOpen();
    }
    this.state = 'open';
  }

  async close(): Promise<void> {
    change('close');
    this.state = 'closed';
  }

  private ahead(contents: string[]): void {
    this.mustBeOpen();
    for (const content of contents) {
      const cid = canonical(content);
      if (cid !== undefined && !this.kept.has(cid)) {
        void this.fetch(cid).catch(() => {});
      }
    }
  }

  /** One flight for all who wait, as the library has it. */
  private async fetch(cid: string): Promise<void> {
    const flight =
      this.flights.get(cid) ??
      (async () => {
        await Promise.resolve();
        if (mock.offline || this.settings.gateways.length === 0) {
          throw failed('OFFLINE', 'There is no connection', true);
        }
        mock.fetches += 1;
        if (mock.unavailable.has(cid)) {
          throw failed('CONTENT_UNAVAILABLE', 'This cannot be had right now', true);
        }
        this.keep(cid, new TextEncoder().encode(cid));
      })().finally(() => this.flights.delete(cid));
    this.flights.set(cid, flight);
    return flight;
  }

  private keep(cid: string, content: Uint8Array): Kept {
    const path = `${this.settings.folder}/${cid}`;
    mock.files.set(path, content);
    const kept = { path, bytes: content.length };
    this.kept.set(cid, kept);
    return kept;
  }

  private bytes(which: (cid: string) => boolean = () => true): number {
    return [...this.kept].reduce((sum, [cid, { bytes }]) => sum + (which(cid) ? bytes : 0), 0);
  }

  private cidIn(content: string): string {
    const cid = canonical(content.split('/', 1)[0] ?? '');
    if (cid === undefined) {
      throw failed('INVALID_CID', 'This is no content id');
    }
    return cid;
  }

  private mustBeOpen(): void {
    if (this.state !== 'open') {
      throw failed('CLOSED', 'The cache is closed');
    }
  }
}

/** A coming or going, which waits for nothing. */
function change(name: string): void {
  mock.calls.push(name);
  failIfTold(name);
}

function file(cid: string, { path, bytes }: Kept, source: string): native.CachedFile {
  return { cid, path, sizeBytes: bytes, source, kept: true };
}
