/** The suite in Node: what a case needs of the machine comes from Node's own modules. */

import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';

import { performance } from 'node:perf_hooks';

import type { Host } from '../suite/host';
import { main } from '../suite/main';

const [, bundle = '', mode = 'cases', fixtures = '', scratch = '', list = '', library = '', only = ''] = process.argv;

class NodeHost implements Host {
  readonly name = `Node ${process.version}`;
  readonly fixtures = fixtures;
  readonly scratch = scratch;
  readonly list = readFileSync(list, 'utf8');
  readonly library = library;

  print(line: string): void {
    process.stdout.write(`${line}\n`);
  }

  now(): number {
    return performance.now();
  }

  worked(): number {
    // Linux counts a thread's nanoseconds on a processor; the main thread is called as the process.
    const path = `/proc/self/task/${process.pid}/schedstat`;
    if (!existsSync(path)) return performance.eventLoopUtilization().active;
    return Number(readFileSync(path, 'utf8').split(' ')[0]) / 1e6;
  }

  memory(): number {
    return process.memoryUsage.rss();
  }

  collect(): void {
    globalThis.gc?.();
  }

  every(ms: number, act: () => void): () => void {
    const timer = setInterval(act, ms);
    return () => clearInterval(timer);
  }

  read(path: string): string {
    return readFileSync(path, 'utf8');
  }

  write(path: string, text: string): void {
    writeFileSync(path, text);
  }

  copy(from: string, to: string): void {
    copyFileSync(from, to);
  }

  size(path: string): number | undefined {
    return statSync(path, { throwIfNoEntry: false })?.size;
  }

  names(folder: string): string[] {
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }

  makeFolder(path: string): void {
    mkdirSync(path, { recursive: true });
  }

  start(program: string, ...args: string[]): () => void {
    const child = spawn(program, args, { stdio: 'ignore' });
    return () => void child.kill();
  }

  again(mode: string) {
    const begun = performance.now();
    const folder = `${scratch}/again`;
    mkdirSync(folder, { recursive: true });
    const args = [...process.execArgv, bundle, mode, fixtures, folder, list, library];
    const child = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 15_000 });
    const output = child.stdout + child.stderr;
    return { status: child.status ?? -1, ms: performance.now() - begun, output };
  }

  leave(): void {
    process.exit(0);
  }
}

// A rejection that nobody hears is a fault of a case or of the bindings.
process.on('unhandledRejection', (error) => {
  console.error('nobody heard this:', error);
  process.exit(1);
});

const passed = await main(new NodeHost(), mode, only);
// What a case left under way, such as a network that never answers, must not keep the process.
process.exit(passed ? 0 : 1);
