/** The upload of the guide, word for word; its first two imports come from here. */
import { generateThumbnailSet } from 'react-native-finalmile';
import { uploadToIPFS } from 'react-native-finalmile';
import { supabase } from '@/lib/supabase';

async function uploadMedia(uri: string, mediaType: 'image' | 'video') {
  // 1. Generate thumbnails locally
  const { thumbnail, preview } = await generateThumbnailSet(uri, mediaType);

  // 2. Upload all versions to IPFS
  const [fullCid, thumbCid, prevCid] = await Promise.all([
    uploadToIPFS(uri),
    uploadToIPFS(thumbnail.uri),
    preview ? uploadToIPFS(preview.uri) : null,
  ]);

  // 3. Begin upload (get upload_id)
  const { upload_id, credits_to_charge } = await beginUpload(fileSize);

  // 4. Create media share
  const { data: mediaShare } = await supabase
    .from('media_shares')
    .insert({
      user_id,
      ipfs_cid: fullCid,
      thumbnail_cid: thumbCid,
      preview_cid: prevCid,
      media_type: mediaType,
      processing_status: 'complete',
    })
    .select()
    .single();

  // 5. Finalize upload
  await finalizeUpload(upload_id, {
    ipfs_cid: fullCid,
    thumbnail_cid: thumbCid,
    preview_cid: prevCid,
    media_share_id: mediaShare.id,
  });
}
