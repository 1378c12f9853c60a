/**
 * A queue for uploads: so many at once, callers in turns, shaped like `p-queue`.
 *
 * The places are the library's: a throttle that lets callers enter in turns, so that one who adds a hundred
 * does not keep another waiting for all of them.
 *
 * # Promises
 *
 * - **J19** At most `concurrency` run at once, and whatever a function does (throw, reject, be aborted), its place
 *   is free when it has ended.
 * - **J20** Callers take turns; of one caller, the higher priority goes first, and of equals the first.
 * - **J21** One that was aborted or cleared before it began rejects with `CANCELLED` and never runs.
 */
import { callNow, linked } from './call';
import { asFinalmileError, cancelled, type FinalmileError, whole } from './errors';
import * as native from './native';

/** How a queue is made. */
export interface QueueOptions {
  /** How many run at once. Default: 2. */
  concurrency?: number;
  /** Whether it runs what is added at once. Default: `true`. */
  autoStart?: boolean;
}

/** How something is added. */
export interface AddOptions {
  /** Takes it out of the queue; while it runs, the function is told by its own `signal`. */
  signal?: AbortSignal;
  /** Of one caller's, the highest goes first. Default: 0. */
  priority?: number;
  /** On whose behalf. Callers take turns. Default: all are one. */
  caller?: string;
}

/** What is run. */
export type Task<T> = (options: { signal: AbortSignal }) => PromiseLike<T> | T;

interface Job {
  readonly caller: string;
  readonly priority: number;
  /** Never rejects: whoever added it is told. */
  run(): Promise<void>;
  /** Tells whoever added it that it will not run. */
  fail(error: FinalmileError): void;
}

/** A queue. The name is that of the package whose place it takes. */
export class PQueue {
  /** How many run at once. */
  readonly concurrency: number;
  private readonly throttle: native.UploadThrottleLike;
  private waiting: Job[] = [];
  private running = 0;
  private paused: boolean;
  /** How many stand in the throttle's line, by caller, and how each leaves it. */
  private readonly lines = new Map<string, Set<AbortController>>();
  private waiters: { readonly idle: boolean; readonly resolve: () => void }[] = [];

  /** @throws `INVALID_ARGUMENT` for a concurrency that is no whole number from 1. */
  constructor(options: QueueOptions = {}) {
    this.concurrency = whole(options.concurrency ?? 2, 1, 65_535, '`concurrency`');
    this.paused = options.autoStart === false;
    this.throttle = callNow(() => new native.UploadThrottle(this.concurrency));
  }

  /** How many wait. */
  get size(): number {
    return this.waiting.length;
  }

  /** How many run. */
  get pending(): number {
    return this.running;
  }

  /** Whether nothing that waits is begun. */
  get isPaused(): boolean {
    return this.paused;
  }

  /** Runs `task` in its turn. Resolves and rejects as it does; `CANCELLED` when it was aborted or cleared. */
  add<T>(task: Task<T>, options: AddOptions = {}): Promise<T> {
    const { signal: outer, priority = 0, caller = '' } = options;
    if (outer?.aborted) {
      return Promise.reject(cancelled());
    }
    return new Promise<T>((resolve, reject) => {
      const { signal, unlink } = linked(outer);
      const job: Job = {
        caller,
        priority,
        run: async () => {
          // Who gave up need not wait for a function that does not listen; its place is not free before it ends.
          signal.addEventListener('abort', () => reject(cancelled()));
          try {
            resolve(await task({ signal }));
          } catch (thrown) {
            reject(thrown);
          } finally {
            unlink();
          }
        },
        fail: (error) => {
          unlink();
          reject(error);
        },
      };
      signal.addEventListener('abort', () => this.drop(job, cancelled()));
      this.enqueue(job);
      this.stand();
    });
  }

  /** Adds all of them. */
  addAll<T>(tasks: readonly Task<T>[], options: AddOptions = {}): Promise<T[]> {
    return Promise.all(tasks.map((task) => this.add(task, options)));
  }

