/** Three screens over one cache: the feed, sharing, and what the phone keeps. */
import { StatusBar } from 'expo-status-bar';
import { useState, type ReactElement } from 'react';
import { StyleSheet, Text, View } from 'react-native';
import { FinalmileProvider } from 'react-native-finalmile';
import { SafeAreaProvider, SafeAreaView } from 'react-native-safe-area-context';

import { useOpenedCache } from './cache';
import { CacheScreen } from './screens/CacheScreen';
import { FeedScreen } from './screens/FeedScreen';
import { ShareScreen } from './screens/ShareScreen';
import { Tabs } from './ui/Tabs';
import { useTheme } from './ui/theme';

const SCREENS = { Feed: FeedScreen, Share: ShareScreen, Cache: CacheScreen };
type Name = keyof typeof SCREENS;

export function App(): ReactElement {
  const { cache, error } = useOpenedCache();
  const [shown, show] = useState<Name>('Feed');
  const theme = useTheme();
  const Screen = SCREENS[shown];
  return (
    <SafeAreaProvider>
      <FinalmileProvider cache={cache}>
        <SafeAreaView style={[styles.app, { backgroundColor: theme.background }]}>
          <StatusBar style="auto" />
          {error !== null && <Text style={[styles.error, { color: theme.error }]}>{error.message}</Text>}
          <View style={styles.screen}>
            <Screen />
          </View>
          <Tabs names={Object.keys(SCREENS) as Name[]} shown={shown} onShow={show} />
        </SafeAreaView>
      </FinalmileProvider>
    </SafeAreaProvider>
  );
}

const styles = StyleSheet.create({
  app: { flex: 1 },
  screen: { flex: 1 },
  error: { padding: 16 },
});
