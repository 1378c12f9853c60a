/**
 * Work that belongs to a component: begun when it is mounted, given up when it goes.
 *
 * # Promises
 *
 * - **J31** What is known at once is in the first render; nothing flashes.
 * - **J32** When the component goes, or asks for something else, the work is given up, and what still comes of it
 *   is not shown. StrictMode, which mounts everything twice, does not begin it twice.
 */
import { useCallback, useEffect, useRef, useState } from 'react';

import { asFinalmileError, type FinalmileError } from '../errors';

/** How work goes. */
export type Status = 'idle' | 'loading' | 'ready' | 'error';

/** What is known of work. */
export interface TaskState<T> {
  status: Status;
  value: T | null;
  error: FinalmileError | null;
  /** From 0 to 1, where it is told. */
  progress: number;
  /** Begins it anew after an error, or when what it brought is gone. */
  retry: () => void;
}

/** Work. */
export interface Task<T> {
  /** What makes it another task; `null`: there is nothing to do. */
  key: string | null;
  /** What is known at once. */
  peek?: () => T | null;
  /** Begins it. */
  start: (options: { signal: AbortSignal; onProgress: (share: number) => void }) => Promise<T>;
}

interface Known<T> {
  readonly id: string | null;
  readonly status: Status;
  readonly value: T | null;
  readonly error: FinalmileError | null;
  readonly progress: number;
}

/** Runs the task of this render. */
export function useTask<T>(task: Task<T>): TaskState<T> {
  const [attempt, setAttempt] = useState(0);
  const id = task.key === null ? null : `${attempt} ${task.key}`;
  const [state, setState] = useState<Known<T>>(() => atFirst(id, task));
  let known = state;
  if (state.id !== id) {
    // Another key: what was known of the last one must not be seen, not even for one render.
    known = atFirst(id, task);
    setState(known);
  }
  const latest = useRef(task);
  useEffect(() => {
    latest.current = task;
  });
  const running = useRef<{ id: string; stop: AbortController; end?: ReturnType<typeof setTimeout> }>(null);
  const begins = id !== null && known.status === 'loading';

  useEffect(() => {
    if (id === null || !begins) {
      return undefined;
    }
    let run = running.current;
    if (run?.id === id && !run.stop.signal.aborted) {
      // Mounted again at once, as StrictMode does.
      clearTimeout(run.end);
    } else {
      run?.stop.abort();
      run = { id, stop: new AbortController() };
      running.current = run;
      begin(id, latest.current, run.stop.signal, setState);
    }
    const mine = run;
    return () => {
      mine.end = setTimeout(() => mine.stop.abort(), 0);
    };
    // `begins` turns false when the work is done, which ends nothing that still runs.
  }, [id, begins]);

  const retry = useCallback(() => setAttempt((attempt) => attempt + 1), []);
  return { status: known.status, value: known.value, error: known.error, progress: known.progress, retry };
}

function atFirst<T>(id: string | null, task: Task<T>): Known<T> {
  const value = id === null ? null : (task.peek?.() ?? null);
  const status = id === null ? 'idle' : value === null ? 'loading' : 'ready';
  return { id, status, value, error: null, progress: value === null ? 0 : 1 };
}

function begin<T>(
  id: string,
  task: Task<T>,
  signal: AbortSignal,
  set: (change: (before: Known<T>) => Known<T>) => void,
): void {
  const tell = (news: Partial<Known<T>>): void => {
    if (!signal.aborted) {
      set((before) => (before.id === id ? { ...before, ...news } : before));
    }
  };
  // A task that throws before it promises anything fails like any other.
  Promise.resolve()
    .then(() => task.start({ signal, onProgress: (progress) => tell({ progress }) }))
    .then((value) => tell({ status: 'ready', value, progress: 1 }))
    .catch((thrown: unknown) => tell({ status: 'error', error: asFinalmileError(thrown) }));
}
