//! `finalmile_fuzz::car` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| finalmile_fuzz::car::run(data));
