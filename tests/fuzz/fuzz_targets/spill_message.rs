//! Any bytes as a spilled batch.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dframe_tests::probes::spill_message(bytes));
