//! `finalmile_fuzz::dagpb` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| finalmile_fuzz::dagpb::run(data));
