/** Files that are no pictures: each is a failure with a code, and leaves nothing behind. */

import { MediaKind } from 'finalmile';

import { failure, holds, pause, same } from './check';
import type { Cases, Stage } from './harness';
import { setOf } from './pictures';

/** How the set of such a file fails. */
async function refused(stage: Stage, name: string, kind = MediaKind.Image) {
  const answer = await failure(() => setOf(stage, name, { kind }), name);
  same(stage.host.names(stage.folder), [], 'files');
  return answer;
}

export const files: Cases = {
  async bad_directory(stage) {
    same((await refused(stage, 'folder')).code, 'FILE_UNREADABLE', 'the code');
  },

  async bad_missing(stage) {
    const { code, retryable } = await refused(stage, 'there-is-no-such-file.jpg');
    same([code, retryable], ['FILE_UNREADABLE', false], 'the failure');
  },

  async bad_unreadable(stage) {
    same((await refused(stage, 'loop')).code, 'FILE_UNREADABLE', 'the code');
  },

  async bad_locked(stage) {
    const path = `${stage.host.scratch}/locked.jpg`;
    stage.host.copy(stage.file('other.jpg'), path);
    const stop = stage.host.start('flock', '--exclusive', path, 'sleep', '20');
    try {
      await pause(stage.host, 300);
      // Where locks bind only those who ask for them, the picture can be read.
      same((await setOf(stage, path)).thumbnail.widthPx, 300, 'the side');
    } finally {
      stop();
    }
  },

  async bad_pipe(stage) {
    await refused(stage, 'pipe');
    await refused(stage, 'pipe', MediaKind.Video);
  },

  async bad_empty(stage) {
    await refused(stage, 'empty');
    await refused(stage, 'empty', MediaKind.Video);
  },

  async bad_text(stage) {
    same((await refused(stage, 'text.txt')).code, 'NOT_AN_IMAGE', 'the code');
  },

  async bad_video_as_image(stage) {
    await refused(stage, 'scene.mp4', MediaKind.Image);
  },

  async bad_image_as_video(stage) {
    await refused(stage, 'photo.jpg', MediaKind.Video);
  },

  async bad_cut_early(stage) {
    await refused(stage, 'cut-early.jpg');
  },

  async bad_out_dir(stage) {
    stage.host.write(stage.folder, 'a file');
    const { code } = await failure(() => setOf(stage, 'small.jpg'), 'a file as folder');
    same(code, 'OUTPUT_UNWRITABLE', 'the code');
    same(stage.host.read(stage.folder), 'a file', 'the file');
  },

  async bad_argument(stage) {
    for (const wish of [{ quality: 0 }, { quality: 101 }, { thumbnailSidePx: 0 }, { previewSidePx: 0 }]) {
      const { code, retryable } = await failure(() => setOf(stage, 'small.jpg', wish), JSON.stringify(wish));
      same([code, retryable], ['INVALID_ARGUMENT', false], 'the failure');
    }
    same(stage.host.names(stage.folder), [], 'files');
  },

  async bad_path(stage) {
    for (const path of ['', `${stage.file('photo.jpg')}\0.jpg`]) {
      await failure(() => setOf(stage, 'small.jpg', { path }), JSON.stringify(path));
      holds(stage.host.names(stage.folder).length === 0, 'no file is left');
    }
  },
};