  /** Begins nothing more; what runs goes on. */
  pause(): void {
    this.paused = true;
    this.leaveLines();
  }

  /** Goes on after a pause. */
  start(): this {
    this.paused = false;
    this.stand();
    return this;
  }

  /** Drops all that wait: they reject with `CANCELLED`. */
  clear(): void {
    for (const job of [...this.waiting]) {
      this.drop(job, cancelled());
    }
  }

  /** Resolves when none waits. */
  onEmpty(): Promise<void> {
    return this.when(false);
  }

  /** Resolves when none waits and none runs. */
  onIdle(): Promise<void> {
    return this.when(true);
  }

  private enqueue(job: Job): void {
    const later = this.waiting.findIndex((other) => other.priority < job.priority);
    this.waiting.splice(later < 0 ? this.waiting.length : later, 0, job);
  }

  private drop(job: Job, error: FinalmileError): void {
    const at = this.waiting.indexOf(job);
    if (at >= 0) {
      this.waiting.splice(at, 1);
      job.fail(error);
      this.stand();
      this.tell();
    }
  }

  /** Sees to it that as many of each caller stand in the throttle's line as wait here. */
  private stand(): void {
    const wanted = new Map<string, number>();
    if (!this.paused) {
      for (const { caller } of this.waiting) {
        wanted.set(caller, (wanted.get(caller) ?? 0) + 1);
      }
    }
    for (const [caller, line] of this.lines) {
      const surplus = line.size - (wanted.get(caller) ?? 0);
      // The last who came leaves: the first keeps its place in the line.
      for (const place of surplus > 0 ? [...line].slice(-surplus) : []) {
        place.abort();
        line.delete(place);
      }
    }
    for (const [caller, count] of wanted) {
      const line = this.lines.get(caller) ?? new Set();
      this.lines.set(caller, line);
      while (line.size < count) {
        const place = new AbortController();
        line.add(place);
        void this.enter(caller, line, place);
      }
    }
  }

  private leaveLines(): void {
    for (const line of this.lines.values()) {
      line.forEach((place) => place.abort());
    }
    this.lines.clear();
  }

  private async enter(caller: string, line: Set<AbortController>, place: AbortController): Promise<void> {
    let permit: native.ThrottlePermitLike;
    try {
      permit = await this.throttle.enter({ caller }, { signal: place.signal });
    } catch (thrown) {
      line.delete(place);
      const job = this.waiting.find((waiting) => waiting.caller === caller);
      // Not left but refused, as when too many wait.
      if (!place.signal.aborted && job !== undefined) {
        this.drop(job, asFinalmileError(thrown));
      }
      return;
    }
    line.delete(place);
    try {
      const mine = this.waiting.findIndex((job) => job.caller === caller);
      const [job] = place.signal.aborted || mine < 0 ? [] : this.waiting.splice(mine, 1);
      if (job === undefined) {
        // The permit was on its way when its caller left the line.
        return;
      }
      this.running += 1;
      this.tell();
      await job.run();
      this.running -= 1;
    } finally {
      permit.release();
      (permit as Partial<native.ThrottlePermit>).uniffiDestroy?.();
      if (this.lines.get(caller)?.size === 0) {
        this.lines.delete(caller);
      }
      this.tell();
    }
  }

  private when(idle: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.waiters.push({ idle, resolve });
      this.tell();
    });
  }

  private tell(): void {
    const reached = (idle: boolean): boolean =>
      this.waiting.length === 0 && (!idle || this.running === 0);
    const now = this.waiters.filter(({ idle }) => reached(idle));
    this.waiters = this.waiters.filter(({ idle }) => !reached(idle));
    now.forEach(({ resolve }) => resolve());
  }
}

/** A queue of so many at once; two unless said. */
export function createQueue(options: QueueOptions = {}): PQueue {
  return new PQueue(options);
}
