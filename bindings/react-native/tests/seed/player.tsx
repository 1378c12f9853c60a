/** The video player of the guide, word for word. */
import { Image, Pressable } from 'react-native';
import { Video } from 'expo-av';

<Pressable onPress={() => setPlaying(true)}>
  {!playing ? (
    // Show poster (thumbnail)
    <Image source={{ uri: `${PINATA_GATEWAY}/${video_poster_cid}` }} />
  ) : (
    // Play full video
    <Video
      source={{ uri: `${PINATA_GATEWAY}/${ipfs_cid}` }}
      shouldPlay={true}
    />
  )}
</Pressable>
