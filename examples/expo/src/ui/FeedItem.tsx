/** One share: its placeholder at once, its thumbnail when it is there, the preview when somebody presses it. */
import { memo, useState, type ReactElement } from 'react';
import { Pressable, StyleSheet, Text, View } from 'react-native';
import { IpfsImage } from 'react-native-finalmile';

import type { Share } from '../service';
import { useTheme } from './theme';
import { VideoItem } from './VideoItem';

export const FeedItem = memo(function FeedItem({ share }: { share: Share }): ReactElement {
  const theme = useTheme();
  const when = new Date(share.created_at).toLocaleString();
  return (
    <View style={styles.item}>
      {share.media_type === 'video' ? <VideoItem share={share} style={styles.picture} /> : <Photo share={share} when={when} />}
      <Text style={{ color: theme.faint }}>{when}</Text>
    </View>
  );
});

function Photo({ share, when }: { share: Share; when: string }): ReactElement {
  const [closer, setCloser] = useState(false);
  return (
    <Pressable accessibilityRole="imagebutton" accessibilityHint="Shows it larger" onPress={() => setCloser(!closer)}>
      <IpfsImage
        cid={closer ? (share.preview_cid ?? share.ipfs_cid) : share.display_cid}
        fallbackCid={share.display_cid}
        thumbhash={share.thumbhash}
        resizeMode={closer ? 'contain' : 'cover'}
        accessibilityLabel={`A photo of ${when}`}
        style={styles.picture}
        fallback={<Text style={styles.absent}>Not on this phone</Text>}
      />
    </Pressable>
  );
}

const styles = StyleSheet.create({
  item: { alignItems: 'center', gap: 4, paddingVertical: 12 },
  picture: { backgroundColor: '#8884', height: 300, width: 300 },
  absent: { backgroundColor: '#000000a0', color: '#ffffff', padding: 8, textAlign: 'center' },
});
