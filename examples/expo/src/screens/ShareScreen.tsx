/** Sharing: pick, see how far each upload is, give it up or try it again. */
import { launchImageLibraryAsync, type ImagePickerAsset } from 'expo-image-picker';
import type { ReactElement } from 'react';
import { FlatList, Image, Pressable, StyleSheet, Text, View } from 'react-native';
import { useIpfsCache } from 'react-native-finalmile';

import { service } from '../service';
import { Bar } from '../ui/Bar';
import { Button } from '../ui/Button';
import { useTheme } from '../ui/theme';
import { upload, useUploads, type Picked, type Upload } from '../uploads';

/** How many files one visit to the picker may bring. */
const AT_ONCE = 20;

export function ShareScreen(): ReactElement {
  const cache = useIpfsCache();
  const uploads = useUploads();
  const theme = useTheme();
  const pick = async (): Promise<void> => {
    const picked = await launchImageLibraryAsync({
      mediaTypes: ['images', 'videos'],
      allowsMultipleSelection: true,
      selectionLimit: AT_ONCE,
      // As it is: the library makes the small pictures, and the id is that of the original.
      quality: 1,
    });
    if (!picked.canceled && cache !== null) {
      upload(cache, picked.assets.map(pickedOf));
    }
  };
  return (
    <FlatList
      contentContainerStyle={styles.list}
      data={uploads}
      keyExtractor={(one) => one.id}
      renderItem={({ item }) => <Row one={item} />}
      ListHeaderComponent={
        <View style={styles.header}>
          <Button title="Choose photos and videos" disabled={cache === null} onPress={() => void pick()} />
          <Text style={{ color: theme.faint }}>{service.place}</Text>
        </View>
      }
    />
  );
}

function pickedOf(asset: ImagePickerAsset): Picked {
  return {
    uri: asset.uri,
    mediaType: asset.type === 'video' ? 'video' : 'image',
    size: asset.fileSize,
  };
}

function Row({ one }: { one: Upload }): ReactElement {
  const theme = useTheme();
  return (
    <View style={styles.row}>
      {one.mediaType === 'image' ? (
        <Image source={{ uri: one.uri }} style={styles.picture} />
      ) : (
        <View style={[styles.picture, styles.film]}>
          <Text style={styles.glyph}>▶</Text>
        </View>
      )}
      <View style={styles.grow}>
        <Bar share={one.share} label="Upload" />
        {one.error !== null && <Text style={{ color: theme.error }}>{one.error.message}</Text>}
      </View>
      {one.state === 'running' && <Act title="Stop" onPress={one.stop} />}
      {one.state === 'failed' && <Act title="Try again" onPress={one.again} />}
    </View>
  );
}

function Act({ title, onPress }: { title: string; onPress: () => void }): ReactElement {
  const theme = useTheme();
  return (
    <Pressable accessibilityRole="button" onPress={onPress} hitSlop={12}>
      <Text style={{ color: theme.accent }}>{title}</Text>
    </Pressable>
  );
}

const styles = StyleSheet.create({
  list: { padding: 16 },
  header: { gap: 12, paddingBottom: 16 },
  row: { alignItems: 'center', flexDirection: 'row', gap: 12, paddingVertical: 8 },
  picture: { backgroundColor: '#8884', borderRadius: 6, height: 56, width: 56 },
  film: { alignItems: 'center', justifyContent: 'center' },
  glyph: { color: '#ffffff', fontSize: 20 },
  grow: { flex: 1, gap: 4 },
});
