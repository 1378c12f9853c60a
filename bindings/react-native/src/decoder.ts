/**
 * The system's own decoders, for what the library does not decode: HEIC, AVIF, frames of HEVC videos.
 *
 * # Promises
 *
 * - **J9** A file that the default decoder makes is removed when the call that asked for it has ended.
 * - **J10** Without the packages that it needs, the default decoder declines, and the library says with its own
 *   code that it cannot read the file.
 */
import { HostFailure, type PictureDecoder } from './native';
import { fileSystem } from './optional/fileSystem';
import { imageManipulator, type Rendered } from './optional/imageManipulator';
import { video, type VideoPlayer } from './optional/video';
import { pathOf, uriOf } from './uri';

/** A file that the system shall decode. */
export interface DecodeRequest {
  /** Where it lies. */
  uri: string;
  /** What it is, such as `image/heic`. */
  mediaType: string;
  /** The moment of a video that is wanted, in milliseconds; `null` for a picture. */
  atMs: number | null;
  /** The longer side that is needed, in pixels. */
  wantedSide: number;
  /** Aborted when nobody waits any more. */
  signal: AbortSignal;
}

/** Answers with the URI of a JPEG, PNG or WebP that holds the picture upright; `null`: not this kind. */
export type PlatformDecoder = (request: DecodeRequest) => Promise<string | null>;

/** How good the picture is that the library makes small ones of. */
const QUALITY = 0.95;

/** How long a player may take to look at its video, in milliseconds. */
const LOAD_MS = 10_000;

/** A decoder as the library asks it, and what removes the files that it left. */
export interface LentDecoder {
  readonly decoder: PictureDecoder;
  tidy(): Promise<void>;
}

/** Lends the app's decoder, or the default one, whose files are removed by `tidy` (**J9**). */
export function lendDecoder(given: PlatformDecoder | undefined): LentDecoder {
  const decode = given ?? systemDecoder;
  const mine: string[] = [];
  return {
    decoder: {
      async decode(request, options) {
        try {
          const uri = await decode({
            uri: uriOf(request.path),
            mediaType: request.mediaType,
            atMs: request.atMs ?? null,
            wantedSide: request.wantedSidePx,
            signal: options?.signal ?? new AbortController().signal,
          });
          if (uri === null || uri === undefined) {
            return undefined;
          }
          if (given === undefined) {
            mine.push(uri);
          }
          return pathOf(uri);
        } catch {
          throw new HostFailure.Failed({ reason: 'the decoder threw' });
        }
      },
    },
    async tidy() {
      const system = fileSystem();
      await Promise.all(mine.map((uri) => system?.deleteAsync(uri, { idempotent: true }).catch(() => {})));
    },
  };
}

/** Pictures with expo-image-manipulator; frames with expo-video, which needs the other to write them. */
export const systemDecoder: PlatformDecoder = async (request) => {
  const images = imageManipulator();
  if (images === undefined) {
    return null;
  }
  if (request.atMs === null) {
    return scaled(request.uri, request.wantedSide);
  }
  const videos = video();
  if (videos === undefined) {
    return null;
  }
  const player = videos.createVideoPlayer(request.uri);
  try {
    const frame = await frameOf(player, request.atMs / 1000, request.wantedSide);
    return frame === undefined ? null : await saved(await images.manipulate(frame).renderAsync());
  } finally {
    player.release();
  }
};

async function scaled(uri: string, wantedSide: number): Promise<string> {
  const images = imageManipulator();
  const whole = await images!.manipulate(uri).renderAsync();
  if (Math.max(whole.width, whole.height) <= wantedSide) {
    return saved(whole);
  }
  const size = whole.width >= whole.height ? { width: wantedSide } : { height: wantedSide };
  try {
    return await saved(await images!.manipulate(whole).resize(size).renderAsync());
  } finally {
    whole.release?.();
  }
}

async function saved(picture: Rendered): Promise<string> {
  try {
    return (await picture.saveAsync({ format: 'jpeg', compress: QUALITY })).uri;
  } finally {
    // Bitmaps are large, and Hermes frees them when it likes.
    picture.release?.();
  }
}

async function frameOf(player: VideoPlayer, atS: number, side: number): Promise<unknown> {
  const size = { maxWidth: side, maxHeight: side };
  const [frame] = await player.generateThumbnailsAsync([atS], size);
  if (frame !== undefined || !(await loaded(player))) {
    return frame;
  }
  // On iOS there are no frames before the player has looked at its video.
  return (await player.generateThumbnailsAsync([atS], size))[0];
}

function loaded(player: VideoPlayer): Promise<boolean> {
  if (player.status === 'readyToPlay' || player.status === 'error') {
    return Promise.resolve(player.status === 'readyToPlay');
  }
  return new Promise((resolve) => {
    const done = (ready: boolean): void => {
      clearTimeout(timer);
      listening.remove();
      resolve(ready);
    };
    const timer = setTimeout(() => done(false), LOAD_MS);
    const listening = player.addListener('statusChange', ({ status }) => {
      if (status === 'readyToPlay' || status === 'error') {
        done(status === 'readyToPlay');
      }
    });
  });
}
