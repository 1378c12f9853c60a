//! `finalmile_fuzz::cid` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| finalmile_fuzz::cid::run(data));
