/** Where both runtimes begin: the cases, the figures, or an end in the middle. */

import { pickUp } from 'finalmile';

import { caching } from './cache';
import { pause } from './check';
import { cids } from './cids';
import { decoders } from './decoders';
import { figures } from './figures';
import { files } from './files';
import { givingUp } from './giving_up';
import { type Cases, run } from './harness';
import type { Host } from './host';
import { pictures } from './pictures';
import { placeholders } from './placeholders';
import { throttling } from './throttle';
import { afterwards, beginCalls, together } from './together';

const cases: Cases = {
  ...pictures,
  ...placeholders,
  ...decoders,
  ...files,
  ...cids,
  ...caching,
  ...givingUp,
  ...throttling,
  ...together,
};

/**
 * Runs in a mode, and answers whether all was as it should be:
 *
 * - `cases`, or those whose names begin with `only`;
 * - `figures`, or those whose names have `only` in them;
 * - `torn-down`: begins calls and takes the runtime away under them;
 * - `after`: what a new runtime in the same process does then.
 */
export async function main(host: Host, mode: string, only = ''): Promise<boolean> {
  // A runtime begins, perhaps after another in the same process.
  pickUp();
  switch (mode) {
    case 'cases':
      return run(host, cases, only);
    case 'figures':
      return figures(host, only);
    case 'torn-down':
      await beginCalls({ host, folder: `${host.scratch}/torn`, file: (name) => `${host.fixtures}/${name}` });
      // Some are answered by the network or the decoder, which never end, and some work.
      await pause(host, 30);
      host.print('calls are under way');
      host.leave();
      return true;
    case 'after':
      return afterwards({ host, folder: `${host.scratch}/after`, file: (name) => `${host.fixtures}/${name}` });
    default:
      host.print(`no mode is called ${mode}`);
      return false;
  }
}
