//! Tests of the whole live in `tests/`, golden scripts in `scripts/`, the comparison with other engines
//! in `differential/`. This library is empty: the folder is a workspace member so that
//! `cargo test --workspace` finds it.
