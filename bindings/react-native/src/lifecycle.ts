/** The app's comings and goings, as React Native tells them. */
import { AppState } from 'react-native';

/** What is told of the app. */
export interface AppListener {
  /** It went to the background, and may be frozen or ended without another word. */
  left(): void;
  /** It is in front again. */
  came(): void;
  /** The system wants memory back. */
  shortOfMemory(): void;
}

/** Tells `listener` until the answer is called. */
export function watchApp(listener: AppListener): () => void {
  const changes = AppState.addEventListener('change', (state) => {
    // `inactive` is a glance at the notifications: work goes on.
    if (state === 'background') {
      listener.left();
    } else if (state === 'active') {
      listener.came();
    }
  });
  const warnings = AppState.addEventListener('memoryWarning', () => listener.shortOfMemory());
  return () => {
    changes.remove();
    warnings.remove();
  };
}
