//! The planner: a logical plan to a graph of stages, and the merger's steps after it.
//!
//! ```text
//!   plan --> Stream { origin: a scan or a stage, ops: blockwise, not yet run, tail: for the merger }
//!
//!   Filter, Project     are added to the stream's ops: no stage
//!   Aggregate           stream -> partial aggregate -> combine .. combine -> buckets
//!   Sort                stream -> sort runs, merged by the tail
//!   Limit               cut in each task, then once more by the tail
//! ```
//!
//!   Operator            a file each, made of `fold`, `exchange`, `shuffled` and `concat`
//!
//! A stream whose tail is not empty is gathered into one chunk before another stage can read it.

mod aggregate;
mod asof;
mod divisions;
mod exchange;
mod join;
mod skip;
mod union;
mod window;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use dframe_core::{Error, Event, Observer, Result};
use dframe_expr::{Expr, SortKey, bind, bind_predicate, conjunction};
use dframe_plan::{LogicalPlan, Operator, Partition, Scan, ScanRequest};
use dframe_runtime::StageGraph;

use crate::explode::ExplodeOp;
use crate::map_partitions::MapPartitionsOp;
use crate::pipeline::{BlockMap, BlockOp, RowChange};
use crate::row_numbers::NumberOp;
use crate::shuffle::{self, BucketInputs, StreamOrigin};
use crate::sort::{MergeRanges, SortSpec};
use crate::stage::{FoldSpec, Fused, Gather, Refold};
use crate::tail::TailOp;
use crate::unpivot::UnpivotOp;
use crate::windows::WindowOp;
use divisions::PlannedScan;

/// What the planner goes by.
#[derive(Clone)]
pub(crate) struct LowerOptions {
    /// The memory limit.
    pub(crate) memory: usize,
    /// Tasks that run at once.
    pub(crate) threads: usize,
    /// Hears of partitions.
    pub(crate) observer: Arc<dyn Observer>,
}

/// A plan ready to run.
pub(crate) struct Lowered {
    /// The stages.
    pub(crate) graph: StageGraph,
    /// What is done with the last stage's chunks.
    pub(crate) tail: Vec<TailOp>,
    /// The columns that come out.
    pub(crate) schema: SchemaRef,
}

/// Lowers `plan`.
///
/// # Errors
/// Whatever is wrong with the plan's expressions, or with the metadata of its sources.
pub(crate) fn lower(plan: &LogicalPlan, options: &LowerOptions) -> Result<Lowered> {
    let mut planner = Planner { graph: StageGraph::new(), options };
    let stream = planner.stream(plan)?;
    let (schema, tail) = (stream.schema.clone(), stream.tail.clone());
    planner.collect(stream)?;
    Ok(Lowered { graph: planner.graph, tail, schema })
}

/// The divisions of what `plan` reads by a column of what comes out of it: a row each of `rows`, `min` and `max`,
/// in the order of values. `None` if they are not known.
///
/// # Errors
/// As [`lower`].
pub(crate) fn divisions(
    plan: &LogicalPlan,
    column: usize,
    options: &LowerOptions,
) -> Result<Option<RecordBatch>> {
    let mut planner = Planner { graph: StageGraph::new(), options };
    planner.known_divisions(plan, column)?.map(|divisions| divisions.to_batch()).transpose()
}

/// Rows on their way: where they come from and what is still to be done with them.
struct Stream {
    origin: Origin,
    ops: Vec<BlockOp>,
    tail: Vec<TailOp>,
    /// The columns after `ops`.
    before_tail: SchemaRef,
    /// The columns after `tail`.
    schema: SchemaRef,
    /// Rows, at most, as far as is known.
    rows: u64,
}

enum Origin {
    Scan(Scan),
    /// A scan whose partitions are known.
    Planned(PlannedScan),
    Stage(usize),
    /// Rows made of buckets as they are asked for.
    Buckets(StreamOrigin),
    /// Streams without tails, one after the other.
    Union(Vec<Stream>),
}

