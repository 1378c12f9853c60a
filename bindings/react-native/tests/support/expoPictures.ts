/** expo-image-manipulator and expo-video, as far as the default decoder goes. */
import fs from 'node:fs';

import { disk } from './fileSystem';

export const pictures = {
  size: { width: 4000, height: 3000 },
  resized: [] as object[],
  manipulated: [] as unknown[],
  released: 0,
  fail: false,
};

export const videos = {
  asked: [] as { times: number[]; options: unknown }[],
  players: 0,
  released: 0,
  /** The frames of each asking, in turn. */
  frames: [] as unknown[][],
  status: 'readyToPlay',
  becomes: 'readyToPlay',
};

let saved = 0;

function picture(width: number, height: number) {
  return {
    width,
    height,
    release: () => void (pictures.released += 1),
    saveAsync: async ({ format, compress }: { format: string; compress: number }) => {
      if (pictures.fail) {
        throw new Error('no space');
      }
      expect([format, compress]).toEqual(['jpeg', 0.95]);
      const path = `${disk.root}/ImageManipulator-${(saved += 1)}.jpg`;
      fs.writeFileSync(path, 'a jpeg');
      return { uri: `file://${path}` };
    },
  };
}

export const ImageManipulator = {
  manipulate(source: unknown) {
    pictures.manipulated.push(source);
    let { width, height } = pictures.size;
    const context = {
      resize(size: { width?: number; height?: number }) {
        pictures.resized.push(size);
        const factor = size.width === undefined ? size.height! / height : size.width / width;
        width = Math.round(width * factor);
        height = Math.round(height * factor);
        return context;
      },
      renderAsync: async () => picture(width, height),
    };
    return context;
  },
};

export function createVideoPlayer(_uri: string) {
  videos.players += 1;
  return {
    status: videos.status,
    addListener: (_: string, told: (change: { status: string }) => void) => {
      const timer = setTimeout(() => told({ status: videos.becomes }), 5);
      return { remove: () => clearTimeout(timer) };
    },
    generateThumbnailsAsync: async (times: number[], options: unknown) => {
      videos.asked.push({ times, options });
      return videos.frames.shift() ?? [];
    },
    release: () => void (videos.released += 1),
  };
}
