/** What the figures are held against. Each is measured by `figures.ts` in both runtimes. */
export const bars = {
  /** Ticks of a 5 ms timer while ten sets are made, of those in the same time when nothing is done: at least. */
  ticksShare: 0.9,
  /** Time that the thread of JavaScript works for one set, in milliseconds: at most. */
  threadMsACall: 0.2,
  /** Requests for twenty calls for one content: exactly. */
  fetches: 1,
  /** From giving a call up to its end, in milliseconds: at most. */
  abortMs: 50,
  /** A look at the cache that finds something, measured in calls that carry the same text and do nothing: at most. */
  peekInCalls: 2,
  /** Bytes that a call leaves behind, over so many calls: fewer than. */
  leakBytes: 300,
  leakCalls: 60_000,
  /** Networks, decoders and listeners that the library still holds when all was disposed of: exactly. */
  alive: 0,
  /** The stripped library of Linux, in MiB: at most. */
  libraryMib: 8,
} as const;