struct Planner<'a> {
    graph: StageGraph,
    options: &'a LowerOptions,
}

/// Rows of a batch in flight.
const BATCH_ROWS: usize = 16 * 1024;
/// Rows of a partition that is folded, rather than handed on as it is.
const PARTITION_ROWS: u64 = 4 << 20;
/// The rows that are left make so many partitions for each thread, about.
const PARTITIONS_PER_THREAD: u64 = 4;
/// Whatever the threads, a partition is one part in so many of the rows that are left, at most.
const PARTITION_SHARE_MIN: u64 = 8;
/// Positions of rows within one input of a union stay below two to this.
const UNION_POSITION_BITS: u32 = 53;

/// Sorted rows that one merger takes on; more are merged by ranges, in tasks.
const MERGED_ALONE: u64 = 256 << 10;
/// Rows of such a range.
const RANGE_ROWS: u64 = 64 << 10;
/// The ranges at most.
const RANGES_MAX: u64 = 1024;

impl Planner<'_> {
    fn stream(&mut self, plan: &LogicalPlan) -> Result<Stream> {
        match plan {
            LogicalPlan::Scan(scan) => scanned(scan),
            LogicalPlan::Filter { input, predicate } => {
                let stream = self.stream(input)?;
                let op = BlockOp::Filter(bind_predicate(predicate, &stream.schema)?);
                Ok(stream.with_op(op, None))
            }
            LogicalPlan::Project { input, exprs, schema } => {
                let stream = self.stream(input)?;
                let exprs = exprs.iter().map(|expr| bind(expr, &stream.schema));
                let exprs = exprs.collect::<Result<_>>()?;
                let op = BlockOp::Project { exprs, schema: schema.clone() };
                Ok(stream.with_op(op, Some(schema.clone())))
            }
            LogicalPlan::Aggregate { input, keys, aggregates, schema } => {
                let stream = self.stream(input)?;
                self.aggregate(stream, keys, aggregates, schema)
            }
            LogicalPlan::Sort { input, keys, limit } => {
                let stream = self.stream(input)?;
                self.sort(stream, keys, *limit)
            }
            LogicalPlan::Limit { input, offset, limit } => {
                let stream = self.stream(input)?;
                self.limit(stream, *offset, *limit)
            }
            LogicalPlan::Operator(operator) => self.operator(operator),
            other => Err(Error::unsupported(format!("cannot execute {other:?}"))),
        }
    }

    fn operator(&mut self, operator: &Operator) -> Result<Stream> {
        match operator {
            Operator::Join(join) => self.join(join),
            Operator::Union(union) => self.union(union),
            Operator::Explode(explode) => {
                let stream = self.stream(&explode.input)?;
                Ok(Stream { rows: u64::MAX, ..stream.mapped(ExplodeOp::new(explode)?) })
            }
            Operator::MapPartitions(map) => {
                let stream = self.stream(&map.input)?;
                let op = MapPartitionsOp::new(map, &stream.schema);
                Ok(Stream { rows: u64::MAX, ..stream.mapped(op) })
            }
            Operator::RowNumbers(numbers) => {
                let stream = self.stream(&numbers.input)?;
                Ok(stream.numbered(NumberOp::new(numbers)))
            }
            Operator::Unpivot(unpivot) => {
                let stream = self.stream(&unpivot.input)?;
                let op = UnpivotOp::new(unpivot, &stream.schema)?;
                let rows = stream.rows.saturating_mul(unpivot.on.len() as u64);
                Ok(Stream { rows, ..stream.mapped(op) })
            }
            Operator::Window(window) => self.window(window),
            Operator::Windows(windows) => {
                let stream = self.stream(&windows.input)?;
                let op = WindowOp::new(windows, &stream.schema)?;
                let rows = stream.rows.saturating_mul(op.copies() as u64);
                Ok(Stream { rows, ..stream.mapped(op) })
            }
            other => Err(Error::unsupported(format!("cannot execute {other:?}"))),
        }
    }

    fn sort(&mut self, stream: Stream, keys: &[SortKey], limit: Option<u64>) -> Result<Stream> {
        let stream = self.without_tail(stream)?;
        let schema = stream.schema.clone();
        let spec = Arc::new(SortSpec::new(keys, limit, self.task_memory(), schema.clone())?);
        let rows = stream.rows.min(limit.unwrap_or(u64::MAX));
        let stage = self.fold(stream, FoldSpec::Sort(spec.clone()))?;
        if limit.is_none() && rows > MERGED_ALONE {
            let ranges = rows.div_ceil(RANGE_ROWS).min(RANGES_MAX) as u32;
            let inputs = BucketInputs::Buckets(vec![self.tasks_of(stage)], ranges);
            let work = Arc::new(MergeRanges::new(spec, ranges));
            let origin = StreamOrigin { inputs, work };
            return Ok(Stream::of(Origin::Buckets(origin), schema, rows));
        }
        let mut sorted = Stream::of_stage(stage, schema, rows);
        sorted.tail.push(TailOp::Merge(spec));
        Ok(sorted)
    }

    fn limit(&mut self, mut stream: Stream, offset: u64, limit: Option<u64>) -> Result<Stream> {
        if let Some(wanted) = limit.and_then(|limit| limit.checked_add(offset))
            && stream.tail.is_empty()
        {
            // Each task stops once it has what could be wanted of it.
            let schema = stream.schema.clone();
            let fold = FoldSpec::Collect { schema: schema.clone(), limit: Some(wanted) };
            let rows = stream.rows.min(wanted);
            let stage = self.fold(stream, fold)?;
            stream = Stream::of_stage(stage, schema, rows);
        }
        stream.rows = stream.rows.min(limit.unwrap_or(u64::MAX));
        stream.tail.push(TailOp::Slice { offset, limit });
        Ok(stream)
    }

    /// Makes sure that the last stage's chunks are the stream's rows, before its tail.
    fn collect(&mut self, stream: Stream) -> Result<usize> {
        match stream.origin {
            Origin::Stage(stage) if stream.ops.is_empty() => Ok(stage),
            _ => {
                let schema = stream.before_tail.clone();
                self.fold(stream, FoldSpec::Collect { schema, limit: None })
            }
        }
    }

    /// The stream as the only chunk of a stage of its own, if it has a tail.
    fn without_tail(&mut self, stream: Stream) -> Result<Stream> {
        if stream.tail.is_empty() {
            return Ok(stream);
        }
        let (tail, schema, rows) = (stream.tail.clone(), stream.schema.clone(), stream.rows);
        let input = self.collect(stream)?;
        let inputs = self.graph.stages()[input].task_count();
        let names: Vec<_> = tail.iter().map(TailOp::name).collect();
        let name = names.join(" + ");
        let gather = Gather { input, inputs, tail, schema: schema.clone(), name };
        Ok(Stream::of_stage(self.graph.push(Arc::new(gather)), schema, rows))
    }

    /// A stage that takes the stream's rows through its ops into folds, one per task.
    fn fold(&mut self, stream: Stream, fold: FoldSpec) -> Result<usize> {
        self.fold_from(stream, fold, &mut 0)
    }

    /// As [`Planner::fold`], for the rows after `before` other inputs of a union; counts its own.
    fn fold_from(&mut self, stream: Stream, fold: FoldSpec, before: &mut u64) -> Result<usize> {
        let stream = match fold.needs_positions() && grows(&stream.ops) {
            true => self.with_new_positions(stream)?,
            false => stream,
        };
        let Stream { origin, ops, .. } = stream;
        if let Origin::Union(inputs) = origin {
            return self.fold_each(inputs, &ops, &fold, before);
        }
        let first_position = *before << UNION_POSITION_BITS;
        *before += 1;
        let keeps_rows = matches!(fold, FoldSpec::Collect { .. });
        let limit = match (&fold, ops.is_empty()) {
            (FoldSpec::Collect { limit, .. }, true) => *limit,
            _ => None,
        };
        let fused = Arc::new(Fused { ops, fold, first_position });
        Ok(match origin {
            Origin::Union(_) => unreachable!("has been folded above"),
            Origin::Scan(scan) => {
                let rows = if keeps_rows { 1 } else { PARTITION_ROWS };
                let (request, partitions) = self.partitions(&scan, rows, limit)?;
                let planned = PlannedScan { scan, request, partitions };
                self.graph.push(Arc::new(planned.into_leaf(fused)?))
            }
            Origin::Planned(planned) => self.graph.push(Arc::new(planned.into_leaf(fused)?)),
            Origin::Buckets(origin) => {
                self.graph.push(Arc::new(shuffle::Stream::new(origin, fused)))
            }
            Origin::Stage(input) => {
                let tasks = self.graph.stages()[input].task_count();
                let name = Refold::name(&fused);
                self.graph.push(Arc::new(Refold { input, tasks, fused, name }))
            }
        })
    }

    /// The rows as those of a stage of their own, whose positions tell their order.
    fn with_new_positions(&mut self, stream: Stream) -> Result<Stream> {
        let (schema, rows) = (stream.before_tail.clone(), stream.rows);
        let stage = self.fold(stream, FoldSpec::Collect { schema: schema.clone(), limit: None })?;
        Ok(Stream::of_stage(stage, schema, rows))
    }

    fn partitions(
        &self,
        scan: &Scan,
        partition_rows: u64,
        limit: Option<u64>,
    ) -> Result<(Arc<ScanRequest>, Vec<Partition>)> {
        let request = ScanRequest {
            projection: scan.projection.clone(),
            filters: scan.filters.clone(),
            tests: Vec::new(),
            limit: scan.limit.into_iter().chain(limit.filter(|_| scan.filters.is_empty())).min(),
            batch_rows: BATCH_ROWS,
            unit_bytes: self.unit_bytes(),
            partition_rows,
            partition_share: (PARTITIONS_PER_THREAD * self.options.threads as u64)
                .max(PARTITION_SHARE_MIN),
        };
        let mut planned = scan.source.partitions(&request)?;
        if scan.filters.is_empty() {
            count_rows(&mut planned.list);
        }
        let units = || planned.list.iter().flat_map(|partition| &partition.units);
        self.options.observer.observe(&Event::PartitionsPlanned {
            partitions: planned.list.len(),
            row_groups: planned.row_groups,
            row_groups_pruned: planned.row_groups_pruned,
            rows: units().map(dframe_plan::ScanUnit::row_count).sum(),
            bytes: units().map(|unit| unit.fetch_bytes).sum(),
        });
        Ok((Arc::new(request), planned.list))
    }

    /// What a task may hold of what cannot be spilled, so that all workers fit in half of the memory.
    fn task_memory(&self) -> usize {
        self.options.memory / (2 * (self.options.threads + 1))
    }

    /// Each worker has a unit in work and one being fetched; half of the memory is for what they
    /// make of them.
    fn unit_bytes(&self) -> u64 {
        let share = self.task_memory() / 2;
        (share as u64).clamp(1 << 20, 256 << 20)
    }
}

