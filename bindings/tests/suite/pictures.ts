/** Sets of pictures: small files of a picture or a video. */

import { type Picture, MediaKind, ThumbnailFit, ThumbnailRequest, type ThumbnailSet } from 'finalmile';
import { cidOfFile, generateThumbnailSet } from 'finalmile';

import { holds, same } from './check';
import type { Cases, Stage } from './harness';

type Wishes = Partial<ThumbnailRequest>;

/** The request for a set of a file that `fixtures` made. */
export function request(stage: Stage, name: string, wishes: Wishes = {}): ThumbnailRequest {
  const path = name.startsWith('/') ? name : stage.file(name);
  const kind = /\.(mp4|mov|mkv|webm)$/.test(name) ? MediaKind.Video : MediaKind.Image;
  return ThumbnailRequest.create({ path, kind, outDir: stage.folder, ...wishes });
}

/** A set of a file that `fixtures` made. */
export function setOf(stage: Stage, name: string, wishes: Wishes = {}): Promise<ThumbnailSet> {
  return generateThumbnailSet(request(stage, name, wishes));
}

const sides = (picture?: Picture) => picture && [picture.widthPx, picture.heightPx];

/** How far two ThumbHashes are apart: the sum over their half bytes. */
function distance(one: Uint8Array, other: Uint8Array): number {
  if (one.length !== other.length) return Infinity;
  const halves = (byte: number) => [byte >> 4, byte & 15];
  const apart = (at: number) =>
    halves(one[at] ?? 0).reduce((sum, half, i) => sum + Math.abs(half - (halves(other[at] ?? 0)[i] ?? 0)), 0);
  return Array.from(one.keys()).reduce((sum, at) => sum + apart(at), 0);
}

function filesAre(stage: Stage, set: ThumbnailSet): void {
  for (const picture of [set.thumbnail, set.preview]) {
    if (!picture) continue;
    holds(picture.sizeBytes > 0, 'a picture has bytes');
    same(stage.host.size(picture.path), picture.sizeBytes, `the length of ${picture.path}`);
    same(picture.mediaType, 'image/jpeg', 'its media type');
  }
}

