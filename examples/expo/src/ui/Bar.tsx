/** How far something is. */
import type { ReactElement } from 'react';
import { StyleSheet, View } from 'react-native';

import { useTheme } from './theme';

export function Bar({ share, label }: { share: number; label: string }): ReactElement {
  const theme = useTheme();
  const percent = Math.round(share * 100);
  return (
    <View
      accessible
      accessibilityRole="progressbar"
      accessibilityLabel={label}
      accessibilityValue={{ min: 0, max: 100, now: percent }}
      style={[styles.bar, { backgroundColor: theme.line }]}
    >
      <View style={[styles.done, { backgroundColor: theme.accent, width: `${percent}%` }]} />
    </View>
  );
}

const styles = StyleSheet.create({
  bar: { borderRadius: 3, height: 6, overflow: 'hidden' },
  done: { height: 6 },
});
