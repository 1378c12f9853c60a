/** The host's own decoder: for what the library does not decode. */

import { type DecodeRequest, HostFailure, type PictureDecoder, generateThumbnailSet } from 'finalmile';

import { failure, holds, same } from './check';
import type { Cases, Stage } from './harness';
import { request } from './pictures';

/** A decoder that answers as it is told, and remembers what it was asked. */
class Decoder implements PictureDecoder {
  readonly asked: DecodeRequest[] = [];

  constructor(private readonly answer: () => Promise<string | undefined>) {}

  decode(request: DecodeRequest): Promise<string | undefined> {
    this.asked.push(request);
    return this.answer();
  }
}

const never = () => new Promise<undefined>(() => undefined);

/** A HEIC whose decoder answers so fails; the code. */
async function codeOf(stage: Stage, answer: () => Promise<string | undefined>, timeoutMs = 10_000) {
  const decoder = new Decoder(answer);
  const wanted = request(stage, 'card.heic', { timeoutMs });
  const { code } = await failure(() => generateThumbnailSet(wanted, decoder), 'the set');
  same(decoder.asked.length, 1, 'questions');
  same(stage.host.names(stage.folder), [], 'files');
  return code;
}

export const decoders: Cases = {
  async decoder_picture(stage) {
    const decoder = new Decoder(async () => stage.file('other.jpg'));
    const set = await generateThumbnailSet(request(stage, 'card.heic'), decoder);
    const [asked] = decoder.asked;
    same([asked?.path, asked?.mediaType, asked?.atMs], [stage.file('card.heic'), 'image/heic', undefined], 'it');
    holds((asked?.wantedSidePx ?? 0) >= 600, `${asked?.wantedSidePx} pixels`);
    same([set.thumbnail.widthPx, set.source.mediaType], [300, 'image/heic'], 'the set');
    same(stage.host.size(set.thumbnail.path), set.thumbnail.sizeBytes, 'the file');
  },

  async decoder_video(stage) {
    const decoder = new Decoder(async () => stage.file('other.jpg'));
    const set = await generateThumbnailSet(request(stage, 'hevc.mp4', { atMs: 100 }), decoder);
    const [asked] = decoder.asked;
    same([asked?.path, asked?.atMs], [stage.file('hevc.mp4'), 100], 'it');
    holds(asked?.mediaType.startsWith('video/') ?? false, `${asked?.mediaType}`);
    same(set.thumbnail.widthPx, 300, 'the side');
  },

  async decoder_declines(stage) {
    same(await codeOf(stage, async () => undefined), 'UNSUPPORTED_IMAGE', 'the code');
  },

  async decoder_throws(stage) {
    const thrown = [new HostFailure.Failed({ reason: 'no memory' }), new Error('odd'), 'a text', { odd: true }];
    for (const error of thrown) {
      same(await codeOf(stage, async () => Promise.reject(error)), 'IMAGE_DAMAGED', `after ${error}`);
    }
  },

  async decoder_never_answers(stage) {
    const begun = stage.host.now();
    await codeOf(stage, never, 500);
    const ms = stage.host.now() - begun;
    holds(ms >= 400 && ms < 5_000, `it failed after ${ms} ms`);
  },

  async decoder_answers_nowhere(stage) {
    await codeOf(stage, async () => stage.file('there-is-no-such-file.jpg'));
  },

  async decoder_missing(stage) {
    const { code } = await failure(() => generateThumbnailSet(request(stage, 'card.heic')), 'the set');
    same(code, 'UNSUPPORTED_IMAGE', 'the code');
  },
};
