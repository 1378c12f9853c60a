import { createQueue, PQueue } from '../../src/index';
import { rejection, settled } from '../support/wait';

/** A task that ends when it is told to. */
function held<T>(value: T) {
  let end = (): void => {};
  let fail = (_: unknown): void => {};
  const done = new Promise<T>((resolve, reject) => {
    end = () => resolve(value);
    fail = reject;
  });
  const task = jest.fn((_: { signal: AbortSignal }) => done);
  return { task, end, fail };
}

test('J19 two run at once, and the third when one has ended', async () => {
  const queue = createQueue();
  const [a, b, c] = [held('a'), held('b'), held('c')];
  const answers = [a, b, c].map(({ task }) => queue.add(task));
  await settled();
  expect([queue.pending, queue.size]).toEqual([2, 1]);
  expect(c.task).not.toHaveBeenCalled();
  a.end();
  await settled();
  expect(c.task).toHaveBeenCalledTimes(1);
  expect([queue.pending, queue.size]).toEqual([2, 0]);
  b.end();
  c.end();
  expect(await Promise.all(answers)).toEqual(['a', 'b', 'c']);
  await queue.onIdle();
  expect(queue.pending).toBe(0);
});

test('J19 never more than it may, over a thousand', async () => {
  const queue = new PQueue({ concurrency: 3 });
  let inside = 0;
  let most = 0;
  const tasks = Array.from({ length: 1000 }, (_, n) => async () => {
    inside += 1;
    most = Math.max(most, inside);
    await Promise.resolve();
    inside -= 1;
    return n;
  });
  expect(await queue.addAll(tasks)).toEqual(tasks.map((_, n) => n));
  expect(most).toBe(3);
});

test('J19 one that throws, rejects or is nothing leaves its place', async () => {
  const queue = createQueue({ concurrency: 1 });
  const boom = new Error('boom');
  expect(await rejection(queue.add(() => { throw boom; }))).toBe(boom);
  expect(await rejection(queue.add(() => Promise.reject(boom)))).toBe(boom);
  expect(await rejection(queue.add(undefined as never))).toBeInstanceOf(TypeError);
  expect(await queue.add(() => 'next')).toBe('next');
});

test('J20 callers take turns: one who adds many does not keep another waiting', async () => {
  const queue = createQueue({ concurrency: 1 });
  const order: string[] = [];
  const add = (caller: string, n: number): Promise<void> =>
    queue.add(async () => { order.push(`${caller}${n}`); }, { caller });
  const all = [0, 1, 2, 3, 4].map((n) => add('a', n)).concat([0, 1].map((n) => add('b', n)), add('c', 0));
  await Promise.all(all);
  expect(order.indexOf('b0')).toBeLessThanOrEqual(3);
  expect(order.indexOf('c0')).toBeLessThanOrEqual(3);
  expect(order.indexOf('b1')).toBeLessThan(order.indexOf('a4'));
  expect(order.filter((one) => one.startsWith('a'))).toEqual(['a0', 'a1', 'a2', 'a3', 'a4']);
});

test('J20 of one caller, the higher priority goes first, and of equals the first', async () => {
  const queue = createQueue({ concurrency: 1 });
  const first = held('first');
  const order: string[] = [];
  const add = (name: string, priority: number): Promise<void> =>
    queue.add(() => { order.push(name); }, { priority });
  const all: Promise<unknown>[] = [queue.add(first.task)];
  await settled();
  all.push(add('low', 0), add('high', 10), add('low too', 0), add('highest', 20));
  first.end();
  await Promise.all(all);
  expect(order).toEqual(['highest', 'high', 'low', 'low too']);
});

test('J21 one that is aborted while it waits leaves the line and never runs', async () => {
  const queue = createQueue({ concurrency: 1 });
  const [a, b, c] = [held('a'), held('b'), held('c')];
  const stop = new AbortController();
  const first = queue.add(a.task);
  const gone = rejection(queue.add(b.task, { signal: stop.signal }));
  const last = queue.add(c.task);
  await settled();
  stop.abort();
  expect(await gone).toMatchObject({ code: 'CANCELLED', name: 'AbortError' });
  expect(queue.size).toBe(1);
  a.end();
  c.end();
  expect(await Promise.all([first, last])).toEqual(['a', 'c']);
  expect(b.task).not.toHaveBeenCalled();
});

