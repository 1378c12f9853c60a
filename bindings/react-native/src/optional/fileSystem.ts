/**
 * expo-file-system, if the app has it: the part of its `legacy` entry that is used here.
 *
 * Its newer classes reject every status but 2xx and do not tell it, nor any header, and the cache must know
 * both (a 404 is no broken line, and `Retry-After` is a header); `createDownloadResumable` tells them.
 */

/** What is used of `expo-file-system/legacy`. */
export interface FileSystem {
  readonly cacheDirectory: string | null;
  copyAsync(options: { from: string; to: string }): Promise<void>;
  deleteAsync(uri: string, options?: { idempotent?: boolean }): Promise<void>;
  makeDirectoryAsync(uri: string, options?: { intermediates?: boolean }): Promise<void>;
  getInfoAsync(uri: string): Promise<{ exists: boolean; size?: number }>;
  createDownloadResumable(
    url: string,
    fileUri: string,
    options?: { headers?: Record<string, string>; sessionType?: number },
  ): Download;
}

/** A download that can be given up. */
export interface Download {
  /** Nothing, when it was given up. */
  downloadAsync(): Promise<{ status: number; headers: Record<string, string> } | null | undefined>;
  cancelAsync(): Promise<void>;
}

/** The package, or nothing. */
export function fileSystem(): FileSystem | undefined {
  // Metro lets a `require` fail only if it stands, spelled out, in a `try` block.
  try {
    return require('expo-file-system/legacy') as FileSystem;
  } catch {
    return undefined;
  }
}
