/**
 * What a case needs of the machine it runs on.
 *
 * JavaScript itself knows no files, no clock and no processes, and each runtime has its own. The suite
 * asks for them here alone, so that the same bundle runs in Node and in a bare JSI runtime.
 */
export interface Host {
  /** The runtime's name, for the report. */
  readonly name: string;
  /** What `bindings/tests/fixtures` made. */
  readonly fixtures: string;
  /** A folder of this run's own, empty at its start. */
  readonly scratch: string;
  /** The text of `bindings/tests/cases.txt`. */
  readonly list: string;
  /** The library as it is shipped, without symbols. */
  readonly library: string;

  /** Writes one line to standard output. */
  print(line: string): void;
  /** Milliseconds since some moment. Never goes back. */
  now(): number;
  /** For how many milliseconds the thread of JavaScript has had a processor. */
  worked(): number;
  /** What the process has in memory, in bytes. */
  memory(): number;
  /** Collects what nothing refers to. */
  collect(): void;
  /** Calls `act` again and again, until the answer is called. */
  every(ms: number, act: () => void): () => void;

  /** A file as text. */
  read(path: string): string;
  /** Makes or replaces a file. */
  write(path: string, text: string): void;
  /** Copies a file. */
  copy(from: string, to: string): void;
  /** A file's length in bytes; nothing when it is not there. */
  size(path: string): number | undefined;
  /** The names in a folder, sorted; none when it is not there. */
  names(folder: string): string[];
  /** Makes a folder. */
  makeFolder(path: string): void;

  /** Starts another program; the answer ends it. */
  start(program: string, ...args: string[]): () => void;
  /** Runs this suite in a process of its own, with a mode of `main`, and waits for its end. */
  again(mode: string): { status: number; ms: number; output: string };
  /** Takes the runtime away at once, whatever is going on, and ends the process with status 0. */
  leave(): void;
}
