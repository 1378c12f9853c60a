/**
 * The figures: how little the thread of JavaScript is disturbed, and what is left behind.
 *
 * Each is held against its bar in `bars.ts`. What other work on the machine can spoil is tried again
 * until it passes, up to twenty times, after ever longer pauses: such work comes in spells of minutes.
 */

import { type CacheSettings, canonicalCid, generateThumbnailSet } from 'finalmile';

import { bars } from './bars';
import { content, helloCache } from './cache';
import { pause, until } from './check';
import { HELLO } from './cids';
import { endsAfter } from './giving_up';
import type { Stage } from './harness';
import type { Host } from './host';
import { request, setOf } from './pictures';
import { Shelf, cacheOf } from './shelf';

interface Figure {
  readonly name: string;
  readonly bar: string;
  readonly unit: string;
  readonly tries: number;
  /** The beginning of the runtime's name where the bar holds, or `nowhere`; everywhere, when nothing is said. */
  readonly heldIn?: string;
  measure(stage: Stage): Promise<number>;
  passes(value: number): boolean;
}

/** How often a figure is measured that other work on the machine can spoil. */
const TRIES = 20;

/** A figure that is better the smaller it is. */
const atMost = (name: string, unit: string, bar: number, measure: Figure['measure'], tries = TRIES): Figure => ({
  name,
  bar: `<= ${bar}`,
  unit,
  tries,
  measure,
  passes: (value) => value <= bar,
});

const exactly = (name: string, bar: number, measure: Figure['measure']): Figure => ({
  name,
  bar: `= ${bar}`,
  unit: '',
  tries: 1,
  measure,
  passes: (value) => value === bar,
});

const all: Figure[] = [
  {
    name: '5 ms ticks while ten sets are made, of those in a quiet time',
    bar: `>= ${bars.ticksShare}`,
    unit: '',
    tries: TRIES,
    measure: ticks,
    passes: (value) => value >= bars.ticksShare,
  },
  atMost("JavaScript's thread, for one of ten sets", 'ms', bars.threadMsACall, threadOfSets),
  {
    // Told: a thread that sleeps for the time of a photograph wakes up with cold caches, and on virtual
    // machines a bare timer takes most of the bar then.
    ...atMost("JavaScript's thread, for one of ten sets of 12 MP", 'ms', bars.threadMsACall, threadOfPhotos),
    heldIn: 'nowhere',
  },
  atMost("JavaScript's thread, for one fetch that finds", 'ms', bars.threadMsACall, threadOfHits),
  exactly('requests for twenty calls for one content', bars.fetches, fetches),
  atMost('from giving up to the end, the longest of nine', 'ms', bars.abortMs, aborts),
  exactly('files that nine sets leave which were given up', 0, filesOfAborted),
  atMost('a look at the cache, in looks that find no id to look for', '', bars.peekInCalls, peekInNoOps),
  {
    // Told in Node, where records cost more than texts alone, and held where the app runs.
    ...atMost('a look at the cache, in calls of canonicalCid', '', bars.peekInCalls, peekInCanonical),
    heldIn: 'JSI',
  },
  atMost(`left behind by a look, over ${bars.leakCalls}`, 'bytes', bars.leakBytes - 1, leakOfPeek),
  atMost(`left behind by a fetch that finds, over ${bars.leakCalls}`, 'bytes', bars.leakBytes - 1, leakOfHits),
  exactly('networks, decoders and listeners alive of 150', bars.alive, alive),
  atMost('the stripped library', 'MiB', bars.libraryMib, async ({ host }) => librarySize(host), 1),
];

