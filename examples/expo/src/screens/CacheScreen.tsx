/** What the phone keeps: how much, for how long, and what in any case. */
import { useCallback, useEffect, useState, type ReactElement } from 'react';
import { FlatList, StyleSheet, Switch, Text, View } from 'react-native';
import { IpfsImage, useIpfsCache, type CacheStats, type IpfsCache } from 'react-native-finalmile';

import { setOffline, useOffline } from '../offline';
import { clearAll, setPinned, usePins } from '../pins';
import { service, type Share } from '../service';
import { Button } from '../ui/Button';
import { useTheme } from '../ui/theme';

export function CacheScreen(): ReactElement {
  const cache = useIpfsCache();
  const { stats, shares, again } = useWhatIsKept(cache);
  const offline = useOffline();
  const pins = usePins();
  const act = (work: (cache: IpfsCache) => Promise<unknown>): void => {
    if (cache !== null) {
      void work(cache).finally(again);
    }
  };
  return (
    <FlatList
      contentContainerStyle={styles.list}
      data={shares}
      keyExtractor={(share) => share.id}
      ListHeaderComponent={
        <View style={styles.header}>
          <Numbers stats={stats} />
          <Row title="Offline" value={offline} onChange={setOffline} />
          <Button title="Keep 10 MB at most" disabled={cache === null} onPress={() => act((open) => open.trim(10))} />
          <Button title="Remove everything" disabled={cache === null} onPress={() => act(clearAll)} />
        </View>
      }
      extraData={pins}
      renderItem={({ item }) => (
        <Pin
          share={item}
          pinned={pins.includes(item.id)}
          onChange={(pinned) => act((open) => setPinned(open, item, pinned))}
        />
      )}
    />
  );
}

function Numbers({ stats }: { stats: CacheStats | null }): ReactElement {
  const theme = useTheme();
  if (stats === null) {
    return <Text style={{ color: theme.faint }}>…</Text>;
  }
  const asked = stats.hits + stats.misses;
  const found = asked === 0 ? '' : `, ${Math.round((100 * stats.hits) / asked)} % found here`;
  return (
    <View>
      <Text style={[styles.size, { color: theme.text }]}>{megabytes(stats.bytes)}</Text>
      <Text style={{ color: theme.faint }}>
        {`${stats.entries} files, ${megabytes(stats.pinnedBytes)} kept in any case${found}`}
      </Text>
    </View>
  );
}

interface PinProps {
  share: Share;
  pinned: boolean;
  onChange: (pinned: boolean) => void;
}

/** A share whose files are kept, whatever else needs the room. */
function Pin({ share, pinned, onChange }: PinProps): ReactElement {
  return (
    <View style={styles.pin}>
      <IpfsImage cid={share.display_cid} thumbhash={share.thumbhash} style={styles.thumbnail} />
      <View style={styles.grow}>
        <Row title="Keep for offline" value={pinned} onChange={onChange} />
      </View>
    </View>
  );
}

interface RowProps {
  title: string;
  value: boolean;
  onChange: (value: boolean) => void;
}

function Row({ title, value, onChange }: RowProps): ReactElement {
  const theme = useTheme();
  return (
    <View style={styles.row}>
      <Text style={[styles.title, { color: theme.text }]}>{title}</Text>
      <Switch accessibilityLabel={title} value={value} onValueChange={onChange} />
    </View>
  );
}

/** What the cache holds, and the newest shares; read again after every change. */
function useWhatIsKept(cache: IpfsCache | null): { stats: CacheStats | null; shares: Share[]; again: () => void } {
  const [stats, setStats] = useState<CacheStats | null>(null);
  const [shares, setShares] = useState<Share[]>([]);
  const again = useCallback(() => {
    // A cache that is closed meanwhile has nothing to say.
    cache?.stats().then(setStats, () => setStats(null));
  }, [cache]);
  useEffect(again, [again]);
  useEffect(() => {
    void service.page(0).then(setShares);
  }, []);
  return { stats, shares, again };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

const styles = StyleSheet.create({
  list: { padding: 16 },
  header: { gap: 12, paddingBottom: 16 },
  size: { fontSize: 32, fontWeight: '700' },
  pin: { alignItems: 'center', flexDirection: 'row', gap: 12, paddingVertical: 6 },
  thumbnail: { backgroundColor: '#8884', borderRadius: 6, height: 56, width: 56 },
  grow: { flex: 1 },
  row: { alignItems: 'center', flexDirection: 'row', justifyContent: 'space-between', minHeight: 48 },
  title: { fontSize: 16 },
});
