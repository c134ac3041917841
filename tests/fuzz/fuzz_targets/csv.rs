//! Any bytes as a CSV file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dframe_tests::probes::csv(bytes));
