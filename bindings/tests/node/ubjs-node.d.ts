// What the generated code takes from @ubjs/node, whose own types lack two of them.
declare module '@ubjs/node' {
  const library: { UniffiNativeModule: any; FfiType: any; resolveLibPath: (options: object) => string };
  export default library;
}
