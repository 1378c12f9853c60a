/** The feed: a page of 20 at a time, thumbnails first, the next three fetched ahead. */
import { useCallback, useEffect, useRef, useState, type ReactElement } from 'react';
import { FlatList, RefreshControl, StyleSheet, Text, View } from 'react-native';
import { useFeedPrefetch } from 'react-native-finalmile';

import { useOffline } from '../offline';
import { PAGE, service, type Share } from '../service';
import { FeedItem } from '../ui/FeedItem';
import { useTheme } from '../ui/theme';

export function FeedScreen(): ReactElement {
  const { shares, refreshing, more, again } = usePages();
  const prefetch = useFeedPrefetch(shares, (share) => share.display_cid);
  const offline = useOffline();
  const theme = useTheme();
  return (
    <FlatList
      data={shares}
      keyExtractor={(share) => share.id}
      renderItem={({ item }) => <FeedItem share={item} />}
      onEndReached={more}
      onEndReachedThreshold={1}
      initialNumToRender={4}
      windowSize={5}
      refreshControl={<RefreshControl refreshing={refreshing} onRefresh={again} />}
      ListHeaderComponent={
        offline ? <Text style={[styles.note, { color: theme.faint }]}>Offline: what the phone has is shown.</Text> : null
      }
      ListEmptyComponent={
        <View style={styles.empty}>
          <Text style={{ color: theme.faint }}>Nothing is shared yet.</Text>
        </View>
      }
      {...prefetch}
    />
  );
}

interface Pages {
  shares: Share[];
  refreshing: boolean;
  more: () => void;
  again: () => void;
}

/** The pages that were asked for, one after the other. */
function usePages(): Pages {
  const [shares, setShares] = useState<Share[]>([]);
  const [refreshing, setRefreshing] = useState(false);
  const reading = useRef(false);
  const ended = useRef(false);

  const read = useCallback(async (index: number) => {
    if (reading.current || (ended.current && index > 0)) {
      return;
    }
    reading.current = true;
    try {
      const page = await service.page(index);
      ended.current = page.length < PAGE;
      setShares((before) => (index === 0 ? page : joined(before, page)));
    } finally {
      reading.current = false;
    }
  }, []);

  const again = useCallback(() => {
    setRefreshing(true);
    void read(0).finally(() => setRefreshing(false));
  }, [read]);
  useEffect(again, [again]);

  const more = (): void => void read(Math.ceil(shares.length / PAGE));
  return { shares, refreshing, more, again };
}

/** What was shared meanwhile moves the rest along, so that a page may begin with what the last one ended with. */
function joined(before: Share[], page: Share[]): Share[] {
  const known = new Set(before.map((share) => share.id));
  return [...before, ...page.filter((share) => !known.has(share.id))];
}

const styles = StyleSheet.create({
  note: { padding: 12, textAlign: 'center' },
  empty: { alignItems: 'center', paddingTop: 96 },
});
