/** The small pictures of a file, for a screen that shows what was just picked. */
import type { FinalmileError } from '../errors';
import { generateThumbnailSet, type MediaType, type ThumbnailOptions, type ThumbnailSet } from '../thumbnails';
import { useTask, type Status } from './useTask';

/** A set on its way. */
export interface ThumbnailSetState {
  set: ThumbnailSet | null;
  /** `idle`: no file was given. */
  status: Status;
  /** From 0 to 1. */
  progress: number;
  error: FinalmileError | null;
  /** Makes it anew. */
  retry: () => void;
}

/** Makes the set of `uri`, and gives it up when the component goes. `decoder` may change without effect. */
export function useThumbnailSet(
  uri: string | null | undefined,
  mediaType: MediaType,
  options: Omit<ThumbnailOptions, 'signal' | 'onProgress'> = {},
): ThumbnailSetState {
  const { decoder: _, ...plain } = options;
  const task = useTask<ThumbnailSet>({
    key: uri === null || uri === undefined || uri === '' ? null : JSON.stringify([uri, mediaType, plain]),
    start: (given) => generateThumbnailSet(uri ?? '', mediaType, { ...options, ...given }),
  });
  const { value: set, status, progress, error, retry } = task;
  return { set, status, progress, error, retry };
}
