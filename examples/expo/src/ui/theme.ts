/** Colours, light and dark. Each text has a contrast of at least 4.5 to what it stands on. */
import { useColorScheme } from 'react-native';

const light = {
  background: '#ffffff',
  text: '#1a1a1a',
  faint: '#5f6368',
  line: '#dadce0',
  accent: '#0b57d0',
  onAccent: '#ffffff',
  error: '#b3261e',
};

const dark: typeof light = {
  background: '#121212',
  text: '#e8eaed',
  faint: '#9aa0a6',
  line: '#3c4043',
  accent: '#a8c7fa',
  onAccent: '#062e6f',
  error: '#f2b8b5',
};

export function useTheme(): typeof light {
  return useColorScheme() === 'dark' ? dark : light;
}
