/** The cache of the guide, word for word: it still compiles; `replaced.tsx` is what takes its place. */
import * as FileSystem from 'expo-file-system/legacy';

const cacheDir = `${FileSystem.cacheDirectory}ipfs/`;

async function getCachedOrFetch(cid: string): Promise<string> {
  const cacheFile = `${cacheDir}${cid}`;
  const info = await FileSystem.getInfoAsync(cacheFile);

  if (info.exists) {
    return cacheFile;
  }

  await FileSystem.downloadAsync(
    `${PINATA_GATEWAY}/${cid}`,
    cacheFile
  );

  return cacheFile;
}
