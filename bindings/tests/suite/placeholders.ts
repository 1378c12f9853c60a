/** Placeholders: what is shown until a picture is there. */

import { MediaKind, PlaceholderRequest, generatePlaceholder, paintPlaceholder } from 'finalmile';

import { failure, holds, same } from './check';
import type { Cases, Stage } from './harness';
import { setOf } from './pictures';

function placeholderOf(stage: Stage, name: string, kind: MediaKind) {
  return generatePlaceholder(PlaceholderRequest.create({ path: stage.file(name), kind }));
}

export const placeholders: Cases = {
  async placeholder_image(stage) {
    const made = await placeholderOf(stage, 'photo.jpg', MediaKind.Image);
    same(made.blurhash.length, 28, 'characters of the BlurHash');
    holds(made.thumbhash.length >= 5 && made.thumbhash.length <= 25, `${made.thumbhash.length} bytes`);
    same([made.widthPx, made.heightPx, made.partial], [4000, 3000, false], 'the source');
    same(stage.host.names(stage.folder), [], 'files');
    const set = await setOf(stage, 'photo.jpg');
    same([made.blurhash, made.thumbhash], [set.blurhash, set.thumbhash], "the set's");
  },

  async placeholder_video(stage) {
    const made = await placeholderOf(stage, 'scene.mp4', MediaKind.Video);
    same(made.blurhash.length, 28, 'characters of the BlurHash');
    holds(made.thumbhash.length >= 5 && made.thumbhash.length <= 25, `${made.thumbhash.length} bytes`);
  },

  async placeholder_painted(stage) {
    const made = await placeholderOf(stage, 'other.jpg', MediaKind.Image);
    const painted = paintPlaceholder(made.thumbhash);
    // The signature of a PNG and the length of its first chunk (PNG 1.2, 3.1), in base64.
    holds(painted.startsWith('data:image/png;base64,iVBORw0KGgoAAAANSUhEUg'), painted.slice(0, 60));
  },

  async placeholder_bad() {
    for (const bytes of [[], [1], [1, 2, 3, 4]]) {
      const { code } = await failure(() => paintPlaceholder(Uint8Array.from(bytes)), `${bytes.length} bytes`);
      same(code, 'INVALID_ARGUMENT', 'the code');
    }
  },
};
