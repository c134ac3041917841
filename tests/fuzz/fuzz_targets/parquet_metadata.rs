//! Any bytes as a Parquet file, of which the footer is read.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dframe_tests::probes::parquet_metadata(bytes));
