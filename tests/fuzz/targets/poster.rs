//! `finalmile_fuzz::poster` under libFuzzer.

#![no_main]

use finalmile_fuzz::{poster, thumbnail};

// The hook replaces that of libfuzzer-sys, under which a caught panic would count as a crash.
libfuzzer_sys::fuzz_target!(
    init: {
        drop(std::panic::take_hook());
        thumbnail::tell_of_decoders_and_abort_for_others();
    },
    |data: &[u8]| poster::run(data)
);
