//! What crosses a task edge: batches held under a reservation, or spilled.
//!
//! ```text
//!   Chunk = [ Arc<Part>, Arc<Part>, .. ]          concatenating chunks copies no rows
//!   Part  = one schema, batches labelled with the bucket they belong to
//!           in memory (batches + Reservation)  --spill-->  on disk (IPC file + offsets per bucket)
//! ```

use std::sync::Arc;

use crate::part::Part;

/// The outcome of a task.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    parts: Vec<Arc<Part>>,
}

impl Chunk {
    /// A chunk of these parts.
    pub fn new(parts: Vec<Arc<Part>>) -> Self {
        Self { parts }
    }

    /// The parts of all chunks, in order.
    pub fn concat(chunks: impl IntoIterator<Item = Chunk>) -> Self {
        Self::new(chunks.into_iter().flat_map(|chunk| chunk.parts).collect())
    }

    /// The parts.
    pub fn parts(&self) -> &[Arc<Part>] {
        &self.parts
    }

    /// The parts, handed over.
    pub fn into_parts(self) -> Vec<Arc<Part>> {
        self.parts
    }

    /// The rows of all parts.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.rows()).sum()
    }

    /// The bytes of all parts, as they were in memory when made.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes()).sum()
    }
}
