/**
 * Runs the cases, and says of each in one line how it went.
 *
 * The list in `cases.txt` is the specification: its order is the order here, and a case that it lacks
 * or that it alone has is a failure.
 */

import { pause } from './check';
import type { Host } from './host';

/** What a case gets. */
export interface Stage {
  readonly host: Host;
  /** A folder of its own, which is not there yet. */
  readonly folder: string;
  /** The path of a file that `fixtures` made. */
  file(name: string): string;
}

export type Case = (stage: Stage) => Promise<void>;

/** Cases by their names. */
export type Cases = Readonly<Record<string, Case>>;

/** How long a case may take. */
const LONGEST_MS = 20_000;

/** Runs the cases whose names begin with `only`; `true` when all did as they should. */
export async function run(host: Host, cases: Cases, only = ''): Promise<boolean> {
  const listed = host.list.split('\n').filter((line) => /^[a-z0-9_]+:/.test(line));
  const names = listed.map((line) => line.slice(0, line.indexOf(':')));
  let failed = 0;
  let number = 0;
  const report = (name: string, problem: string | undefined, ms: number) => {
    failed += problem === undefined ? 0 : 1;
    number += 1;
    host.print(`${problem === undefined ? 'ok' : 'not ok'} ${number} - ${name} # ${ms.toFixed(0)} ms`);
    if (problem !== undefined) host.print(`  ${problem.split('\n').join('\n  ')}`);
  };

  host.print(`# ${names.length} cases in ${host.name}`);
  for (const name of Object.keys(cases).filter((name) => !names.includes(name))) {
    report(name, 'cases.txt does not list it', 0);
  }
  for (const name of names.filter((name) => name.startsWith(only))) {
    const act = cases[name];
    const begun = host.now();
    const problem = act === undefined ? 'it is not written' : await played(host, name, act);
    report(name, problem, host.now() - begun);
  }
  host.print(`1..${number}`);
  host.print(`${number - failed} passed, ${failed} failed`);
  return failed === 0 && number > 0;
}

async function played(host: Host, name: string, act: Case): Promise<string | undefined> {
  const folder = `${host.scratch}/${name}`;
  const stage: Stage = { host, folder, file: (file) => `${host.fixtures}/${file}` };
  const late = pause(host, LONGEST_MS).then(() => `not done after ${LONGEST_MS / 1000} s`);
  try {
    return await Promise.race([act(stage).then(() => undefined), late]);
  } catch (error) {
    return error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error);
  }
}
