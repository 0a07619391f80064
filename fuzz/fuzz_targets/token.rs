#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| quest_clm_fuzz::token(input));
