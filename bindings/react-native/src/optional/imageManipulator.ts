/** expo-image-manipulator, if the app has it: the part that is used here. */

/** A picture of the system's, not yet decoded. */
export interface Manipulation {
  resize(size: { width?: number | null; height?: number | null }): Manipulation;
  renderAsync(): Promise<Rendered>;
}

/** A decoded picture of the system's. */
export interface Rendered {
  readonly width: number;
  readonly height: number;
  saveAsync(options: { format: 'jpeg'; compress: number }): Promise<{ uri: string }>;
  release?(): void;
}

/** What is used of the package. */
export interface ImageManipulator {
  /** `source`: a URI, or a picture that another of Expo's packages holds. */
  manipulate(source: unknown): Manipulation;
}

/** The package, or nothing. */
export function imageManipulator(): ImageManipulator | undefined {
  try {
    const found = require('expo-image-manipulator') as { ImageManipulator?: ImageManipulator };
    return found.ImageManipulator;
  } catch {
    return undefined;
  }
}
