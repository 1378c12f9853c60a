// As much of fbjni as the adapter and React Native's CallInvokerHolder name. It is compiled and linked,
// never run.
#pragma once
#include <jni.h>

namespace facebook::jni {

template <typename T> struct Ref {
  T *pointer;
  T *operator->() { return pointer; }
};

template <typename T> struct HybridClass {
  using HybridBase = HybridClass<T>;
  struct javaobject {
    T *cthis() { return nullptr; }
  };
};

inline Ref<_jobject> make_local(jobject object) { return {object}; }

template <typename To, typename From> Ref<To> static_ref_cast(Ref<From> from) {
  return {reinterpret_cast<To *>(from.pointer)};
}

} // namespace facebook::jni
