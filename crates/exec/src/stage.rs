//! The stages that plans are lowered to, as the runtime runs them.
//!
//! | stage     | pattern    | a task                                                        |
//! |-----------|------------|---------------------------------------------------------------|
//! | `Leaf`    | blockwise  | reads a partition, unit by unit, into a [`Fold`]              |
//! | `Refold`  | blockwise  | reads a chunk of an earlier stage into a [`Fold`]             |
//! | `Concat`  | blockwise  | hands on a chunk of one of several stages                     |
//! | `Gather`  | tree       | takes all chunks through the merger's steps, into one chunk   |
//!
//! Those of a group-by alone are in [`group`](crate::group).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::SchemaRef;
use dframe_core::{Error, Event, Fetched, Reservation, Result};
use dframe_plan::{ScanRequest, ScanUnit, ScannedBatch, Source};
use dframe_runtime::{Chunk, Dependency, FetchJob, Flow, Pattern, Stage, Task, TaskContext};

use crate::exchange::{Exchange, ExchangeSpec};
use crate::fold::{Collect, Fold};
use crate::group::{GroupSpec, PartialAggregate, SharedGroups};
use crate::join::KeyFilter;
use crate::pipeline::{self, BlockOp};
use crate::skip::UnitTest;
use crate::sort::{SortRun, SortSpec};
use crate::tail::{self, TailOp};

/// What a task folds its batches into.
#[derive(Clone, Debug)]
pub(crate) enum FoldSpec {
    /// The batches themselves.
    Collect {
        /// Their schema.
        schema: SchemaRef,
        /// The rows wanted.
        limit: Option<u64>,
    },
    /// Groups, some of which tasks may share.
    Group(Arc<GroupSpec>, Option<Arc<SharedGroups>>),
    /// Sorted runs.
    Sort(Arc<SortSpec>),
    /// Rows cut into buckets by key, their keys noted for the other side of a join.
    Exchange(Arc<ExchangeSpec>, Option<Arc<KeyFilter>>),
}

impl FoldSpec {
    fn start(&self, context: &TaskContext) -> Result<Box<dyn Fold>> {
        Ok(match self {
            FoldSpec::Collect { schema, limit } => {
                Box::new(Collect::new(schema.clone(), *limit, context))
            }
            FoldSpec::Group(spec, shared) => {
                Box::new(PartialAggregate::new(spec, shared.as_ref(), context)?)
            }
            FoldSpec::Sort(spec) => Box::new(SortRun::new(spec, context)),
            FoldSpec::Exchange(spec, noting) => {
                Box::new(Exchange::new(spec, noting.as_ref(), context))
            }
        })
    }

    /// Whether it asks for the order of rows.
    pub(crate) fn needs_positions(&self) -> bool {
        match self {
            FoldSpec::Collect { .. } | FoldSpec::Sort(_) => false,
            FoldSpec::Group(spec, _) => spec.needs_positions(),
            FoldSpec::Exchange(spec, _) => spec.keeps_order(),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            FoldSpec::Collect { .. } => "collect",
            FoldSpec::Group(..) => "partial aggregate",
            FoldSpec::Sort(_) => "sort run",
            FoldSpec::Exchange(..) => "cut by key",
        }
    }
}

/// What is fused into a task between its input and its chunk.
#[derive(Clone, Debug)]
pub(crate) struct Fused {
    /// The blockwise operators, in order.
    pub(crate) ops: Vec<BlockOp>,
    /// The end.
    pub(crate) fold: FoldSpec,
    /// What is added to the positions of the input's rows.
    pub(crate) first_position: u64,
}

impl Fused {
    /// What the operators need besides the input. Those stages hand over empty chunks.
    pub(crate) fn after(&self) -> Vec<Dependency> {
        self.ops.iter().filter_map(BlockOp::after).map(StageTasks::all).collect()
    }

    /// A stage's name, which begins with its input's.
    pub(crate) fn name(&self, input: &'static str) -> String {
        let ops = self.ops.iter().map(BlockOp::name);
        let names: Vec<_> = [input].into_iter().chain(ops).chain([self.fold.name()]).collect();
        names.join(" + ")
    }
}

/// A [`Fused`] at work.
pub(crate) struct Folding {
    fused: Arc<Fused>,
    fold: Option<Box<dyn Fold>>,
}