impl Stream {
    /// The stream with a blockwise operator after it, which gives it a new schema or leaves it.
    fn with_op(mut self, op: BlockOp, schema: Option<SchemaRef>) -> Self {
        if let Some(schema) = schema {
            self.schema = schema;
        }
        match self.tail.is_empty() {
            true => {
                self.ops.push(op);
                self.before_tail = self.schema.clone();
            }
            false => self.tail.push(TailOp::Block(op)),
        }
        self
    }

    /// Whether a filter, or a join that drops rows, may have left few rows of what was read.
    fn is_narrowed(&self) -> bool {
        let narrows = |op: &BlockOp| match op {
            BlockOp::Filter(_) => true,
            BlockOp::Probe(table, _) => table.drops_unpaired(),
            _ => false,
        };
        let of_scan = match &self.origin {
            Origin::Scan(scan) => !scan.filters.is_empty(),
            Origin::Planned(planned) => !planned.scan.filters.is_empty(),
            _ => false,
        };
        of_scan || self.ops.iter().any(narrows)
    }

    /// The stream with an operator after it that looks at one batch at a time.
    fn mapped(self, map: impl BlockMap + 'static) -> Self {
        let schema = map.schema().clone();
        self.with_op(BlockOp::Map(Arc::new(map)), Some(schema))
    }