/** Measures all, prints a table, and answers whether each passes its bar. */
export async function figures(host: Host, only = ''): Promise<boolean> {
  let failed = 0;
  const chosen = all.filter((figure) => figure.name.includes(only));
  host.print(`| figure, in ${host.name} | measured | bar | |`);
  host.print('|---|---|---|---|');
  for (const [at, figure] of chosen.entries()) {
    let value = NaN;
    let passes = false;
    let problem = '';
    const held = host.name.startsWith(figure.heldIn ?? '');
    const tries = held ? figure.tries : 1;
    for (let attempt = 1; attempt <= tries && !passes; attempt++) {
      if (attempt > 1) await pause(host, Math.min(1000 * 2 ** (attempt - 2), 20_000));
      problem = '';
      const folder = `${host.scratch}/figure-${at}-${attempt}`;
      try {
        value = await figure.measure({ host, folder, file: (name) => `${host.fixtures}/${name}` });
        passes = figure.passes(value);
      } catch (error) {
        problem = ` ${String(error)}`;
      }
    }
    failed += passes || !held ? 0 : 1;
    const verdict = passes ? 'ok' : held ? 'FAILED' : 'told only';
    const shown = Number.isInteger(value) ? `${value}` : value.toPrecision(3);
    const unit = figure.unit && ` ${figure.unit}`;
    host.print(`| ${figure.name} | ${shown}${unit}${problem} | ${figure.bar}${unit} | ${verdict} |`);
  }
  host.print(`${chosen.length - failed} passed, ${failed} failed`);
  return failed === 0;
}

// --- the thread of JavaScript --------------------------------------------------------------------

/** Ticks that come while `act` is done, in one millisecond. */
async function tickRate(host: Host, act: () => Promise<unknown>): Promise<number> {
  let count = 0;
  const begun = host.now();
  const stop = host.every(5, () => void (count += 1));
  await act();
  stop();
  return count / (host.now() - begun);
}

async function ticks(stage: Stage): Promise<number> {
  const { host } = stage;
  // A second, so that one tick more or less does not decide.
  const busy = await tickRate(host, async () => {
    const end = host.now() + 1000;
    for (let side = 100; host.now() < end; side += 10) {
      const sides = Array.from({ length: 10 }, (_, i) => side + i);
      await Promise.all(sides.map((thumbnailSidePx) => setOf(stage, 'photo.jpg', { thumbnailSidePx })));
    }
  });
  const quiet = await tickRate(host, () => pause(host, 1000));
  return busy / quiet;
}

/** How long the thread works for one of many calls, in the least disturbed of ten stretches. */
async function thread(host: Host, times: number, call: () => Promise<unknown>): Promise<number> {
  for (let warm = 0; warm < 5 * times; warm++) await call();
  const stretches: number[] = [];
  for (let stretch = 0; stretch < 10; stretch++) {
    const begun = host.worked();
    for (let time = 0; time < times; time++) await call();
    stretches.push((host.worked() - begun) / times);
  }
  return Math.min(...stretches);
}

/** Ten sets of a file at once. */
function tenSets(stage: Stage, name: string): Promise<unknown> {
  return Promise.all(Array.from({ length: 10 }, () => setOf(stage, name)));
}

async function threadOfSets(stage: Stage): Promise<number> {
  return (await thread(stage.host, 4, () => tenSets(stage, 'small.jpg'))) / 10;
}

async function threadOfPhotos(stage: Stage): Promise<number> {
  await tenSets(stage, 'photo.jpg');
  const begun = stage.host.worked();
  await tenSets(stage, 'photo.jpg');
  return (stage.host.worked() - begun) / 10;
}

async function threadOfHits(stage: Stage): Promise<number> {
  const { cache } = await helloCache(stage);
  const taken = await thread(stage.host, 100, () => cache.getCachedOrFetch(content(HELLO)));
  await cache.close();
  return taken;
}

// --- the network, and giving up ------------------------------------------------------------------

async function fetches(stage: Stage): Promise<number> {
  const { cache, shelf } = await helloCache(stage);
  await Promise.all(Array.from({ length: 20 }, () => cache.getCachedOrFetch(content(HELLO))));
  await cache.close();
  return shelf.asked.length;
}

async function aborts(stage: Stage): Promise<number> {
  const set = (options: { signal: AbortSignal }) =>
    generateThumbnailSet(request(stage, 'photo.jpg'), undefined, undefined, options);
  const took: number[] = [];
  for (const ms of [1, 2, 3, 4, 5, 6, 8, 10, 12]) took.push(await endsAfter(stage, set, ms));
  return Math.max(...took);
}

