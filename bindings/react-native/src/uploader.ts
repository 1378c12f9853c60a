/**
 * The whole way of a picture or video to the feed: small pictures, begin, upload, check, share, finalize.
 *
 * An {@link UploadJob} is one file on its way. It remembers each step that succeeded, so that running it again
 * after a failure goes on where it stopped.
 *
 * # Promises
 *
 * - **J23** A job has one idempotency key from its first attempt to its last: a service that honours it reserves
 *   and charges once.
 * - **J24** What was uploaded is not uploaded again, and what was begun not begun again, however often a job runs.
 * - **J25** Nothing is finalized unless every id that the service answered is the id computed here; another one
 *   is `CID_MISMATCH`, and is not retried.
 * - **J26** When one step fails for good, what runs beside it is aborted, and the job rejects with the code of
 *   the step's own failure.
 * - **J27** What was uploaded is in the cache when the job resolves, if it fits; a full cache fails no upload.
 * - **J28** Progress never goes back, and is 1 when the job resolves.
 */
import type { IpfsCache } from './cache';
import { asFinalmileError } from './errors';
import type { PQueue } from './queue';
import type { RetryOptions } from './retry';
import type { MediaType, ThumbnailOptions, ThumbnailSet } from './thumbnails';
import { Job } from './uploadJob';

/** What a service answers to a beginning; whatever else it says is passed on. */
export interface Begun {
  upload_id: string;
}

/** The ids of what was uploaded, under the names of the database. */
export interface UploadedCids {
  ipfs_cid: string;
  thumbnail_cid: string;
  /** `null` where the thumbnail is all there is. */
  preview_cid: string | null;
}

/** What `finalizeUpload` is given. */
export interface FinalCids extends UploadedCids {
  /** What `createMediaShare` answered, where there is one. */
  media_share_id?: string;
}

/** What every step is told besides its own arguments. */
export interface StepContext {
  /** The same for all attempts of one job: send it along. */
  idempotencyKey: string;
  /** Which attempt of this step it is, from 1. */
  attempt: number;
  /** Aborted when the job is. */
  signal: AbortSignal;
}

/** What an upload is told. */
export interface UploadContext extends StepContext {
  /** What of the three it is. */
  part: 'full' | 'thumbnail' | 'preview';
  /** The id computed here; the answer has to be the same. */
  expectedCid: string;
  /** Such as `image/jpeg`. */
  mediaType: string;
  /** To be told a share from 0 to 1. */
  onProgress: (share: number) => void;
}

/** The app's own steps. */
export interface UploaderSteps<B extends Begun = Begun> {
  /** Reserves room for so many bytes. */
  beginUpload(fileSize: number, context: StepContext): Promise<B>;
  /** Uploads a file and answers its id. {@link pinataUploader} makes one. */
  uploadToIPFS(uri: string, context: UploadContext): Promise<string>;
  /** Writes the share down and answers its id, before the upload is finalized. */
  createMediaShare?(
    row: UploadedCids & { media_type: MediaType; video_poster_cid: string | null },
    context: StepContext & { set: ThumbnailSet },
  ): Promise<{ id: string }>;
  /** Turns the reservation into a charge. */
  finalizeUpload(uploadId: string, cids: FinalCids, context: StepContext): Promise<unknown>;
}

/** How an uploader works. */
export interface UploaderOptions<B extends Begun = Begun> extends UploaderSteps<B> {
  /** Where our own upload is put, so that it need not be fetched. */
  cache?: IpfsCache;
  /** Whose places the jobs take. Default: all run at once. */
  queue?: PQueue;
  /** How failures that may pass are retried, each step for itself. */
  retry?: RetryOptions;
  /** How the small pictures are made. */
  thumbnails?: Omit<ThumbnailOptions, 'signal' | 'onProgress'>;
}

/** How far a job is. */
export interface UploadProgress {
  phase: 'thumbnails' | 'begin' | 'upload' | 'finalize' | 'done';
  /** Of the whole, from 0 to 1. */
  share: number;
}

/** How a job is run. */
export interface UploadOptions {
  signal?: AbortSignal;
  onProgress?: (progress: UploadProgress) => void;
  /** The file's length in bytes, which pickers know. Default: expo-file-system is asked. */
  size?: number;
  /** A key that outlives the app's end. Default: one is made. */
  idempotencyKey?: string;
  /** On whose behalf it waits in the queue. */
  caller?: string;
  /** The highest of a caller's goes first. */
  priority?: number;
}

/** What came of a job. */
export interface UploadResult<B extends Begun = Begun> extends UploadedCids {
  begun: B;
  media_share_id: string | null;
  set: ThumbnailSet;
}

/** One file on its way. */
export interface UploadJob<B extends Begun = Begun> {
  /** The same for all its attempts. */
  readonly idempotencyKey: string;
  /** Runs it, or what is left of it. One that runs already, or is done, answers the same again. */
  run(options?: Pick<UploadOptions, 'signal' | 'onProgress'>): Promise<UploadResult<B>>;
}

/** Uploads files. */
export interface Uploader<B extends Begun = Begun> {
  /** Makes a job and runs it. */
  upload(uri: string, mediaType: MediaType, options?: UploadOptions): Promise<UploadResult<B>>;
  /** Makes a job, for apps that offer to try again. Nothing happens before it is run. */
  prepare(uri: string, mediaType: MediaType, options?: UploadOptions): UploadJob<B>;
}

/** An uploader of the app's own steps. */
export function createUploader<B extends Begun = Begun>(options: UploaderOptions<B>): Uploader<B> {
  const prepare: Uploader<B>['prepare'] = (uri, mediaType, how = {}) => {
    const job = new Job(options, uri, mediaType, how);
    let running: Promise<UploadResult<B>> | undefined;
    return {
      idempotencyKey: job.key,
      run: (now = {}) => {
        running ??= inTurn(options.queue, job, { ...how, ...now }).catch((thrown: unknown) => {
          running = undefined;
          throw asFinalmileError(thrown);
        });
        return running;
      },
    };
  };
  return { prepare, upload: (uri, mediaType, how) => prepare(uri, mediaType, how).run() };
}

async function inTurn<B extends Begun>(
  queue: PQueue | undefined,
  job: Job<B>,
  options: UploadOptions,
): Promise<UploadResult<B>> {
  const { signal, onProgress, caller, priority } = options;
  if (queue === undefined) {
    return job.run(signal, onProgress);
  }
  const place = { ...(signal && { signal }), caller: caller ?? '', priority: priority ?? 0 };
  return queue.add((given) => job.run(given.signal, onProgress), place);
}
