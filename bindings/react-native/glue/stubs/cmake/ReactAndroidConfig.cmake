# React Native's own headers, and no library: a shared library may leave names to be found later.
add_library(ReactAndroid::jsi INTERFACE IMPORTED)
target_include_directories(ReactAndroid::jsi INTERFACE ${REACT_NATIVE}/ReactCommon/jsi)
add_library(ReactAndroid::reactnative INTERFACE IMPORTED)
target_include_directories(ReactAndroid::reactnative INTERFACE
  ${REACT_NATIVE}/ReactCommon/callinvoker
  ${REACT_NATIVE}/ReactAndroid/src/main/jni/react/turbomodule
)
