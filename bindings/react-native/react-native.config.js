// How React Native's autolinking finds the native part. iOS needs nothing but the podspec.

module.exports = {
  dependency: {
    platforms: {
      android: {
        // Where the app's build puts what React Native's codegen makes of src/generated/NativeFinalmile.ts,
        // so that it fits the app's own version of React Native.
        cmakeListsPath: 'build/generated/source/codegen/jni/CMakeLists.txt',
        packageImportPath: 'import dev.finalmile.reactnative.FinalmilePackage;',
        packageInstance: 'new FinalmilePackage()',
      },
    },
  },
};
