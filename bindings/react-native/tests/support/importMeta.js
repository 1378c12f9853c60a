/** Node's flavour is written as an ES module, which knows its own address; jest runs it as CommonJS. */
const { createTransformer } = require('babel-jest').default;

const babel = createTransformer({ configFile: false, presets: ['@react-native/babel-preset'] });

module.exports = {
  ...babel,
  process: (source, ...rest) =>
    babel.process(source.replace('import.meta.url', "require('node:url').pathToFileURL(__filename).href"), ...rest),
};
