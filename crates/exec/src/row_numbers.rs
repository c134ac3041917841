//! Numbers of rows: by the task that scans them where their places are known before, else by the merger.
//!
//! ```text
//!   scan without filters   batch at place p --> p, p + 1, ..            blockwise
//!   anything else          chunks in order  --> count up                a step of the merger
//! ```

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use dframe_core::Result;
use dframe_plan::ScannedBatch;
use dframe_plan::node::{Node, Numbers, RowNumbers};

use crate::pipeline::{BlockMap, RowChange, batch_of};

/// What numbers the rows of batches whose places are known.
#[derive(Clone, Debug)]
pub(crate) struct NumberOp {
    numbers: Numbers,
    schema: SchemaRef,
}

impl NumberOp {
    /// The numbers of `node`.
    pub(crate) fn new(node: &RowNumbers) -> Self {
        Self { numbers: node.numbers, schema: node.schema() }
    }

    /// `rows` with their numbers, where the first row is at `place`.
    pub(crate) fn number(&self, rows: &RecordBatch, place: u64) -> Result<RecordBatch> {
        let places = place..place + rows.num_rows() as u64;
        let numbers: ArrayRef = match self.numbers {
            Numbers::Places(first) => {
                Arc::new(Int64Array::from_iter_values(places.map(|place| (first + place) as i64)))
            }
            Numbers::Random(seed) => {
                let seed = mixed(seed);
                Arc::new(Float64Array::from_iter_values(places.map(|place| random(seed, place))))
            }
        };
        let columns = [numbers].into_iter().chain(rows.columns().iter().cloned()).collect();
        batch_of(&self.schema, columns, rows.num_rows())
    }
}

impl BlockMap for NumberOp {
    fn name(&self) -> &'static str {
        "number rows"
    }

    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn row_change(&self) -> RowChange {
        RowChange::None
    }

    fn map(
        &self,
        batch: &ScannedBatch,
        emit: &mut dyn FnMut(RecordBatch) -> Result<bool>,
    ) -> Result<bool> {
        emit(self.number(&batch.rows, batch.position)?)
    }
}

/// The odd number next to 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The number of place `place` in the sequence of SplitMix64 (Steele, Lea, Flood 2014) that begins at `seed`, as a
/// DOUBLE of its upper 53 bits.
fn random(seed: u64, place: u64) -> f64 {
    let bits = mixed(seed.wrapping_add(place.wrapping_add(1).wrapping_mul(GOLDEN)));
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// The finalizer of SplitMix64.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        // The first numbers of java.util.SplittableRandom(0).nextLong().
        let known = [0xE220_A839_7B1D_CDAF_u64, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F];
        for (place, bits) in known.into_iter().enumerate() {
            assert_eq!(random(0, place as u64), (bits >> 11) as f64 / (1u64 << 53) as f64);
        }
    }
}
