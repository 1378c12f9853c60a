/** The uploads of this run of the app: two at once, each with its progress, to be given up or tried again. */
import { useSyncExternalStore } from 'react';
import {
  createQueue,
  createUploader,
  FinalmileError,
  type IpfsCache,
  type MediaType,
  type UploadJob,
} from 'react-native-finalmile';

import { service } from './service';

/** One file on its way, as the screen shows it. */
export interface Upload {
  id: string;
  uri: string;
  mediaType: MediaType;
  state: 'running' | 'done' | 'failed';
  /** From 0 to 1. */
  share: number;
  error: FinalmileError | null;
  stop: () => void;
  again: () => void;
}

/** A file that was picked. */
export interface Picked {
  uri: string;
  mediaType: MediaType;
  size: number | undefined;
}

const queue = createQueue({ concurrency: 2 });
let uploads: readonly Upload[] = [];
const listeners = new Set<() => void>();

export function useUploads(): readonly Upload[] {
  return useSyncExternalStore(listen, () => uploads);
}

/** Puts files into the queue. */
export function upload(cache: IpfsCache, files: Picked[]): void {
  const uploader = createUploader({ ...service, cache, queue });
  for (const { uri, mediaType, size } of files) {
    const job = uploader.prepare(uri, mediaType, size === undefined ? {} : { size });
    const run = (): void => void start(job);
    const first: Upload = {
      id: job.idempotencyKey,
      uri,
      mediaType,
      state: 'running',
      share: 0,
      error: null,
      stop: () => {},
      again: run,
    };
    tell([first, ...uploads]);
    run();
  }
}

/** Runs a job, or what is left of it: it goes on where it stopped, under the same idempotency key. */
async function start(job: UploadJob): Promise<void> {
  const giveUp = new AbortController();
  const change = (news: Partial<Upload>): void =>
    tell(uploads.map((one) => (one.id === job.idempotencyKey ? { ...one, ...news } : one)));
  change({ state: 'running', error: null, stop: () => giveUp.abort() });
  try {
    await job.run({ signal: giveUp.signal, onProgress: ({ share }) => change({ share }) });
    change({ state: 'done', share: 1 });
  } catch (thrown) {
    change({ state: 'failed', error: thrown instanceof FinalmileError ? thrown : null });
  }
}

function tell(next: readonly Upload[]): void {
  uploads = next;
  listeners.forEach((listener) => listener());
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
