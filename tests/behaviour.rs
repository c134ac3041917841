//! What the command does beside printing results: temporary files, limits, signals, closed pipes.
#![allow(clippy::unwrap_used)]