impl Folding {
    /// Nothing folded yet.
    pub(crate) fn new(fused: &Arc<Fused>) -> Self {
        Self { fused: fused.clone(), fold: None }
    }

    fn fold(&mut self, context: &TaskContext) -> Result<&mut Box<dyn Fold>> {
        if self.fold.is_none() {
            self.fold = Some(self.fused.fold.start(context)?);
        }
        Ok(self.fold.as_mut().expect("started above"))
    }

    /// Takes one batch in, and says whether more are wanted.
    pub(crate) fn push(&mut self, mut batch: ScannedBatch, context: &TaskContext) -> Result<bool> {
        let fused = self.fused.clone();
        batch.position += fused.first_position;
        let fold = self.fold(context)?;
        pipeline::run(&fused.ops, batch, &mut |batch| fold.push(batch, context))
    }

    /// Hands memory over to the store.
    fn give_way(&mut self, context: &TaskContext) -> Result<()> {
        self.fold.as_mut().map_or(Ok(()), |fold| fold.give_way(context))
    }

    /// The chunk.
    pub(crate) fn finish(mut self, context: &TaskContext) -> Result<Chunk> {
        self.fold(context)?;
        self.fold.expect("started above").finish(context)
    }
}

/// Reads the partitions of a source.
pub(crate) struct Leaf {
    /// What is read.
    pub(crate) source: Arc<dyn Source>,
    /// How.
    pub(crate) request: Arc<ScanRequest>,
    /// A task each.
    pub(crate) partitions: Vec<dframe_plan::Partition>,
    /// What may show that a unit need not be read.
    pub(crate) tests: Arc<[Arc<dyn UnitTest>]>,
    /// What is done with it.
    pub(crate) fused: Arc<Fused>,
    /// The stage's name.
    pub(crate) name: String,
}

impl Leaf {
    /// The name of a leaf that does this.
    pub(crate) fn name(fused: &Fused) -> String {
        fused.name("scan")
    }
}

impl Stage for Leaf {
    fn name(&self) -> &str {
        &self.name
    }

    fn pattern(&self) -> Pattern {
        Pattern::Blockwise
    }

    fn task_count(&self) -> usize {
        self.partitions.len()
    }

    fn dependencies(&self, _index: usize) -> Vec<Dependency> {
        self.fused.after()
    }

    fn projected_bytes(&self, index: usize) -> usize {
        let units = self.partitions[index].units.iter();
        units.map(unit_bytes).max().unwrap_or(0)
    }

    fn fetches_ahead(&self) -> usize {
        self.source.fetches_ahead()
    }

    fn task(&self, index: usize) -> Result<Box<dyn Task>> {
        let units = self.partitions[index].units.clone();
        Ok(Box::new(LeafTask {
            source: self.source.clone(),
            request: self.request.clone(),
            tests: self.tests.clone(),
            units: units.into(),
            fetched: VecDeque::new(),
            skipped: Skipped::default(),
            folding: Folding::new(&self.fused),
        }))
    }
}

fn unit_bytes(unit: &ScanUnit) -> usize {
    usize::try_from(unit.fetch_bytes + unit.decode_bytes).unwrap_or(usize::MAX)
}

struct LeafTask {
    source: Arc<dyn Source>,
    request: Arc<ScanRequest>,
    tests: Arc<[Arc<dyn UnitTest>]>,
    /// What is yet to be fetched.
    units: VecDeque<ScanUnit>,
    /// What has been fetched, or is about to be.
    fetched: VecDeque<ScanUnit>,
    skipped: Skipped,
    folding: Folding,
}

/// Units that were not read, or not decoded.
#[derive(Default)]
struct Skipped {
    units: u64,
    rows: u64,
}

impl LeafTask {
    /// Whether `unit` may matter, by what is known now. Counts it if not.
    fn wants(&mut self, unit: &ScanUnit) -> bool {
        let source = self.source.as_ref();
        let wanted = self.tests.iter().all(|test| test.may_matter(source, unit));
        if !wanted {
            self.skipped.units += 1;
            self.skipped.rows += unit.row_count();
        }
        wanted
    }