export const pictures: Cases = {
  async image_set(stage) {
    const set = await setOf(stage, 'photo.jpg');
    same([sides(set.thumbnail), sides(set.preview)], [[300, 300], [600, 450]], 'the sides');
    filesAre(stage, set);
    same(stage.host.names(stage.folder).length, 2, 'files');
  },

  async image_set_names(stage) {
    const { thumbnail, preview } = await setOf(stage, 'photo.jpg');
    for (const picture of [thumbnail, preview]) {
      holds(picture !== undefined, 'a photo has both');
      same(picture.path, `${stage.folder}/${picture.cid}.jpg`, 'the path');
      same(await cidOfFile(picture.path), picture.cid, 'the id');
    }
  },

  async image_set_again(stage) {
    const first = await setOf(stage, 'other.jpg');
    const before = stage.host.names(stage.folder);
    same(await setOf(stage, 'other.jpg'), first, 'the second set');
    same(stage.host.names(stage.folder), before, 'the files');
  },

  async image_set_contain(stage) {
    const set = await setOf(stage, 'photo.jpg', { fit: ThumbnailFit.Contain });
    same(sides(set.thumbnail), [300, 225], 'the sides');
    filesAre(stage, set);
  },

  async image_set_sizes(stage) {
    const set = await setOf(stage, 'photo.jpg', { thumbnailSidePx: 100, previewSidePx: 200 });
    same([sides(set.thumbnail), sides(set.preview)], [[100, 100], [200, 150]], 'the sides');
  },

  async image_set_small(stage) {
    const set = await setOf(stage, 'small.jpg');
    same(set.preview, undefined, 'the preview');
    holds(set.thumbnail.widthPx <= 200 && set.thumbnail.heightPx <= 150, `${sides(set.thumbnail)}`);
    same(stage.host.names(stage.folder).length, 1, 'files');
  },

  async image_set_png(stage) {
    const set = await setOf(stage, 'alpha.png');
    same(set.source.mediaType, 'image/png', 'the source');
    filesAre(stage, set);
  },

  async image_set_webp(stage) {
    const set = await setOf(stage, 'picture.webp');
    same([set.source.mediaType, sides(set.preview)], ['image/webp', [600, 450]], 'the set');
    filesAre(stage, set);
  },

  async image_set_gif(stage) {
    const set = await setOf(stage, 'moving.gif');
    same([set.source.mediaType, set.source.widthPx], ['image/gif', 320], 'the source');
    filesAre(stage, set);
  },

  async image_set_upright(stage) {
    const upright = await setOf(stage, 'upright.jpg');
    const turned = await setOf(stage, 'turned.jpg');
    same([upright.source.widthPx, upright.source.heightPx], [900, 1200], 'the source');
    same(sides(upright.preview), [450, 600], 'the preview');
    const apart = distance(upright.thumbhash, turned.thumbhash);
    holds(apart <= 6, `it looks as what was turned in its pixels: ${apart}`);
  },

  async image_set_source(stage) {
    const { source } = await setOf(stage, 'photo.jpg');
    const { mediaType, widthPx, heightPx, durationMs } = source;
    same([mediaType, widthPx, heightPx, durationMs], ['image/jpeg', 4000, 3000, undefined], 'the source');
  },

  async image_set_partial(stage) {
    const cut = await setOf(stage, 'cut.jpg');
    same([cut.partial, sides(cut.preview)], [true, [600, 450]], 'what was cut');
    same((await setOf(stage, 'photo.jpg')).partial, false, 'a whole one');
  },

  async image_set_quality(stage) {
    const fine = await setOf(stage, 'photo.jpg', { quality: 90 });
    const coarse = await setOf(stage, 'photo.jpg', { quality: 30 });
    const sizes = [coarse.thumbnail.sizeBytes, fine.thumbnail.sizeBytes];
    holds((sizes[0] ?? 0) * 2 < (sizes[1] ?? 0), `bytes at 30 and at 90: ${sizes}`);
  },

  async image_set_progress(stage) {
    const heard: number[] = [];
    const begun = stage.host.now();
    const told = (share: number) => void heard.push(share);
    await generateThumbnailSet(request(stage, 'photo.jpg'), undefined, { told });
    const seconds = (stage.host.now() - begun) / 1000;
    holds(heard.length > 0, 'nothing was heard');
    const rising = heard.every((share, at) => share >= (heard[at - 1] ?? 0) && share <= 1);
    holds(rising, `the shares: ${heard}`);
    // The last word is said whenever it comes.
    holds(heard.length <= 11 * Math.ceil(seconds) + 1, `${heard.length} in ${seconds} s`);
  },

  async image_set_ten(stage) {
    const wanted = Array.from({ length: 10 }, (_, i) => 100 + 10 * i);
    const sets = await Promise.all(wanted.map((side) => setOf(stage, 'photo.jpg', { thumbnailSidePx: side })));
    same(sets.map((set) => set.thumbnail.widthPx), wanted, 'the sides');
    sets.forEach((set) => filesAre(stage, set));
    // Ten thumbnails, and the preview that all share.
    same(stage.host.names(stage.folder).length, 11, 'files');
  },

  async image_set_twins(stage) {
    const [one, other] = await Promise.all([setOf(stage, 'other.jpg'), setOf(stage, 'other.jpg')]);
    same(one, other, 'the sets');
    filesAre(stage, one);
    same(stage.host.names(stage.folder).length, 2, 'files');
  },

  async video_set(stage) {
    const set = await setOf(stage, 'scene.mp4');
    holds(set.preview !== undefined, 'there is a preview');
    filesAre(stage, set);
    same(stage.host.names(stage.folder).length, 2, 'files');
  },

  async video_set_moment(stage) {
    const early = await setOf(stage, 'moments.mp4', { atMs: 0 });
    const late = await setOf(stage, 'moments.mp4', { atMs: 2500 });
    holds(early.thumbnail.cid !== late.thumbnail.cid, 'another moment is another picture');
  },

  async video_set_source(stage) {
    const { source } = await setOf(stage, 'scene.mp4');
    holds(source.mediaType.startsWith('video/'), source.mediaType);
    holds((source.durationMs ?? 0) > 0, `${source.durationMs} ms`);
  },
};
