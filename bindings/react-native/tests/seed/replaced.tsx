/** The same snippets with everything that this package takes off them. */
import { FlatList } from 'react-native';
import {
  createQueue,
  createUploader,
  FinalmileProvider,
  IpfsCache,
  IpfsImage,
  pinataUploader,
  useFeedPrefetch,
} from 'react-native-finalmile';
import { supabase } from '@/lib/supabase';

const cache = await IpfsCache.open({ gateways: [PINATA_GATEWAY] });

export const uploader = createUploader({
  beginUpload,
  uploadToIPFS: pinataUploader({ token: async () => 'from the app\'s own service' }),
  createMediaShare: async (cids) => {
    const row = { user_id, ...cids, processing_status: 'complete' };
    return (await supabase.from('media_shares').insert(row).select().single()).data as { id: string };
  },
  finalizeUpload,
  cache,
  queue: createQueue({ concurrency: 2 }),
});

export async function uploadMedia(uri: string, mediaType: 'image' | 'video'): Promise<string> {
  const { begun, ipfs_cid: cid } = await uploader.upload(uri, mediaType, { size: fileSize });
  return `${cid} for ${begun.credits_to_charge} credits`;
}

export const getCachedOrFetch = (cid: string): Promise<string> => cache.getCachedOrFetch(cid);

function Feed({ shares }: { shares: (MediaShare & { display_cid: string })[] }) {
  const prefetch = useFeedPrefetch(shares, (share) => share.thumbnail_cid);
  return (
    <FlatList
      {...prefetch}
      data={shares}
      renderItem={({ item }) => (
        <IpfsImage cid={item.display_cid} fallbackCid={item.thumbnail_cid} style={{ width: 300, height: 300 }} />
      )}
      onEndReached={loadMore}
    />
  );
}

export const App = ({ shares }: Parameters<typeof Feed>[0]) => (
  <FinalmileProvider cache={cache}>
    <Feed shares={shares} />
  </FinalmileProvider>
);