    /// The stream with numbers of rows: by the tasks if their rows' places are known.
    fn numbered(mut self, op: NumberOp) -> Self {
        let stay = self.ops.iter().all(|op| op.row_change() == RowChange::None);
        let places_are_known = match &self.origin {
            Origin::Scan(scan) => scan.filters.is_empty() && stay && self.tail.is_empty(),
            _ => false,
        };
        if places_are_known {
            return self.mapped(op);
        }
        self.schema = op.schema().clone();
        self.tail.push(TailOp::Number(op));
        self
    }

    /// The rows of a stage, at most so many.
    fn of_stage(stage: usize, schema: SchemaRef, rows: u64) -> Self {
        Self::of(Origin::Stage(stage), schema, rows)
    }

    fn of(origin: Origin, schema: SchemaRef, rows: u64) -> Self {
        Self {
            origin,
            ops: Vec::new(),
            tail: Vec::new(),
            before_tail: schema.clone(),
            schema,
            rows,
        }
    }
}

fn grows(ops: &[BlockOp]) -> bool {
    ops.iter().any(|op| op.row_change() == RowChange::More)
}

/// Gives each unit the number of rows before it as its position. Only where all rows are read.
fn count_rows(partitions: &mut [Partition]) {
    let mut rows = 0;
    for unit in partitions.iter_mut().flat_map(|partition| &mut partition.units) {
        unit.position = rows;
        rows += unit.row_count();
    }
}

