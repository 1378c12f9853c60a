/** The suite in a bare JSI runtime: what a case needs of the machine comes from runner.cpp. */

import './polyfills';

import finalmile from '../generated/jsi/finalmile';
import { hoist } from '../../react-native/src/hoist';
import type { Host } from '../suite/host';
import { main } from '../suite/main';

const [, mode = 'cases', fixtures = '', scratch = '', list = '', library = '', only = ''] = machine.words;

const host: Host = {
  name: 'JSI on JavaScriptCore',
  fixtures,
  scratch,
  list: machine.read(list),
  library,
  print: machine.print,
  now: machine.now,
  worked: machine.worked,
  memory: machine.memory,
  collect: machine.collect,
  every(ms, act) {
    const timer = setInterval(act, ms);
    return () => clearInterval(timer);
  },
  read: machine.read,
  write: machine.write,
  copy: machine.copy,
  size: machine.size,
  names: machine.names,
  makeFolder: machine.makeFolder,
  start(program, ...args) {
    const pid = machine.start([program, ...args]);
    return () => machine.stop(pid);
  },
  again: machine.again,
  leave: machine.leave,
};

finalmile.initialize();
// As the npm package does.
hoist();
main(host, mode, only).then(
  (passed) => {
    // A runtime that was taken away has no status of its own.
    if (mode !== 'torn-down') machine.exit(passed ? 0 : 1);
  },
  (error) => {
    machine.print(`nobody caught: ${error}\n${error?.stack}`);
    machine.exit(1);
  },
);
