import type { ReactElement } from 'react';
import { Pressable, StyleSheet, Text } from 'react-native';

import { useTheme } from './theme';

interface ButtonProps {
  title: string;
  onPress: () => void;
  disabled?: boolean;
}

export function Button({ title, onPress, disabled = false }: ButtonProps): ReactElement {
  const theme = useTheme();
  return (
    <Pressable
      accessibilityRole="button"
      accessibilityState={{ disabled }}
      disabled={disabled}
      onPress={onPress}
      style={[styles.button, { backgroundColor: disabled ? theme.line : theme.accent }]}
    >
      <Text style={[styles.title, { color: disabled ? theme.faint : theme.onAccent }]}>{title}</Text>
    </Pressable>
  );
}

const styles = StyleSheet.create({
  button: { alignItems: 'center', borderRadius: 8, minHeight: 44, justifyContent: 'center', paddingHorizontal: 16 },
  title: { fontSize: 16, fontWeight: '600' },
});