fn scanned(scan: &Scan) -> Result<Stream> {
    let rows = scan.source.statistics().rows.unwrap_or(u64::MAX);
    let schema = scan.schema.clone();
    let mut scan = scan.clone();
    let mut ops = Vec::new();
    if let Some(filter) = conjunction(scan.filters.iter().cloned()) {
        ops = filtered(&mut scan, &filter, &schema)?;
    }
    let (origin, tail) = (Origin::Scan(scan), Vec::new());
    Ok(Stream { origin, ops, tail, before_tail: schema.clone(), schema, rows })
}

/// Makes `scan` read the filter's columns too, and says how to filter and then drop them.
fn filtered(scan: &mut Scan, filter: &Expr, output: &SchemaRef) -> Result<Vec<BlockOp>> {
    let all = scan.source.schema();
    let wanted = scan.projection.len();
    for column in filter.columns() {
        let index = dframe_expr::resolve_column(&all, &column)?;
        if !scan.projection.contains(&index) {
            scan.projection.push(index);
        }
    }
    let fields = scan.projection.iter().map(|index| all.field(*index).clone());
    let read: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let mut ops = vec![BlockOp::Filter(bind_predicate(filter, &read)?)];
    if scan.projection.len() > wanted {
        let exprs =
            output.fields().iter().map(|field| bind(&dframe_expr::col(field.name()), &read));
        ops.push(BlockOp::Project { exprs: exprs.collect::<Result<_>>()?, schema: output.clone() });
    }
    scan.schema = read;
    Ok(ops)
}
