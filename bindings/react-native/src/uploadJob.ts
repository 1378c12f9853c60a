/**
 * One file on its way: each step, what it leaves for the next attempt, and how far it is.
 *
 * The promises are those of `uploader.ts`.
 */
import { borrow } from './borrow';
import { linked, unharmed, unlessAborted } from './call';
import { cidOfFile, mustBe } from './cids';
import { asFinalmileError, FinalmileError } from './errors';
import { fileSystem } from './optional/fileSystem';
import { retried } from './retry';
import { generateThumbnailSet, type MediaType, type ThumbnailSet } from './thumbnails';
import type {
  Begun,
  StepContext,
  UploadContext,
  UploadedCids,
  UploaderOptions,
  UploadOptions,
  UploadProgress,
  UploadResult,
} from './uploader';
import { uriOf } from './uri';

/** The share of the whole at which each phase begins. */
const BEGINS = { thumbnails: 0, begin: 0.1, upload: 0.12, finalize: 0.95, done: 1 } as const;

/** A job, and what of it is done. */
export class Job<B extends Begun> {
  readonly key: string;
  private set: ThumbnailSet | undefined;
  private begun: B | undefined;
  private shareId: string | undefined;
  private readonly expected = new Map<string, string>();
  private readonly uploaded = new Map<string, string>();

  constructor(
    private readonly steps: UploaderOptions<B>,
    private readonly uri: string,
    private readonly mediaType: MediaType,
    private readonly options: UploadOptions,
  ) {
    this.key = options.idempotencyKey ?? newKey();
  }

  async run(
    outer: AbortSignal | undefined,
    onProgress: ((progress: UploadProgress) => void) | undefined,
  ): Promise<UploadResult<B>> {
    const { signal, abort, unlink } = linked(outer);
    const told = teller(onProgress, signal);
    try {
      // Copied once for the picture, the id and the upload, should it lie elsewhere.
      const lent = await borrow(this.uri, signal);
      try {
        return await this.stepsOf(uriOf(lent.path), signal, told);
      } finally {
        // What still runs beside a step that failed is of no use any more (J26).
        abort();
        await lent.giveBack();
      }
    } finally {
      unlink();
    }
  }

  private async stepsOf(uri: string, signal: AbortSignal, told: Tell): Promise<UploadResult<B>> {
    const set = await this.pictures(uri, signal, (share) => told('thumbnails', share));
    told('begin', 0);
    const begun = (this.begun ??= await this.begin(uri, signal));
    const cids = await this.uploads(uri, set, signal, (share) => told('upload', share));
    told('finalize', 0);
    const share = await this.share(cids, set, signal);
    await this.step('FINALIZE_FAILED', 'The upload could not be finished', signal, (context) =>
      this.steps.finalizeUpload(
        begun.upload_id,
        { ...cids, ...(share !== undefined && { media_share_id: share }) },
        context,
      ),
    );
    await this.keep(uri, set);
    told('done', 0);
    return { ...cids, begun, media_share_id: share ?? null, set };
  }

  private async pictures(
    uri: string,
    signal: AbortSignal,
    onProgress: (share: number) => void,
  ): Promise<ThumbnailSet> {
    this.set ??= await generateThumbnailSet(uri, this.mediaType, {
      ...this.steps.thumbnails,
      signal,
      onProgress,
    });
    return this.set;
  }

  private async begin(uri: string, signal: AbortSignal): Promise<B> {
    const size = this.options.size ?? (await sizeOf(uri));
    const begun = await this.step('BEGIN_FAILED', 'The upload could not be begun', signal, (context) =>
      this.steps.beginUpload(size, context),
    );
    if (typeof begun?.upload_id !== 'string' || begun.upload_id === '') {
      throw new FinalmileError('BEGIN_FAILED', 'The service answered without `upload_id`');
    }
    return begun;
  }

  private async uploads(
    uri: string,
    set: ThumbnailSet,
    signal: AbortSignal,
    onProgress: (share: number) => void,
  ): Promise<UploadedCids> {
    const { thumbnail, preview, source } = set;
    const shares = { full: 0, thumbnail: 0, preview: preview === null ? 1 : 0 };
    const part = async (
      name: keyof typeof shares,
      at: string,
      mediaType: string,
      cid: () => Promise<string>,
    ): Promise<string> =>
      this.upload(name, at, mediaType, cid, signal, (share) => {
        shares[name] = share;
        // The source is by far the largest.
        onProgress(0.9 * shares.full + 0.05 * shares.thumbnail + 0.05 * shares.preview);
      });
    const [full, thumb, prev] = await Promise.all([
      part('full', uri, source.mediaType, () => cidOfFile(uri, { signal })),
      part('thumbnail', thumbnail.uri, thumbnail.mediaType, async () => thumbnail.cid),
      preview && part('preview', preview.uri, preview.mediaType, async () => preview.cid),
    ]);
    return { ipfs_cid: full, thumbnail_cid: thumb, preview_cid: prev };
  }