test('J21 one that was aborted before it was added never runs', async () => {
  const queue = createQueue();
  const stop = new AbortController();
  stop.abort();
  const { task } = held('a');
  expect(await rejection(queue.add(task, { signal: stop.signal }))).toMatchObject({ code: 'CANCELLED' });
  expect(task).not.toHaveBeenCalled();
});

test('J19 one that is aborted while it runs rejects at once, and its place is free when it has ended', async () => {
  const queue = createQueue({ concurrency: 1 });
  const a = held('a');
  const stop = new AbortController();
  const gone = rejection(queue.add(a.task, { signal: stop.signal }));
  const next = queue.add(() => 'next');
  await settled();
  stop.abort();
  expect(await gone).toMatchObject({ code: 'CANCELLED' });
  expect(a.task.mock.calls[0]![0].signal.aborted).toBe(true);
  expect([queue.pending, queue.size]).toEqual([1, 1]);
  a.end();
  expect(await next).toBe('next');
});

test('J21 what is cleared rejects, what runs goes on', async () => {
  const queue = createQueue({ concurrency: 1 });
  const [a, b] = [held('a'), held('b')];
  const first = queue.add(a.task);
  await settled();
  const gone = [queue.add(b.task), queue.add(b.task)].map(rejection);
  queue.clear();
  expect(await Promise.all(gone)).toEqual([0, 1].map(() => expect.objectContaining({ code: 'CANCELLED' })));
  await queue.onEmpty();
  expect(queue.pending).toBe(1);
  a.end();
  expect(await first).toBe('a');
  expect(b.task).not.toHaveBeenCalled();
});

test('a paused queue begins nothing, and goes on when it is started', async () => {
  const queue = createQueue({ concurrency: 2, autoStart: false });
  const task = jest.fn(() => 'done');
  const answers = [queue.add(task), queue.add(task), queue.add(task)];
  await settled();
  expect([queue.isPaused, queue.size, queue.pending, task.mock.calls.length]).toEqual([true, 3, 0, 0]);
  queue.start();
  expect(await Promise.all(answers)).toEqual(['done', 'done', 'done']);
  queue.pause();
  const later = queue.add(task);
  await settled();
  expect(task).toHaveBeenCalledTimes(3);
  queue.pause();
  queue.start().start();
  expect(await later).toBe('done');
  await queue.onIdle();
});

test.each(Array.from({ length: 12 }, (_, turns) => turns))(
  'a pause that comes %i turns after a place was left begins nothing more',
  async (turns) => {
    const queue = createQueue({ concurrency: 1 });
    const a = held('a');
    const task = jest.fn(() => 'done');
    const all = [queue.add(a.task), queue.add(task), queue.add(task)];
    await settled();
    a.end();
    for (let turn = 0; turn < turns; turn += 1) {
      await Promise.resolve();
    }
    queue.pause();
    const begun = task.mock.calls.length;
    await settled();
    expect([task.mock.calls.length, queue.size]).toEqual([begun, 2 - begun]);
    queue.start();
    expect(await Promise.all(all)).toEqual(['a', 'done', 'done']);
    await queue.onIdle();
  },
);

test('onIdle and onEmpty of a queue with nothing in it resolve', async () => {
  const queue = createQueue();
  await Promise.all([queue.onIdle(), queue.onEmpty()]);
});

test.each([0, -1, 1.5, Number.NaN, '2' as never])('J12 a concurrency of %s is INVALID_ARGUMENT', (concurrency) => {
  expect(() => createQueue({ concurrency })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
});

test('J21 a queue under a storm of aborts comes to rest', async () => {
  const queue = createQueue({ concurrency: 2 });
  const all = Array.from({ length: 300 }, (_, n) => {
    const stop = new AbortController();
    if (n % 3 === 0) {
      setTimeout(() => stop.abort(), n % 7);
    }
    const task = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, n % 2));
    return queue.add(task, { signal: stop.signal, caller: `${n % 5}`, priority: n % 4 }).catch(() => {});
  });
  queue.pause();
  setTimeout(() => queue.start(), 3);
  await Promise.all(all);
  await queue.onIdle();
  expect([queue.size, queue.pending]).toEqual([0, 0]);
});
