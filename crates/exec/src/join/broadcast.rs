//! Broadcast: one table of a small side, probed by every task of the large side as its rows pass.
//!
//! ```text
//!   small side --> chunks --> BuildShared (one task) --> the shared table
//!                                                           |
//!   large side: decoded batch -> [filter] -> [probe] -> [project] -> fold      in each task
//! ```
//!
//! Tasks that probe depend on the one that builds. Only kinds that do not keep rows of the small side
//! can be done so, since no task sees all rows of the large one.

use std::fmt::{self, Debug, Formatter};
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use dframe_core::{Error, Result};
use dframe_plan::ScannedBatch;
use dframe_runtime::{Chunk, TaskContext};

use super::key_index::END;
use super::look_up::LookUp;
use super::probe::{Emit, Probe};
use super::probed_units::KnownKeys;
use super::table::{JoinTable, building_bytes};
use super::{JoinSpec, Side};
use crate::exchange::ExchangeSpec;
use crate::pipeline::RowChange;
use crate::stage::SharedBuild;

/// A table that tasks share.
pub(crate) struct Broadcast {
    spec: Arc<JoinSpec>,
    build: Side,
    table: OnceLock<JoinTable>,
    keys: OnceLock<KnownKeys>,
}

impl Broadcast {
    /// A table, to be made, of the rows of `build`.
    pub(crate) fn new(spec: Arc<JoinSpec>, build: Side) -> Self {
        Self { spec, build, table: OnceLock::new(), keys: OnceLock::new() }
    }
}

impl LookUp for Broadcast {
    fn name(&self) -> &'static str {
        "probe join table"
    }

    fn row_change(&self) -> RowChange {
        RowChange::More
    }

    fn look_up(&self, batch: ScannedBatch, emit: &mut Emit<'_>) -> Result<bool> {
        let table = self.table.get();
        let table = table.ok_or_else(|| Error::internal("a table is probed before it is made"))?;
        let side = self.build.other();
        let batch = self.spec.side(side).lay_out(batch)?;
        let marked = if self.spec.marks(side) { batch.num_rows() } else { 0 };
        let mut marks = vec![false; marked];
        let mut out = 0;
        let mut counted = |rows: RecordBatch| {
            out += rows.num_rows() as u64;
            emit(rows)
        };
        let emit: &mut Emit<'_> = &mut counted;
        let mut probe = Probe::new(&self.spec, table, self.build);
        let goes_on =
            probe.pairs(&batch, &mut marks, emit)? && probe.unpaired(&batch, &marks, emit)?;
        if goes_on {
            let (own, table) = (batch.num_rows() as u64, table.rows.num_rows() as u64);
            self.spec
                .check_count(if side == Side::Left { [own, table] } else { [table, own] }, out)?;
        }
        Ok(goes_on)
    }

    fn drops_unpaired(&self) -> bool {
        !self.spec.keeps(self.build.other())
    }

    fn probing(&self) -> &ExchangeSpec {
        self.spec.side(self.build.other())
    }

    fn probing_column(&self, column: usize) -> Option<usize> {
        let left = self.spec.columns(Side::Left);
        match self.build {
            Side::Right => (column < left).then_some(column),
            Side::Left => column.checked_sub(left),
        }
    }

    fn finds(&self, keys: &[ArrayRef], rows: usize) -> Result<Option<BooleanArray>> {
        let Some(table) = self.table.get() else { return Ok(None) };
        let firsts = table.index.firsts(&self.spec.coder, keys, rows)?;
        Ok(Some(firsts.into_iter().map(|first| Some(first != END)).collect()))
    }

    fn known_keys(&self) -> Option<&KnownKeys> {
        self.keys.get()
    }
}

impl SharedBuild for Broadcast {
    fn name(&self) -> &'static str {
        "build join table"
    }

    fn build(&self, inputs: Vec<Chunk>, context: &TaskContext) -> Result<()> {
        let mut held = context.budget.reservation();
        let mut batches: Vec<RecordBatch> = Vec::new();
        for batch in inputs.into_iter().flat_map(Chunk::into_parts).flat_map(|p| p.take(None)) {
            context.cancel.check()?;
            let rows = ScannedBatch { rows: batch?, position: 0 };
            let batch = self.spec.side(self.build).lay_out(rows)?;
            held.grow(building_bytes(&batch), "the table of a join")?;
            batches.push(batch);
        }
        if self.drops_unpaired() {
            let keys = KnownKeys::of(&self.spec, self.build, &batches)?;
            self.keys.set(keys).map_err(|_| Error::internal("a table is made twice"))?;
        }
        let table = JoinTable::new(&self.spec, self.build, batches, held)?;
        self.table.set(table).map_err(|_| Error::internal("a table is made twice"))
    }
}

impl Debug for Broadcast {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Broadcast({:?} of {:?})", self.build, self.spec.kind)
    }
}
