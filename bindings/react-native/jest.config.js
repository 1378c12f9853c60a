/**
 * Three suites: the layer over the fake module, in React Native's own test environment; the built package as an
 * app's tests see it, with the mocks that it ships; and the layer over the real generated module of Node's
 * flavour, which `tests/run` makes in `tests/.made/node`.
 */
const babel = ['babel-jest', { configFile: false, presets: ['@react-native/babel-preset'] }];
const transform = { '^.+\\.(js|ts|tsx)$': babel };

module.exports = {
  testTimeout: 20000,
  projects: [
    {
      displayName: 'layer',
      preset: '@react-native/jest-preset',
      testMatch: ['<rootDir>/tests/layer/**/*.test.{ts,tsx}'],
      setupFiles: ['<rootDir>/src/mock/setup.ts'],
      transform,
    },
    {
      displayName: 'built',
      preset: '@react-native/jest-preset',
      testMatch: ['<rootDir>/tests/built/**/*.test.tsx'],
      setupFiles: ['react-native-finalmile/jest/setup'],
      transform,
      // As in an app, where it lies in node_modules: it must not need to be transformed.
      transformIgnorePatterns: ['/lib/', 'node_modules/(?!((jest-)?react-native|@react-native)/)'],
    },
    {
      displayName: 'real',
      testEnvironment: 'node',
      testMatch: ['<rootDir>/tests/real/**/*.test.ts'],
      moduleNameMapper: {
        '^\\./generated/index$': '<rootDir>/tests/.made/node/index.ts',
        '^react-native$': '<rootDir>/tests/support/reactNative.ts',
      },
      transform: { '/tests/\\.made/.*\\.ts$': '<rootDir>/tests/support/importMeta.js', ...transform },
    },
  ],
};
