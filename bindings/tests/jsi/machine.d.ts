/** What runner.cpp gives. */
declare const machine: {
  /** The bundle, the mode, and the other words of the command line. */
  readonly words: string[];
  print(line: string): void;
  now(): number;
  worked(): number;
  memory(): number;
  collect(): void;
  read(path: string): string;
  write(path: string, text: string): void;
  copy(from: string, to: string): void;
  size(path: string): number | undefined;
  names(folder: string): string[];
  makeFolder(path: string): void;
  start(words: string[]): number;
  stop(pid: number): void;
  again(mode: string): { status: number; ms: number; output: string };
  leave(): void;
  exit(status: number): void;
};
