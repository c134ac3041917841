//! A source of batches that are held for later, in memory under a reservation or on disk.
//!
//! ```text
//!   results of a run --> Chunk [ Part Part .. ]  Chunk [ .. ]      the store spills parts when memory is wanted
//!                        a partition             a partition
//!                          a unit of a scan
//! ```
//!
//! Reading a part that was spilled brings back a batch at a time. It does not know what the batches are for.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use dframe_core::{Error, Fetched, Result};
use dframe_plan::{
    Partition, Partitions, ScanRequest, ScanUnit, ScannedBatch, ScannedBatches, Source, Statistics,
};
use dframe_runtime::{Chunk, Part, TaskContext, batch_bytes};

use crate::fold::keep;

/// Where partitions of held batches end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioning {
    /// Wherever it suits; scans may read several at once.
    Any,
    /// So that there are this many, as even in rows as can be: fewer only where there are fewer rows.
    Count(u64),
    /// After so many rows. The last one may have fewer.
    Rows(u64),
    /// After the batch with which this many bytes in memory are reached. The last one may have fewer.
    Bytes(u64),
}

/// Batches as a source. They are freed with the last clone of it.
#[derive(Clone)]
pub struct HeldSource {
    schema: SchemaRef,
    chunks: Vec<Chunk>,
    partitioning: Partitioning,
}

impl HeldSource {
    /// Takes in all of `batches`, which have the plain types of `schema`.
    ///
    /// # Errors
    /// A partitioning by 0, those of the batches, and a disk without room for what memory has none for.
    pub(crate) fn of(
        schema: SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
        partitioning: Partitioning,
        context: &TaskContext,
    ) -> Result<Self> {
        use Partitioning::{Any, Bytes, Count, Rows};
        let chunks = match partitioning {
            Count(0) | Rows(0) | Bytes(0) => {
                return Err(Error::invalid_input("partitions that end after 0 of something")
                    .remedy("give 1 or more"));
            }
            Any => filled(&schema, batches, Cuts::Anywhere, context)?,
            Rows(rows) => filled(&schema, batches, Cuts::Rows(rows), context)?,
            Bytes(bytes) => filled(&schema, batches, Cuts::Bytes(bytes), context)?,
            Count(count) => {
                // How many rows there are is known when they are there.
                let chunks = filled(&schema, batches, Cuts::Anywhere, context)?;
                let rows = chunks.iter().map(Chunk::rows).sum();
                let parts = chunks.into_iter().flat_map(Chunk::into_parts);
                let cuts = Cuts::Even { count: count.min(rows), rows };
                filled(&schema, parts.flat_map(|part| part.take(None)), cuts, context)?
            }
        };
        Ok(Self { schema, chunks, partitioning })
    }

    /// The number of partitions.
    pub fn partition_count(&self) -> usize {
        self.chunks.len()
    }

    /// The rows.
    pub fn rows(&self) -> u64 {
        self.chunks.iter().map(Chunk::rows).sum()
    }

    fn part(&self, unit: &ScanUnit) -> &Arc<Part> {
        &self.chunks[unit.file as usize].parts()[unit.row_group as usize]
    }

    fn units(&self, request: &ScanRequest) -> Vec<Partition> {
        let mut position = 0;
        let mut partitions = Vec::with_capacity(self.chunks.len());
        for (file, chunk) in self.chunks.iter().enumerate() {
            let unit = |(row_group, part): (usize, &Arc<Part>)| {
                let unit = ScanUnit {
                    file: file as u32,
                    row_group: row_group as u32,
                    rows: 0..part.rows(),
                    position,
                    batch_rows: request.batch_rows,
                    fetch_bytes: 0,
                    decode_bytes: part.bytes().min(BATCH_BYTES),
                };
                position += unit.row_count();
                unit
            };
            partitions
                .push(Partition { units: chunk.parts().iter().enumerate().map(unit).collect() });
        }
        partitions
    }
}

impl Source for HeldSource {
    fn name(&self) -> String {
        "held rows".to_string()
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn statistics(&self) -> Statistics {
        let bytes = self.chunks.iter().map(Chunk::bytes).sum();
        Statistics { rows: Some(self.rows()), bytes: Some(bytes) }
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        let list = self.units(request);
        let row_groups = list.iter().map(|partition| partition.units.len()).sum();
        let list = match self.partitioning {
            Partitioning::Any => merged(list, request.partition_rows),
            Partitioning::Count(_) | Partitioning::Rows(_) | Partitioning::Bytes(_) => list,
        };
        let filters_exact = vec![false; request.filters.len()];
        Ok(Partitions { list, row_groups, row_groups_pruned: 0, filters_exact })
    }

    fn split(&self) -> Option<Vec<Arc<dyn Source>>> {
        let source = |chunk: &Chunk| -> Arc<dyn Source> {
            Arc::new(Self { chunks: vec![chunk.clone()], ..self.clone() })
        };
        Some(self.chunks.iter().map(source).collect())
    }

    fn fetch(&self, _: &ScanUnit, _: &ScanRequest) -> Result<Fetched> {
        Ok(Fetched::default())
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        _: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        let (rows, first) = (unit.rows.clone(), unit.position);
        let (projection, batch_rows) = (request.projection.clone(), unit.batch_rows.max(1));
        let mut start = 0;
        let pieces = self.part(unit).read(None).flat_map(move |batch| {
            let batch = batch.and_then(|batch| Ok(batch.project(&projection)?));
            let pieces: Vec<Result<ScannedBatch>> = match batch {
                Err(error) => vec![Err(error)],
                Ok(batch) => {
                    let end = start + batch.num_rows() as u64;
                    let wanted = rows.start.clamp(start, end)..rows.end.clamp(start, end);
                    let piece = |from: u64| {
                        let length = (wanted.end - from).min(batch_rows as u64) as usize;
                        let slice = batch.slice((from - start) as usize, length);
                        Ok(ScannedBatch { rows: slice, position: first + from - rows.start })
                    };
                    let pieces = wanted.clone().step_by(batch_rows).map(piece).collect();
                    start = end;
                    pieces
                }
            };
            pieces
        });
        Ok(Box::new(pieces))
    }
}

impl std::fmt::Debug for HeldSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldSource({} rows, {} partitions)", self.rows(), self.partition_count())
    }
}

