/** Which shares are kept for offline use. The cache keeps the pins; which ones the app asked for, the app knows. */
import { File } from 'expo-file-system';
import { useSyncExternalStore } from 'react';
import type { IpfsCache } from 'react-native-finalmile';

import { folder } from './service/shares';
import type { Share } from './service/types';

let pinned: readonly string[] | undefined;
const listeners = new Set<() => void>();

/** The ids of the shares that are pinned. */
export function usePins(): readonly string[] {
  return useSyncExternalStore(listen, pins);
}

/** Pins the share's file and its small pictures, or lets them go; fetches what is not there yet. */
export async function setPinned(cache: IpfsCache, share: Share, pin: boolean): Promise<void> {
  const others = pins().filter((id) => id !== share.id);
  write(pin ? [...others, share.id] : others);
  const cids = [share.display_cid, share.preview_cid, share.ipfs_cid].filter((cid) => cid !== null);
  await Promise.all(cids.map((cid) => (pin ? cache.pin(cid) : cache.unpin(cid))));
  if (pin) {
    await cache.prefetch(cids);
  }
}

/** Empties the cache, and with it the pins. */
export async function clearAll(cache: IpfsCache): Promise<void> {
  await cache.clear();
  write([]);
}

function pins(): readonly string[] {
  pinned ??= file().exists ? (JSON.parse(file().textSync()) as string[]) : [];
  return pinned;
}

function write(next: readonly string[]): void {
  pinned = next;
  file().write(JSON.stringify(next));
  listeners.forEach((listener) => listener());
}

function file(): File {
  return new File(folder('rows'), 'pins.json');
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