  /** Uploads one of the three unless it was, and compares the answer (**J24**, **J25**). */
  private async upload(
    part: UploadContext['part'],
    uri: string,
    mediaType: string,
    compute: () => Promise<string>,
    signal: AbortSignal,
    onProgress: (share: number) => void,
  ): Promise<string> {
    const known = this.uploaded.get(part);
    if (known !== undefined) {
      onProgress(1);
      return known;
    }
    const expectedCid = this.expected.get(part) ?? (await compute());
    this.expected.set(part, expectedCid);
    const answer = await this.step('UPLOAD_FAILED', 'The upload failed', signal, (context) =>
      this.steps.uploadToIPFS(uri, { ...context, part, expectedCid, mediaType, onProgress }),
    );
    mustBe(expectedCid, answer);
    this.uploaded.set(part, expectedCid);
    onProgress(1);
    return expectedCid;
  }

  private async share(
    cids: UploadedCids,
    set: ThumbnailSet,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { createMediaShare } = this.steps;
    if (createMediaShare === undefined || this.shareId !== undefined) {
      return this.shareId;
    }
    const row = {
      ...cids,
      // A frame is no other file than the preview that was made of it.
      video_poster_cid: set.poster && (cids.preview_cid ?? cids.thumbnail_cid),
      media_type: this.mediaType,
    };
    const share = await this.step('SHARE_FAILED', 'The share could not be written', signal, (context) =>
      createMediaShare(row, { ...context, set }),
    );
    if (share?.id === undefined || share.id === null) {
      throw new FinalmileError('SHARE_FAILED', 'The share was answered without `id`');
    }
    this.shareId = share.id;
    return share.id;
  }

  /** Puts what was uploaded into the cache, as far as it has room (**J27**). */
  private async keep(uri: string, { thumbnail, preview }: ThumbnailSet): Promise<void> {
    const { cache } = this.steps;
    if (cache !== undefined) {
      const small = [thumbnail, preview].map((picture) => picture && cache.put(picture.uri, 'thumbnail'));
      await Promise.all([cache.put(uri, 'media'), ...small].map((put) => put?.catch(() => {})));
    }
  }

  /** Runs a step of the app's, as often as it takes. */
  private step<T>(
    code: string,
    message: string,
    signal: AbortSignal,
    act: (context: StepContext) => Promise<T>,
  ): Promise<T> {
    const once = async (attempt: number): Promise<T> => {
      try {
        // A step that does not listen is not waited for.
        return await unlessAborted(act({ idempotencyKey: this.key, attempt, signal }), signal);
      } catch (thrown) {
        throw asFinalmileError(thrown, code, message);
      }
    };
    return retried(once, signal, this.steps.retry);
  }
}

type Tell = (phase: UploadProgress['phase'], share: number) => void;

function teller(
  onProgress: ((progress: UploadProgress) => void) | undefined,
  signal: AbortSignal,
): Tell {
  const phases = Object.keys(BEGINS) as UploadProgress['phase'][];
  let told: UploadProgress | undefined;
  return (phase, part) => {
    const begins = BEGINS[phase];
    const ends = BEGINS[phases[phases.indexOf(phase) + 1] ?? 'done'];
    const share = begins + (ends - begins) * Math.min(Math.max(part || 0, 0), 1);
    // A step that is tried again begins anew, which nobody need know.
    if (onProgress !== undefined && !signal.aborted && (told === undefined || isNews(told, phase, share))) {
      const news = { phase, share };
      told = news;
      unharmed(() => onProgress(news));
    }
  };
}

function isNews(told: UploadProgress, phase: UploadProgress['phase'], share: number): boolean {
  return share > told.share || (phase !== told.phase && share === told.share);
}

async function sizeOf(uri: string): Promise<number> {
  const info = await fileSystem()?.getInfoAsync(uri).catch(() => undefined);
  if (info?.exists !== true || info.size === undefined) {
    throw new FinalmileError(
      'SIZE_UNKNOWN',
      'Pass the file\'s `size`, as the picker told it, or install expo-file-system',
    );
  }
  return info.size;
}

/** A UUID. It tells uploads apart and keeps nothing secret, so that `Math.random` will do where there is no better. */
export function newKey(): string {
  const { crypto } = globalThis as { crypto?: { randomUUID?(): string } };
  if (typeof crypto?.randomUUID === 'function') {
    return crypto.randomUUID();
  }
  return 'xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx'.replace(/[xy]/g, (place) => {
    const nibble = Math.floor(Math.random() * 16);
    return (place === 'x' ? nibble : (nibble & 3) | 8).toString(16);
  });
}

