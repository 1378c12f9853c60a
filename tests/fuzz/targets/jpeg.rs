//! `finalmile_fuzz::jpeg` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| finalmile_fuzz::jpeg::run(data));
