//! Any bytes as an NDJSON file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dframe_tests::probes::ndjson(bytes));
