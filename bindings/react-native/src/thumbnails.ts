/**
 * Small pictures of a picture or a video, made on the device.
 *
 * # Promises
 *
 * - **J11** A call resolves with files that exist, or rejects and leaves none.
 * - **J12** A number that no picture can have (a side of 0, a quality of 101, half a pixel) is refused with
 *   `INVALID_ARGUMENT` before the library is asked: it would cross as another number.
 */
import { borrow } from './borrow';
import { call, callNow, listener } from './call';
import { lendDecoder, type PlatformDecoder } from './decoder';
import { invalidArgument, whole } from './errors';
import { cacheFolder } from './folders';
import * as native from './native';
import { pathOf, uriOf } from './uri';

/** What a file is said to be. */
export type MediaType = 'image' | 'video';

/** How a set is made. */
export interface ThumbnailOptions {
  /** Gives the call up: it rejects within some ten milliseconds, and no file stays. */
  signal?: AbortSignal;
  /** Hears a share from 0 to 1, at most ten times a second. */
  onProgress?: (share: number) => void;
  /** A folder for the files, as URI or path; it is made. Default: one in the app's caches, with expo-file-system. */
  outDir?: string;
  /** The side of the thumbnail's square, in pixels. Default: 300. */
  thumbnailSide?: number;
  /** The side of the square that the preview fits into, in pixels. Default: 600. */
  previewSide?: number;
  /** Whether the thumbnail fills its square or lies within it whole. Default: `cover`. */
  fit?: 'cover' | 'contain';
  /** JPEG quality, 1 to 100. Default: 80. */
  quality?: number;
  /** The moment of a video, in milliseconds. Default: early, but not black. */
  atMs?: number;
  /** How long it may take, in milliseconds, decoder included. Default: 30,000. */
  timeoutMs?: number;
  /** Decodes what the library does not. Default: Expo's packages, where installed. */
  decoder?: PlatformDecoder;
}

/** A small file. */
export interface Picture {
  /** Where it lies. Its name is its content id. */
  uri: string;
  /** Its content id under `unixfs-v1-2025`. */
  cid: string;
  /** Pixels from left to right. */
  width: number;
  /** Pixels from top to bottom. */
  height: number;
  /** Bytes. */
  size: number;
  /** Such as `image/jpeg`. */
  mediaType: string;
}

/** What the source said about itself. */
export interface Source {
  /** Such as `image/heic`. */
  mediaType: string;
  /** Pixels from left to right, once upright. */
  width: number;
  /** Pixels from top to bottom, once upright. */
  height: number;
  /** How long a video is, in milliseconds; `null` for pictures, and where the file does not say. */
  durationMs: number | null;
}

/** The small files of one source. */
export interface ThumbnailSet {
  /** For grids. */
  thumbnail: Picture;
  /** For feeds; `null` when the source is so small that the thumbnail is all of it. */
  preview: Picture | null;
  /** The frame of a video, as large as there is; `null` for pictures. */
  poster: Picture | null;
  /** To be shown meanwhile: 28 characters. */
  blurhash: string;
  /** The same, at most 25 bytes; `paintPlaceholder` shows it. */
  thumbhash: Uint8Array;
  /** Whether the source was cut and its rest filled. */
  partial: boolean;
  /** What was read. */
  source: Source;
}

/**
 * Makes the small pictures of the file at `uri`.
 *
 * @throws what the library says of the file, such as `NOT_AN_IMAGE` and `IMAGE_TRUNCATED`; `DISK_FULL`,
 * `OUTPUT_UNWRITABLE`; `INVALID_ARGUMENT`; `CANCELLED`; and what {@link borrow} throws for foreign URIs.
 */
