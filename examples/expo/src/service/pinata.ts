/**
 * Uploads to Pinata, and its gateway. The shares stay in a file of the app's: a database is not the subject.
 *
 * `tokenUrl` is an endpoint of the app's own server that answers `{ "token": … }`: a token that lives for
 * minutes and can do nothing but upload. One that can do more belongs in no app.
 */
import { expoNetwork, pinataUploader } from 'react-native-finalmile';

import { createMediaShare, page } from './shares';
import type { Service } from './types';

export function pinata(options: { gateway: string; tokenUrl: string }): Service {
  return {
    place: `Uploads go to Pinata and come back from ${options.gateway}.`,
    gateways: [options.gateway],
    network: expoNetwork,
    page,
    createMediaShare,
    uploadToIPFS: pinataUploader({ token: () => tokenFrom(options.tokenUrl) }),

    // The ledger's begin and finalize belong to the app's own server as well.
    beginUpload: async (_fileSize, { idempotencyKey }) => ({ upload_id: idempotencyKey }),
    finalizeUpload: async () => {},
  };
}

async function tokenFrom(url: string): Promise<string> {
  const response = await fetch(url, { method: 'POST' });
  if (!response.ok) {
    // Its status says whether trying again may help.
    throw Object.assign(new Error('There is no token'), { status: response.status });
  }
  const { token } = (await response.json()) as { token: string };
  return token;
}
