//! `finalmile_fuzz::webhook_payload` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| finalmile_fuzz::webhook_payload::run(data));