/// Neighbours together, until they have so many rows.
fn merged(list: Vec<Partition>, rows: u64) -> Vec<Partition> {
    let mut merged: Vec<Partition> = Vec::new();
    for partition in list {
        match merged.last_mut() {
            Some(last) if last.row_count() < rows => last.units.extend(partition.units),
            _ => merged.push(partition),
        }
    }
    merged
}

/// Bytes of batches that become a part.
const PART_BYTES: usize = 8 << 20;

/// What a batch takes when it comes back from disk, as a rule at most.
const BATCH_BYTES: u64 = 4 << 20;

/// Where chunks end.
#[derive(Clone, Copy)]
enum Cuts {
    /// After any part.
    Anywhere,
    Rows(u64),
    Bytes(u64),
    /// So that `rows` become `count` chunks.
    Even {
        count: u64,
        rows: u64,
    },
}

impl Cuts {
    /// The rows of a chunk, if that is what counts.
    fn rows_of(self, chunk: usize) -> Option<u64> {
        match self {
            Cuts::Rows(rows) => Some(rows),
            Cuts::Even { count, rows } => {
                let end = |chunk: u128| (chunk * u128::from(rows) / u128::from(count)) as u64;
                Some(end(chunk as u128 + 1) - end(chunk as u128))
            }
            Cuts::Anywhere | Cuts::Bytes(_) => None,
        }
    }
}

/// `batches` as chunks.
fn filled(
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch>>,
    cuts: Cuts,
    context: &TaskContext,
) -> Result<Vec<Chunk>> {
    let mut filling = Filling::new(schema.clone(), cuts, context);
    for batch in batches {
        filling.add(batch?)?;
    }
    filling.close_chunk()?;
    Ok(filling.chunks)
}

/// Batches on their way into chunks.
struct Filling<'a> {
    schema: SchemaRef,
    cuts: Cuts,
    context: &'a TaskContext,
    /// Those of the next part, and their bytes.
    batches: Vec<(u32, RecordBatch)>,
    bytes: usize,
    /// Those of the next chunk, and its rows and bytes with the next part's.
    parts: Vec<Arc<Part>>,
    chunk_rows: u64,
    chunk_bytes: u64,
    chunks: Vec<Chunk>,
}

impl<'a> Filling<'a> {
    fn new(schema: SchemaRef, cuts: Cuts, context: &'a TaskContext) -> Self {
        Self {
            schema,
            cuts,
            context,
            batches: Vec::new(),
            bytes: 0,
            parts: Vec::new(),
            chunk_rows: 0,
            chunk_bytes: 0,
            chunks: Vec::new(),
        }
    }

    fn add(&mut self, batch: RecordBatch) -> Result<()> {
        let mut start = 0;
        while start < batch.num_rows() {
            let Some(most) = self.cuts.rows_of(self.chunks.len()) else { return self.push(batch) };
            let room = usize::try_from(most - self.chunk_rows).unwrap_or(usize::MAX);
            let end = batch.num_rows().min(start.saturating_add(room));
            match (start, end) {
                (0, end) if end == batch.num_rows() => self.push(batch.clone())?,
                _ => {
                    // A copy, so that each part's memory is its own.
                    let rows = UInt32Array::from_iter_values(start as u32..end as u32);
                    self.push(take_record_batch(&batch, &rows)?)?;
                }
            }
            start = end;
        }
        Ok(())
    }

    fn push(&mut self, batch: RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let bytes = batch_bytes(&batch);
        self.chunk_rows += batch.num_rows() as u64;
        self.chunk_bytes += bytes as u64;
        self.bytes += bytes;
        self.batches.push((0, batch));
        if self.bytes >= PART_BYTES {
            self.close_part()?;
        }
        let is_full = match self.cuts {
            Cuts::Anywhere => self.batches.is_empty(),
            Cuts::Bytes(most) => self.chunk_bytes >= most,
            Cuts::Rows(_) | Cuts::Even { .. } => {
                self.cuts.rows_of(self.chunks.len()).is_some_and(|most| self.chunk_rows >= most)
            }
        };
        if is_full {
            self.close_chunk()?;
        }
        Ok(())
    }

    fn close_part(&mut self) -> Result<()> {
        self.bytes = 0;
        let batches = std::mem::take(&mut self.batches);
        if !batches.is_empty() {
            let mut held = self.context.budget.reservation();
            self.parts.push(keep(0, self.schema.clone(), batches, &mut held, self.context)?);
        }
        Ok(())
    }

    fn close_chunk(&mut self) -> Result<()> {
        self.close_part()?;
        (self.chunk_rows, self.chunk_bytes) = (0, 0);
        let parts = std::mem::take(&mut self.parts);
        if !parts.is_empty() {
            self.chunks.push(Chunk::new(parts));
        }
        Ok(())
    }
}
