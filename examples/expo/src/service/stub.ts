/**
 * A service and a gateway in a folder of the phone, so that the app runs without an account.
 *
 * It behaves as the real ones do where it matters: uploads take their time and tell how far they are, a
 * beginning is the same for the same idempotency key, and the gateway answers whole files to whoever asks
 * for one, so that clearing the cache and looking at the feed fetches, and checks, everything anew.
 */
import { File } from 'expo-file-system';
import type { Network, NetworkAnswer, UploadContext } from 'react-native-finalmile';

import { createMediaShare, folder, page } from './shares';
import type { Service } from './types';

/** Bytes that the pretended line carries in a second. */
const LINE = 4_000_000;
const TICK_MS = 100;

export const stub: Service = {
  place: 'Uploads stay on this phone: see the README for Pinata.',
  gateways: ['https://gateway.invalid'],
  network: () => gateway,
  page,
  createMediaShare,

  async beginUpload(_fileSize, { idempotencyKey, signal }) {
    await pause(TICK_MS, signal);
    return { upload_id: idempotencyKey };
  },

  async uploadToIPFS(uri: string, { expectedCid, onProgress, signal }: UploadContext) {
    const source = new File(uri);
    for (let sent = 0; sent < source.size; sent += (LINE * TICK_MS) / 1_000) {
      onProgress(sent / source.size);
      await pause(TICK_MS, signal);
    }
    const kept = new File(folder('files'), expectedCid);
    if (!kept.exists) {
      await source.copy(kept);
    }
    return expectedCid;
  },

  async finalizeUpload(_uploadId, _cids, { signal }) {
    await pause(TICK_MS, signal);
  },
};

const gateway: Network = {
  async download({ url, path, signal }): Promise<NetworkAnswer> {
    const [, cid = '', query = ''] = /\/ipfs\/([^/?]+)(?:\?(.*))?$/.exec(url) ?? [];
    const kept = new File(folder('files'), cid);
    if (!kept.exists) {
      return { status: 404, headers: {} };
    }
    // A block is the whole file where the id is its hash, `bafkrei…`. Trees and archives it has not.
    if (query.includes('format=') && !(query.includes('format=raw') && cid.startsWith('bafkrei'))) {
      return { status: 406, headers: {} };
    }
    await pause((kept.size / LINE) * 1_000, signal);
    await kept.copy(new File(`file://${encodeURI(path)}`), { overwrite: true });
    return { status: 200, headers: { 'content-length': String(kept.size) } };
  },
};

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new Error('given up'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal.addEventListener('abort', stop);
  });
}