    fn decode(&mut self, unit: &ScanUnit, fetched: Fetched, context: &TaskContext) -> Result<Flow> {
        let mut clock = Clock::default();
        let mut batches =
            clock.scan(|| self.source.clone().decode(unit, fetched, &self.request))?;
        let mut flow = Flow::Continue;
        while let Some(batch) = clock.scan(|| batches.next()) {
            context.cancel.check()?;
            let batch = batch?;
            clock.rows += batch.rows.num_rows() as u64;
            if !clock.fold(|| self.folding.push(batch, context))? {
                flow = Flow::Enough;
                break;
            }
        }
        clock.report(self.folding.fused.fold.name(), context);
        Ok(flow)
    }
}

impl Task for LeafTask {
    fn next_fetch(&mut self) -> Option<FetchJob> {
        let unit = loop {
            let unit = self.units.pop_front()?;
            if self.wants(&unit) {
                break unit;
            }
        };
        self.fetched.push_back(unit.clone());
        let (source, request) = (self.source.clone(), self.request.clone());
        let bytes = unit_bytes(&unit);
        Some(FetchJob { bytes, run: Box::new(move || source.fetch(&unit, &request)) })
    }

    fn step(&mut self, fetched: Fetched, held: Reservation, context: &TaskContext) -> Result<Flow> {
        let unit = self.fetched.pop_front();
        let unit = unit.ok_or_else(|| Error::internal("a step without a fetch"))?;
        // More may be known than when it was fetched.
        let flow = match self.wants(&unit) {
            true => self.decode(&unit, fetched, context)?,
            false => Flow::Continue,
        };
        drop(held);
        Ok(flow)
    }

    fn give_way(&mut self, context: &TaskContext) -> Result<()> {
        self.folding.give_way(context)
    }

    fn finish(self: Box<Self>, _inputs: Vec<Chunk>, context: &TaskContext) -> Result<Chunk> {
        let Skipped { units, rows } = self.skipped;
        if units > 0 {
            context.observer.observe(&Event::UnitsSkipped { units, rows });
        }
        self.folding.finish(context)
    }
}

/// Tells apart the time of decoding and of what follows.
#[derive(Default)]
struct Clock {
    scan: Duration,
    fold: Duration,
    rows: u64,
}

impl Clock {
    fn scan<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let outcome = work();
        self.scan += start.elapsed();
        outcome
    }

    fn fold<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let outcome = work();
        self.fold += start.elapsed();
        outcome
    }

    fn report(self, fold: &'static str, context: &TaskContext) {
        let Self { scan, fold: folded, rows } = self;
        context.observer.observe(&Event::RowsRead(rows));
        context.observer.observe(&Event::OperatorTime { operator: "scan", busy: scan, rows });
        context.observer.observe(&Event::OperatorTime { operator: fold, busy: folded, rows });
    }
}

/// Folds the chunks of an earlier stage, one by one.
pub(crate) struct Refold {
    /// The earlier stage.
    pub(crate) input: usize,
    /// Its number of tasks.
    pub(crate) tasks: usize,
    /// What is done with each chunk.
    pub(crate) fused: Arc<Fused>,
    /// The stage's name.
    pub(crate) name: String,
}

impl Refold {
    /// The name of a stage that does this.
    pub(crate) fn name(fused: &Fused) -> String {
        fused.name("read")
    }
}

impl Stage for Refold {
    fn name(&self) -> &str {
        &self.name
    }

    fn pattern(&self) -> Pattern {
        Pattern::Blockwise
    }

    fn task_count(&self) -> usize {
        self.tasks
    }

    fn dependencies(&self, index: usize) -> Vec<Dependency> {
        let mut all = vec![Dependency { stage: self.input, tasks: index..index + 1 }];
        all.extend(self.fused.after());
        all
    }

    fn task(&self, index: usize) -> Result<Box<dyn Task>> {
        let mut folding = Folding::new(&self.fused);
        Ok(finishing(move |inputs, context| {
            // Positions only have to grow from chunk to chunk, and within one.
            let mut position = (index as u64) << TASK_POSITION_BITS;
            for batch in inputs.into_iter().flat_map(Chunk::into_parts).flat_map(|p| p.take(None)) {
                context.cancel.check()?;
                let rows = batch?;
                let next = position + rows.num_rows() as u64;
                if !folding.push(ScannedBatch { rows, position }, context)? {
                    break;
                }
                position = next;
            }
            folding.finish(context)
        }))
    }
}

/// A stage that another reads, and its number of tasks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageTasks {
    /// The stage.
    pub(crate) stage: usize,
    /// Its number of tasks.
    pub(crate) tasks: usize,
}