export async function generateThumbnailSet(
  uri: string,
  mediaType: MediaType,
  options: ThumbnailOptions = {},
): Promise<ThumbnailSet> {
  const { signal, quality = 80, fit = 'cover' } = options;
  const request = {
    kind: kindOf(mediaType),
    outDir:
      options.outDir === undefined
        ? cacheFolder('thumbnails', 'pass `outDir`')
        : pathOf(options.outDir),
    thumbnailSidePx: whole(options.thumbnailSide ?? 300, 1, 65_535, 'A side'),
    previewSidePx: whole(options.previewSide ?? 600, 1, 65_535, 'A side'),
    fit: fits[fit] ?? refuse('A picture is fitted by `cover` or `contain`'),
    quality: whole(quality, 1, 100, 'Quality'),
    atMs: options.atMs === undefined ? undefined : whole(options.atMs, 0, U32, 'A moment'),
    timeoutMs: whole(options.timeoutMs ?? 30_000, 1, U32, 'A time'),
  };
  const lent = await borrow(uri, signal);
  const { decoder, tidy } = lendDecoder(options.decoder);
  try {
    const told = listener(options.onProgress, signal);
    const asked = native.ThumbnailRequest.create({ ...request, path: lent.path });
    const set = await call(signal, (o) => native.generateThumbnailSet(asked, decoder, told, o));
    return setOf(set, mediaType);
  } finally {
    await Promise.all([tidy(), lent.giveBack()]);
  }
}

/** What is shown while a picture comes. */
export interface Placeholder {
  /** 28 characters. */
  blurhash: string;
  /** At most 25 bytes. */
  thumbhash: Uint8Array;
  /** Of the source, in pixels, once upright. */
  width: number;
  height: number;
  /** Whether the source was cut. */
  partial: boolean;
}

/** Only the placeholder, and no file. Throws as {@link generateThumbnailSet} does. */
export async function generatePlaceholder(
  uri: string,
  mediaType: MediaType,
  options: Pick<ThumbnailOptions, 'signal' | 'atMs' | 'timeoutMs' | 'decoder'> = {},
): Promise<Placeholder> {
  const { signal } = options;
  const request = {
    kind: kindOf(mediaType),
    atMs: options.atMs === undefined ? undefined : whole(options.atMs, 0, U32, 'A moment'),
    timeoutMs: whole(options.timeoutMs ?? 30_000, 1, U32, 'A time'),
  };
  const lent = await borrow(uri, signal);
  const { decoder, tidy } = lendDecoder(options.decoder);
  try {
    const asked = native.PlaceholderRequest.create({ ...request, path: lent.path });
    const made = await call(signal, (o) => native.generatePlaceholder(asked, decoder, o));
    return {
      blurhash: made.blurhash,
      thumbhash: made.thumbhash,
      width: made.widthPx,
      height: made.heightPx,
      partial: made.partial,
    };
  } finally {
    await Promise.all([tidy(), lent.giveBack()]);
  }
}

/**
 * A ThumbHash as a `data:image/png` URI, at once.
 *
 * @throws `INVALID_ARGUMENT` for bytes that are none.
 */
export function paintPlaceholder(thumbhash: Uint8Array): string {
  if (!(thumbhash instanceof Uint8Array)) {
    throw invalidArgument('A ThumbHash is a Uint8Array');
  }
  return callNow(() => native.paintPlaceholder(thumbhash));
}

const U32 = 4_294_967_295;

const fits = { cover: native.ThumbnailFit.Cover, contain: native.ThumbnailFit.Contain };

function kindOf(mediaType: MediaType): native.MediaKind {
  const kinds = { image: native.MediaKind.Image, video: native.MediaKind.Video };
  return kinds[mediaType] ?? refuse('A file is said to be an `image` or a `video`');
}

function setOf(set: native.ThumbnailSet, mediaType: MediaType): ThumbnailSet {
  const preview = set.preview === undefined ? null : pictureOf(set.preview);
  const thumbnail = pictureOf(set.thumbnail);
  return {
    thumbnail,
    preview,
    poster: mediaType === 'video' ? (preview ?? thumbnail) : null,
    blurhash: set.blurhash,
    thumbhash: set.thumbhash,
    partial: set.partial,
    source: {
      mediaType: set.source.mediaType,
      width: set.source.widthPx,
      height: set.source.heightPx,
      durationMs: set.source.durationMs ?? null,
    },
  };
}

function pictureOf(picture: native.Picture): Picture {
  return {
    uri: uriOf(picture.path),
    cid: picture.cid,
    width: picture.widthPx,
    height: picture.heightPx,
    size: picture.sizeBytes,
    mediaType: picture.mediaType,
  };
}

function refuse(reason: string): never {
  throw invalidArgument(reason);
}
