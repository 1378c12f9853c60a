/** The throttle: how many uploads are under way at once, and whose turn it is. */

import { ThrottleRequest, type ThrottlePermitLike, UploadThrottle } from 'finalmile';

import { aborted, failure, pause, same, until } from './check';
import type { Cases, Stage } from './harness';

const by = (caller: string) => ThrottleRequest.create({ caller });

/** Lets the line move on. */
const moment = (stage: Stage) => pause(stage.host, 50);

export const throttling: Cases = {
  async throttle_two(stage) {
    const throttle = new UploadThrottle(2);
    // Held to the end: a permit that nobody holds is given back when it is collected.
    const [first, second] = await Promise.all([throttle.enter(by('ada')), throttle.enter(by('ada'))]);
    let third: ThrottlePermitLike | undefined;
    const waits = throttle.enter(by('ada')).then((permit) => (third = permit));
    await moment(stage);
    same([throttle.inside(), throttle.waiting(), third], [2, 1, undefined], 'while two are inside');
    first?.release();
    const last = await waits;
    same([throttle.inside(), throttle.waiting()], [2, 0], 'afterwards');
    second?.release();
    last.release();
    same(throttle.inside(), 0, 'when all have gone');
  },

  async throttle_turns(stage) {
    const throttle = new UploadThrottle(1);
    const entered: string[] = [];
    const gate = await throttle.enter(by('gate'));
    const turn = async (caller: string) => {
      const permit = await throttle.enter(by(caller));
      entered.push(caller);
      permit.release();
    };
    const turns: Promise<void>[] = [];
    for (const caller of ['ada', 'ada', 'ada', 'bob', 'bob', 'eve']) {
      turns.push(turn(caller));
      await until(stage.host, () => throttle.waiting() === turns.length, `${caller} waits`);
    }
    gate.release();
    await Promise.all(turns);
    same(entered, ['ada', 'bob', 'eve', 'ada', 'bob', 'ada'], 'the turns');
  },

  async throttle_abort(stage) {
    const throttle = new UploadThrottle(1);
    const permit = await throttle.enter(by('ada'));
    const control = new AbortController();
    const gone = aborted(throttle.enter(by('bob'), { signal: control.signal }), 'whoever waits');
    const next = throttle.enter(by('eve'));
    await until(stage.host, () => throttle.waiting() === 2, 'two wait');
    control.abort();
    await gone;
    await until(stage.host, () => throttle.waiting() === 1, 'one waits');
    permit.release();
    (await next).release();
    await until(stage.host, () => throttle.inside() === 0, 'nobody is inside');
    same(throttle.waiting(), 0, 'who waits');
  },

  async throttle_release(stage) {
    const throttle = new UploadThrottle(1);
    const permit = await throttle.enter(by('ada'));
    const second = throttle.enter(by('bob'));
    const third = throttle.enter(by('eve'));
    await until(stage.host, () => throttle.waiting() === 2, 'two wait');
    permit.release();
    permit.release();
    await second;
    await moment(stage);
    same([throttle.inside(), throttle.waiting()], [1, 1], 'after two releases of one place');
    (await second).release();
    (await third).release();
    same(throttle.inside(), 0, 'who is inside');
  },

  async throttle_none() {
    same((await failure(() => new UploadThrottle(0), 'a throttle for nobody')).code, 'INVALID_ARGUMENT', 'the code');
  },
};