async function filesOfAborted(stage: Stage): Promise<number> {
  await aborts(stage);
  await pause(stage.host, 500);
  return stage.host.names(stage.folder).length;
}

// --- a look at the cache -------------------------------------------------------------------------

/** What one call takes of another's time: the median of many rounds, in which both take turns. */
function ratio(host: Host, one: () => unknown, other: () => unknown): number {
  const timed = (call: () => unknown) => {
    const begun = host.now();
    for (let time = 0; time < 500; time++) call();
    return host.now() - begun;
  };
  timed(one);
  timed(other);
  const ratios = Array.from({ length: 41 }, () => timed(one) / timed(other));
  return ratios.sort((less, more) => less - more)[20] ?? NaN;
}

async function peekInNoOps(stage: Stage): Promise<number> {
  const { cache } = await helloCache(stage);
  await cache.getCachedOrFetch(content(HELLO));
  const [wanted, none] = [content(HELLO), content(`-${HELLO.slice(1)}`)];
  const found = ratio(stage.host, () => cache.peek(wanted), () => cache.peek(none));
  await cache.close();
  return found;
}

async function peekInCanonical(stage: Stage): Promise<number> {
  const { cache } = await helloCache(stage);
  await cache.getCachedOrFetch(content(HELLO));
  const wanted = content(HELLO);
  const found = ratio(stage.host, () => cache.peek(wanted), () => canonicalCid(HELLO));
  await cache.close();
  return found;
}

// --- what is left behind -------------------------------------------------------------------------

async function leak(host: Host, calls: (times: number) => unknown): Promise<number> {
  const settled = async () => {
    for (let round = 0; round < 3; round++) {
      host.collect();
      await pause(host, 20);
    }
    return host.memory();
  };
  // What is allocated once, and code that is compiled, is there before the first measure.
  await calls(20_000);
  const before = await settled();
  await calls(bars.leakCalls);
  return Math.max(0, (await settled()) - before) / bars.leakCalls;
}

async function leakOfPeek(stage: Stage): Promise<number> {
  const { cache } = await helloCache(stage);
  await cache.getCachedOrFetch(content(HELLO));
  const left = await leak(stage.host, async (times) => {
    for (let time = 0; time < times; time++) {
      cache.peek(content(HELLO));
      if (time % 1000 === 0) await pause(stage.host, 1);
    }
  });
  await cache.close();
  return left;
}

async function leakOfHits(stage: Stage): Promise<number> {
  const { cache } = await helloCache(stage);
  await cache.getCachedOrFetch(content(HELLO));
  const left = await leak(stage.host, async (times) => {
    for (let time = 0; time < times; time++) await cache.getCachedOrFetch(content(HELLO));
  });
  await cache.close();
  return left;
}

/** What the library was lent fifty times each, seen without holding it. */
async function lent(stage: Stage): Promise<WeakRef<object>[]> {
  const seen: WeakRef<object>[] = [];
  const lend = <T extends object>(thing: T): T => {
    seen.push(new WeakRef(thing));
    return thing;
  };
  for (let number = 0; number < 50; number++) {
    const settings: Partial<CacheSettings> = { folder: `${stage.folder}/${number}` };
    const shelf = lend(new Shelf(stage, 1));
    await shelf.holding('hello world');
    const cache = await cacheOf(stage, shelf, settings);
    await cache.getCachedOrFetch(content(HELLO), lend({ told: () => undefined }));
    await cache.close();
    cache.uniffiDestroy();
    const decoder = lend({ decode: async () => stage.file('small.jpg') });
    await generateThumbnailSet(request(stage, 'card.heic'), decoder);
  }
  return seen;
}

async function alive(stage: Stage): Promise<number> {
  const { host } = stage;
  const seen = await lent(stage);
  const left = () => seen.filter((thing) => thing.deref() !== undefined).length;
  const gone = async () => {
    host.collect();
    await pause(host, 10);
    return left() === 0;
  };
  await until(host, gone, 'all are gone', 5_000).catch(() => undefined);
  return left();
}

function librarySize(host: Host): number {
  return (host.size(host.library) ?? NaN) / (1 << 20);
}
