import type { ReactElement } from 'react';
import { Pressable, StyleSheet, Text, View } from 'react-native';

import { useTheme } from './theme';

interface TabsProps<Name extends string> {
  names: Name[];
  shown: Name;
  onShow: (name: Name) => void;
}

export function Tabs<Name extends string>({ names, shown, onShow }: TabsProps<Name>): ReactElement {
  const theme = useTheme();
  return (
    <View accessibilityRole="tablist" style={[styles.tabs, { borderColor: theme.line }]}>
      {names.map((name) => (
        <Pressable
          key={name}
          accessibilityRole="tab"
          accessibilityState={{ selected: name === shown }}
          onPress={() => onShow(name)}
          style={styles.tab}
        >
          <Text style={[styles.name, { color: name === shown ? theme.accent : theme.faint }]}>{name}</Text>
        </Pressable>
      ))}
    </View>
  );
}

const styles = StyleSheet.create({
  tabs: { borderTopWidth: StyleSheet.hairlineWidth, flexDirection: 'row' },
  tab: { alignItems: 'center', flex: 1, minHeight: 48, justifyContent: 'center' },
  name: { fontSize: 14, fontWeight: '600' },
});