impl StageTasks {
    /// All its tasks.
    pub(crate) fn all(self) -> Dependency {
        Dependency { stage: self.stage, tasks: 0..self.tasks }
    }
}

/// Rows of one task's input have positions below two to this.
pub(crate) const TASK_POSITION_BITS: u32 = 36;

/// The chunks of several stages as those of one.
pub(crate) struct Concat {
    /// The stages.
    pub(crate) inputs: Vec<StageTasks>,
}

impl Stage for Concat {
    fn name(&self) -> &str {
        "concat"
    }

    fn pattern(&self) -> Pattern {
        Pattern::Blockwise
    }

    fn task_count(&self) -> usize {
        self.inputs.iter().map(|input| input.tasks).sum()
    }

    fn dependencies(&self, mut index: usize) -> Vec<Dependency> {
        for input in &self.inputs {
            if index < input.tasks {
                return vec![Dependency { stage: input.stage, tasks: index..index + 1 }];
            }
            index -= input.tasks;
        }
        Vec::new()
    }

    fn task(&self, _index: usize) -> Result<Box<dyn Task>> {
        Ok(finishing(|chunks, _| Ok(Chunk::concat(chunks))))
    }
}

/// Takes all chunks of the stage before through the merger's steps.
pub(crate) struct Gather {
    /// The stage before.
    pub(crate) input: usize,
    /// Its number of tasks.
    pub(crate) inputs: usize,
    /// The steps.
    pub(crate) tail: Vec<TailOp>,
    /// What comes out.
    pub(crate) schema: SchemaRef,
    /// The stage's name.
    pub(crate) name: String,
}

impl Stage for Gather {
    fn name(&self) -> &str {
        &self.name
    }

    fn pattern(&self) -> Pattern {
        Pattern::TreeReduce
    }

    fn task_count(&self) -> usize {
        1
    }

    fn dependencies(&self, _index: usize) -> Vec<Dependency> {
        vec![Dependency { stage: self.input, tasks: 0..self.inputs }]
    }

    fn task(&self, _index: usize) -> Result<Box<dyn Task>> {
        let (tail, schema) = (self.tail.clone(), self.schema.clone());
        Ok(finishing(move |inputs, context| {
            let mut collect = Box::new(Collect::new(schema, None, context));
            for rows in tail::run(&tail, inputs.into_iter().map(Ok), context) {
                context.cancel.check()?;
                collect.push(ScannedBatch { rows: rows?, position: 0 }, context)?;
            }
            collect.finish(context)
        }))
    }
}

/// A task that fetches nothing.
pub(crate) fn finishing<F>(finish: F) -> Box<dyn Task>
where
    F: FnOnce(Vec<Chunk>, &TaskContext) -> Result<Chunk> + Send + 'static,
{
    struct Finishing<F>(F);
    impl<F> Task for Finishing<F>
    where
        F: FnOnce(Vec<Chunk>, &TaskContext) -> Result<Chunk> + Send,
    {
        fn finish(self: Box<Self>, inputs: Vec<Chunk>, context: &TaskContext) -> Result<Chunk> {
            (self.0)(inputs, context)
        }
    }
    Box::new(Finishing(finish))
}

/// Something that tasks share, made of the rows of a small input.
pub(crate) trait SharedBuild: Send + Sync {
    /// What making it is called in plans.
    fn name(&self) -> &'static str;

    /// Makes it, of all rows of the input.
    fn build(&self, inputs: Vec<Chunk>, context: &TaskContext) -> Result<()>;
}

/// The stage whose one task makes what others share.
pub(crate) struct BuildShared {
    /// Where the rows are.
    pub(crate) input: StageTasks,
    /// What is made.
    pub(crate) shared: Arc<dyn SharedBuild>,
}

impl Stage for BuildShared {
    fn name(&self) -> &str {
        self.shared.name()
    }

    fn pattern(&self) -> Pattern {
        Pattern::TreeReduce
    }

    fn task_count(&self) -> usize {
        1
    }

    fn dependencies(&self, _index: usize) -> Vec<Dependency> {
        vec![self.input.all()]
    }

    fn task(&self, _index: usize) -> Result<Box<dyn Task>> {
        let shared = self.shared.clone();
        Ok(finishing(move |inputs, context| {
            shared.build(inputs, context)?;
            Ok(Chunk::default())
        }))
    }
}
