/** A video: its poster, and the film itself once somebody presses it. Nothing plays by itself. */
import { useVideoPlayer, VideoView } from 'expo-video';
import { useState, type ReactElement } from 'react';
import { Pressable, StyleSheet, Text, View, type StyleProp, type ViewStyle } from 'react-native';
import { IpfsImage, useIpfsImage } from 'react-native-finalmile';

import type { Share } from '../service';
import { Bar } from './Bar';

interface VideoItemProps {
  share: Share;
  style: StyleProp<ViewStyle>;
}

export function VideoItem({ share, style }: VideoItemProps): ReactElement {
  const [pressed, setPressed] = useState(false);
  return pressed ? (
    <Film share={share} style={style} />
  ) : (
    <Pressable accessibilityRole="button" accessibilityLabel="Play the video" onPress={() => setPressed(true)}>
      <Poster share={share} style={style} />
      <View style={styles.over}>
        <Text style={styles.play}>▶</Text>
      </View>
    </Pressable>
  );
}

function Poster({ share, style }: VideoItemProps): ReactElement {
  return (
    <IpfsImage
      cid={share.video_poster_cid}
      fallbackCid={share.display_cid}
      thumbhash={share.thumbhash}
      style={style}
    />
  );
}

/** The whole file is fetched and checked first: what a gateway sends is not trusted halfway. */
function Film({ share, style }: VideoItemProps): ReactElement {
  const { uri, progress, status, retry } = useIpfsImage(share.ipfs_cid, { kind: 'media' });
  if (uri !== null) {
    return <Player uri={uri} style={style} />;
  }
  return (
    <View>
      <Poster share={share} style={style} />
      <View style={styles.below}>
        {status === 'error' ? (
          <Pressable accessibilityRole="button" onPress={retry}>
            <Text style={styles.again}>It cannot be fetched. Try again</Text>
          </Pressable>
        ) : (
          <Bar share={progress} label="Fetching the video" />
        )}
      </View>
    </View>
  );
}

function Player({ uri, style }: { uri: string; style: StyleProp<ViewStyle> }): ReactElement {
  const player = useVideoPlayer(uri, (ready) => ready.play());
  return <VideoView player={player} style={style} contentFit="contain" nativeControls />;
}

const styles = StyleSheet.create({
  over: { alignItems: 'center', inset: 0, justifyContent: 'center', position: 'absolute' },
  play: {
    backgroundColor: '#000000a0',
    borderRadius: 32,
    color: '#ffffff',
    fontSize: 28,
    height: 64,
    lineHeight: 64,
    overflow: 'hidden',
    textAlign: 'center',
    width: 64,
  },
  below: { bottom: 12, left: 12, position: 'absolute', right: 12 },
  again: { backgroundColor: '#000000a0', borderRadius: 8, color: '#ffffff', overflow: 'hidden', padding: 12, textAlign: 'center' },
});
