/** The throttled upload of the guide, word for word. */
import { PQueue } from 'react-native-finalmile';

// Limit concurrent uploads
const uploadQueue = new PQueue({ concurrency: 2 }); // Max 2 at a time

async function uploadMedia(uri: string) {
  return uploadQueue.add(() => uploadMediaInternal(uri));
}
