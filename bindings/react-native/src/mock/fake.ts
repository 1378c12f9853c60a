/**
 * A module with the names of the generated one, in memory: what `jest.mock` puts in its place.
 *
 * Everything that `src/` uses is here, and nothing that is only of use to the generated code itself.
 */
import type * as native from '../native';
import { FakeCache } from './cache';
import { canonical, cidOf, toV0 } from './cid';
import { called, contentOf, failed, failIfTold, mock } from './control';

export { mock };

type Options = { signal: AbortSignal };

/** Enumerations cross as numbers, in the order of their names. */
export const MediaKind = { Image: 0, Video: 1 } as const;
export const ThumbnailFit = { Cover: 0, Contain: 1 } as const;
export const ContentKind = { Thumbnail: 0, Media: 1 } as const;
export const ImportProfile = { UnixfsV1: 0, UnixfsV0: 1 } as const;

const record = <T extends object>(defaults: Partial<T>) => ({
  create: (fields: Partial<T>): T => ({ ...defaults, ...fields }) as T,
});

export const ThumbnailRequest = record<native.ThumbnailRequest>({
  thumbnailSidePx: 300,
  previewSidePx: 600,
  quality: 80,
  timeoutMs: 30_000,
});
export const PlaceholderRequest = record<native.PlaceholderRequest>({ timeoutMs: 30_000 });
export const CacheSettings = record<native.CacheSettings>({ limitMib: 256, timeoutS: 60 });
export const GatewaySettings = record<native.GatewaySettings>({});
export const ContentRequest = record<native.ContentRequest>({});
export const ThrottleRequest = record<native.ThrottleRequest>({ caller: '' });

class HostFailed extends Error {
  readonly tag = 'Failed';

  constructor(readonly inner: { reason: string }) {
    super('HostFailure.Failed');
  }
}
export const HostFailure = { Failed: HostFailed };

const SOURCE = { width: 4000, height: 3000 };
const BLURHASH = 'LEHV6nWB2yk8pyo0adR*.7kCMdnj';
const THUMBHASH = [0xd7, 0x08, 0x0d, 0x0d, 0x02, 0x74, 0x88, 0x78, 0x78, 0x77, 0x88, 0x87, 0x80];

/** A picture of 4000 x 3000, whatever the file is. */
export async function generateThumbnailSet(
  request: native.ThumbnailRequest,
  _decoder?: native.PictureDecoder,
  progress?: native.ProgressListener,
  options?: Options,
): Promise<native.ThumbnailSet> {
  await called('generateThumbnailSet', options?.signal);
  progress?.told(0.5);
  progress?.told(1);
  const video = request.kind === (MediaKind.Video as number);
  const { thumbnailSidePx, previewSidePx } = request;
  const contain = request.fit === (ThumbnailFit.Contain as number);
  const low = (side: number): number => Math.round((side * SOURCE.height) / SOURCE.width);
  return {
    thumbnail: picture(request, 'thumbnail', thumbnailSidePx, contain ? low(thumbnailSidePx) : thumbnailSidePx),
    preview: picture(request, 'preview', previewSidePx, low(previewSidePx)),
    blurhash: BLURHASH,
    thumbhash: Uint8Array.from(THUMBHASH),
    partial: false,
    source: {
      mediaType: video ? 'video/mp4' : 'image/jpeg',
      widthPx: SOURCE.width,
      heightPx: SOURCE.height,
      durationMs: video ? 1000 : undefined,
    } as native.SourceInfo,
  };
}

export async function generatePlaceholder(
  _request: native.PlaceholderRequest,
  _decoder?: native.PictureDecoder,
  options?: Options,
): Promise<native.Placeholder> {
  await called('generatePlaceholder', options?.signal);
  return {
    blurhash: BLURHASH,
    thumbhash: Uint8Array.from(THUMBHASH),
    widthPx: SOURCE.width,
    heightPx: SOURCE.height,
    partial: false,
  };
}

/** A picture of one pixel. */
export function paintPlaceholder(thumbhash: Uint8Array): string {
  mock.calls.push('paintPlaceholder');
  failIfTold('paintPlaceholder');
  if (thumbhash.length < 5) {
    throw failed('INVALID_ARGUMENT', 'This is no ThumbHash');
  }
  return (
    'data:image/png;base64,' +
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='
  );
}

export async function cidOfFile(path: string, _profile?: unknown, options?: Options): Promise<string> {
  await called('cidOfFile', options?.signal);
  return cidOf(contentOf(path));
}

export async function cidOfBytes(bytes: Uint8Array, options?: Options): Promise<string> {
  await called('cidOfBytes', options?.signal);
  return cidOf(bytes);
}

export function canonicalCid(cid: string): string {
  const found = canonical(cid);
  if (found === undefined) {
    throw failed('INVALID_CID', 'This is no content id');
  }
  return found;
}

export function cidToV0(cid: string): string | undefined {
  return toV0(canonicalCid(cid));
}

export async function openCache(settings: native.CacheSettings): Promise<native.IpfsCacheLike> {
  await called('openCache', undefined);
  for (const { url } of settings.gateways) {
    if (!/^(https:\/\/|http:\/\/(localhost|127\.0\.0\.1))/.test(url)) {
      throw failed('INVALID_GATEWAY', 'A gateway has an https address');
    }
  }
  return new FakeCache(settings);
}

/** Lets so many in, callers in turns. */
export class UploadThrottle implements native.UploadThrottleLike {
  private readonly lines = new Map<string, (() => void)[]>();
  private within = 0;

  constructor(private readonly atOnce: number) {
    if (atOnce < 1) {
      throw failed('INVALID_ARGUMENT', 'At least one has to get in');
    }
  }

  async enter(request: native.ThrottleRequest, options?: Options): Promise<native.ThrottlePermitLike> {
    const { caller } = request;
    await new Promise<void>((resolve, reject) => {
      const line = this.lines.get(caller) ?? [];
      this.lines.set(caller, [...line, resolve]);
      options?.signal.addEventListener('abort', () => {
        this.lines.set(caller, (this.lines.get(caller) ?? []).filter((other) => other !== resolve));
        reject(Object.assign(new Error('A Rust future was aborted'), { name: 'AbortError' }));
      });
      this.admit();
    });
    let released = false;
    return {
      release: () => {
        if (!released) {
          released = true;
          this.within -= 1;
          this.admit();
        }
      },
    };
  }

  waiting(): number {
    return [...this.lines.values()].reduce((sum, line) => sum + line.length, 0);
  }

  inside(): number {
    return this.within;
  }

  private admit(): void {
    for (const [caller, [first, ...rest]] of [...this.lines]) {
      if (first === undefined) {
        this.lines.delete(caller);
      } else if (this.within < this.atOnce) {
        // Behind all others: the next turn is somebody else's.
        this.lines.delete(caller);
        this.lines.set(caller, rest);
        this.within += 1;
        first();
      }
    }
    if (this.within < this.atOnce && this.waiting() > 0) {
      this.admit();
    }
  }
}

function picture(
  request: native.ThumbnailRequest,
  name: string,
  widthPx: number,
  heightPx: number,
): native.Picture {
  const content = new TextEncoder().encode(`${name} ${widthPx}x${heightPx} of ${request.path}`);
  const cid = cidOf(content);
  const path = `${request.outDir}/${cid}.jpg`;
  mock.files.set(path, content);
  return { path, cid, mediaType: 'image/jpeg', widthPx, heightPx, sizeBytes: content.length };
}
