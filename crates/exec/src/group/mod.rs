//! Group-by: partial aggregation per partition, tree reduce, then each bucket of keys on its own.
//!
//! ```text
//!   partition --> PartialAggregate --+
//!   partition --> PartialAggregate --+--> combine --+--> finish bucket 0 --> results
//!   partition --> PartialAggregate --+              +--> finish bucket 1 --> results
//! ```
//!
//! With few groups the tree reduce does the work and one bucket finishes; with many, partial
//! aggregation cuts by key, the tree passes the pieces on, and the buckets do the work in parallel.
//! Which it is, every task decides by what it sees.

mod byte_values;
mod combine;
mod finish;
mod handed_on;
mod in_order;
mod interned;
mod interner;
mod key_column;
mod known;
mod large;
mod packed;
mod partial;
mod radix;
mod scatter;
mod shared;
mod short_texts;
mod spec;
mod stages;
mod state;
mod table;
#[cfg(test)]
mod tests;

use combine::combine;
use finish::{finish_all, finish_bucket};
pub(crate) use interner::hash_bytes;
pub(crate) use key_column::{bit_width as key_width, bits as key_bits};
pub(crate) use known::{KnownCall, KnownStates};
pub(crate) use packed::mix;
pub(crate) use partial::PartialAggregate;
pub(crate) use radix::Radix;
pub(crate) use scatter::{SCATTER_ROW_BYTES, scatter};
pub(crate) use shared::SharedGroups;
pub(crate) use spec::{Call, CallInput, Emit, GroupSpec};
pub(crate) use stages::{Combine, FinishDivisions, FinishGroups};
pub(crate) use table::GroupTable;
