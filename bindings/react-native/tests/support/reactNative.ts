/** What the layer takes of React Native where there is none: nobody comes and goes. */
export const AppState = {
  addEventListener: () => ({ remove: () => {} }),
};

export const StyleSheet = { create: <T>(styles: T): T => styles };
