/** The app's comings and goings, told by the test. */
import { AppState } from 'react-native';

type Told = (state?: string) => void;

/** Replaces what `AppState` tells. */
export function fakeApp() {
  const listening = new Set<{ event: string; told: Told }>();
  jest.spyOn(AppState, 'addEventListener').mockImplementation(((event: string, told: Told) => {
    const one = { event, told };
    listening.add(one);
    return { remove: () => listening.delete(one) };
  }) as never);
  return {
    tell(event: 'change' | 'memoryWarning', state?: string): void {
      [...listening].filter((one) => one.event === event).forEach(({ told }) => told(state));
    },
    get listeners(): number {
      return listening.size;
    },
  };
}
