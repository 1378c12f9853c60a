//! `finalmile_fuzz::webhook_header` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| finalmile_fuzz::webhook_header::run(data));
