/** The shares, in a file of the app's: what a database with row-level security would keep. */
import { Directory, File, Paths } from 'expo-file-system';
import type { UploaderSteps } from 'react-native-finalmile';

import { PAGE, type Share } from './types';

/** Where this example's service keeps what it has. */
export function folder(name: string): Directory {
  const directory = new Directory(Paths.document, 'service', name);
  directory.create({ intermediates: true, idempotent: true });
  return directory;
}

function rows(): Share[] {
  const file = new File(folder('rows'), 'shares.json');
  return file.exists ? (JSON.parse(file.textSync()) as Share[]) : [];
}

/** A page of the newest shares. */
export async function page(index: number): Promise<Share[]> {
  return rows().slice(index * PAGE, (index + 1) * PAGE);
}

/** Writes a share down, once for each idempotency key. */
export const createMediaShare: NonNullable<UploaderSteps['createMediaShare']> = async (
  row,
  { idempotencyKey: id, set },
) => {
  const before = rows();
  if (!before.some((share) => share.id === id)) {
    const share: Share = {
      id,
      created_at: new Date().toISOString(),
      media_type: row.media_type,
      ipfs_cid: row.ipfs_cid,
      display_cid: row.thumbnail_cid,
      preview_cid: row.preview_cid,
      video_poster_cid: row.video_poster_cid,
      thumbhash: btoa(String.fromCharCode(...set.thumbhash)),
    };
    new File(folder('rows'), 'shares.json').write(JSON.stringify([share, ...before]));
  }
  return { id };
};
