/** expo-video, if the app has it: the part that is used here. */

/** A player without a view. */
export interface VideoPlayer {
  readonly status: 'idle' | 'loading' | 'readyToPlay' | 'error';
  addListener(event: 'statusChange', told: (change: { status: string }) => void): { remove(): void };
  /** `times` in seconds. The answer's items are pictures of the system's. */
  generateThumbnailsAsync(
    times: number[],
    options?: { maxWidth?: number; maxHeight?: number },
  ): Promise<unknown[]>;
  release(): void;
}

/** What is used of the package. */
export interface Video {
  createVideoPlayer(source: string): VideoPlayer;
}

/** The package, or nothing. */
export function video(): Video | undefined {
  try {
    return require('expo-video') as Video;
  } catch {
    return undefined;
  }
}
