//! What tests of the whole share: small odd files, made anew by every test that wants them.
//!
//! Tests live beside this folder: golden scripts in `scripts/`, the command's behaviour in
//! `behaviour.rs`, the engine against itself in `tests/`, the comparison with other engines in
//! `differential/`.
#![allow(clippy::unwrap_used)]

pub mod fixtures;
pub mod probes;
pub mod store;
