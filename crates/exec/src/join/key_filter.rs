//! A Bloom filter of the keys of one side, which rows of the other side go through before they are cut.
//!
//! ```text
//!   narrow side --exchange--> its rows, by bucket      and its keys noted: a bit pattern each, the least, the greatest
//!                                                          |
//!   other side: decoded batch -> [filter] -> [keep those that may be noted] -> exchange
//! ```
//!
//! Worth while where a filter has left few rows of one side, which is known only once they are there: rows that most
//! often pass are soon let through without a look. Only for kinds that drop rows of the other side without a partner.
//! A key's pattern is in one word (a register-blocked Bloom filter, as in F. Putze, P. Sanders, J. Singler, "Cache-,
//! Hash- and Space-Efficient Bloom Filters", 2007), so that a look is one access to memory.

use std::fmt::{self, Debug, Formatter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use dframe_core::{Error, Reservation, Result};
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, TaskContext};

use super::look_up::LookUp;
use super::probe::Emit;
use super::probed_units::{KnownKeys, NotedKeys};
use super::{JoinSpec, Side};
use crate::exchange::ExchangeSpec;
use crate::pipeline::RowChange;
use crate::stage::SharedBuild;

/// Bits per key, if so many keys come as are expected.
const KEY_BITS: u64 = 8;
/// Bytes of a filter, at most.
const BYTES_MAX: usize = 32 << 20;
/// One part in so many of the memory may be a filter.
const MEMORY_SHARE: usize = 64;
/// Rows after which it is decided whether looking pays.
const TRIAL_ROWS: u64 = 128 * 1024;
/// It pays as long as no more than this share of the rows pass.
const PASSING_SHARE_MAX: f64 = 0.75;

/// The keys of one side, once its rows have been cut.
pub(crate) struct KeyFilter {
    spec: Arc<JoinSpec>,
    noted: Side,
    expected: u64,
    /// None if there was no memory for them.
    bits: OnceLock<Option<Bits>>,
    keys: Mutex<NotedKeys>,
    /// Set when all of them have been noted.
    known: OnceLock<KnownKeys>,
    /// Rows that were looked up, and those that passed.
    tried: AtomicU64,
    passed: AtomicU64,
}

struct Bits {
    words: Vec<AtomicU64>,
    _held: Reservation,
}

impl KeyFilter {
    /// A filter of the keys of `noted`, of which about so many are expected.
    pub(crate) fn new(spec: Arc<JoinSpec>, noted: Side, expected: u64) -> Self {
        let keys = Mutex::new(NotedKeys::new(&spec));
        let (bits, known, tried, passed) = <_>::default();
        Self { spec, noted, expected, bits, keys, known, tried, passed }
    }

    /// Notes the keys of rows that are laid out as those of the noted side.
    pub(crate) fn note(&self, rows: &RecordBatch, context: &TaskContext) -> Result<()> {
        let keys = self.spec.side(self.noted).keys_of(rows);
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).note(&keys, rows.num_rows())?;
        if let Some(bits) = self.bits.get_or_init(|| Bits::new(self.expected, context)) {
            let keys = self.spec.coder.encode(&keys, rows.num_rows())?;
            let able = keys.hashes.iter().enumerate().filter(|(row, _)| keys.is_able(*row));
            able.for_each(|(_, hash)| bits.set(*hash));
        }
        Ok(())
    }

    fn pays(&self) -> bool {
        let (tried, passed) =
            (self.tried.load(Ordering::Relaxed), self.passed.load(Ordering::Relaxed));
        tried < TRIAL_ROWS || passed as f64 <= PASSING_SHARE_MAX * tried as f64
    }
}

impl LookUp for KeyFilter {
    fn name(&self) -> &'static str {
        "filter by the other side's keys"
    }

    fn row_change(&self) -> RowChange {
        RowChange::Fewer
    }

    fn look_up(&self, batch: ScannedBatch, emit: &mut Emit<'_>) -> Result<bool> {
        let laid_out = self.probing().lay_out(batch.clone())?;
        let keys = self.probing().keys_of(&laid_out);
        let rows = match self.finds(&keys, batch.rows.num_rows())? {
            Some(found) if found.true_count() < found.len() => {
                filter_record_batch(&batch.rows, &found)?
            }
            _ => batch.rows,
        };
        if rows.num_rows() == 0 { Ok(true) } else { emit(rows) }
    }

    fn probing(&self) -> &ExchangeSpec {
        self.spec.side(self.noted.other())
    }

    fn probing_column(&self, column: usize) -> Option<usize> {
        Some(column)
    }

    fn drops_unpaired(&self) -> bool {
        true
    }

    fn finds(&self, keys: &[ArrayRef], rows: usize) -> Result<Option<BooleanArray>> {
        let is_known = self.known.get().is_some();
        let bits = self.bits.get().and_then(Option::as_ref);
        let Some(bits) = bits.filter(|_| is_known && self.pays()) else { return Ok(None) };
        let keys = self.spec.coder.encode(keys, rows)?;
        let found = |(row, hash): (usize, &u64)| Some(bits.may_hold(*hash) && keys.is_able(row));
        let found: BooleanArray = keys.hashes.iter().enumerate().map(found).collect();
        self.tried.fetch_add(rows as u64, Ordering::Relaxed);
        self.passed.fetch_add(found.true_count() as u64, Ordering::Relaxed);
        Ok(Some(found))
    }

    fn known_keys(&self) -> Option<&KnownKeys> {
        self.known.get()
    }
}

impl SharedBuild for KeyFilter {
    fn name(&self) -> &'static str {
        "all keys noted"
    }

    fn build(&self, _inputs: Vec<Chunk>, _context: &TaskContext) -> Result<()> {
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner).known();
        self.known.set(known).map_err(|_| Error::internal("keys are all noted twice"))
    }
}

impl Debug for KeyFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFilter({:?} of {:?})", self.noted, self.spec.kind)
    }
}

impl Bits {
    /// No keys yet, if the budget grants the memory.
    fn new(expected: u64, context: &TaskContext) -> Option<Self> {
        let bytes_max = (context.budget.limit() / MEMORY_SHARE).min(BYTES_MAX);
        let bytes = (expected.saturating_mul(KEY_BITS) / 8).min(bytes_max as u64) as usize;
        let words = (bytes / size_of::<u64>()).max(64).next_power_of_two();
        let mut held = context.budget.reservation();
        let words = held.try_grow(words * size_of::<u64>()).then_some(words)?;
        Some(Self { words: (0..words).map(|_| AtomicU64::new(0)).collect(), _held: held })
    }

    fn place(&self, hash: u64) -> (&AtomicU64, u64) {
        let bit = |shift: u32| 1_u64 << ((hash >> shift) & 63);
        let word = hash as usize & (self.words.len() - 1);
        (&self.words[word], bit(58) | bit(52) | bit(46) | bit(40))
    }

    fn set(&self, hash: u64) {
        let (word, pattern) = self.place(hash);
        if word.load(Ordering::Relaxed) & pattern != pattern {
            word.fetch_or(pattern, Ordering::Relaxed);
        }
    }

    fn may_hold(&self, hash: u64) -> bool {
        let (word, pattern) = self.place(hash);
        word.load(Ordering::Relaxed) & pattern == pattern
    }
}
