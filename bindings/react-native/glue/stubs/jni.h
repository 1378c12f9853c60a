// As much of the JNI as the adapter names, so that it compiles where there is no Android.
#pragma once
#include <cstdint>

struct _JNIEnv;
struct _jobject {};
struct _jclass : _jobject {};

using JNIEnv = _JNIEnv;
using jobject = _jobject *;
using jclass = _jclass *;
using jboolean = uint8_t;
using jdouble = double;
using jlong = int64_t;

#define JNIEXPORT __attribute__((visibility("default")))
#define JNICALL
