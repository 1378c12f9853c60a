/** Offline mode: a switch in front of the network. What the phone has is shown all the same. */
import { useSyncExternalStore } from 'react';
import type { Network } from 'react-native-finalmile';

let offline = false;
const listeners = new Set<() => void>();

export function setOffline(next: boolean): void {
  offline = next;
  listeners.forEach((listener) => listener());
}

export function useOffline(): boolean {
  return useSyncExternalStore(listen, () => offline);
}

/** A network that answers nothing while the switch is on. */
export function switchable(network: Network): Network {
  return {
    ...network,
    download: (request) =>
      offline ? Promise.reject(new Error('offline')) : network.download(request),
  };
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
