//! Graphs for tests: stages written as closures, and tasks whose chunks tell what went into them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use bytes::Bytes;
use dframe_core::{Budget, CancelToken, Fetched, Observer, Reservation, Result, Silent};
use dframe_runtime::{
    Chunk, ChunkStore, Dependency, FetchJob, Flow, Part, Pattern, Stage, StageGraph, StoreOptions,
    Task, TaskContext,
};

/// Rows of every chunk that a [`Mix`] makes, in two buckets.
pub const ROWS: usize = 400;
/// What a [`Mix`] holds at most besides its fetches.
pub const MIX_BYTES: usize = ROWS * 8;
/// What each of its fetches needs.
pub const FETCH_BYTES: usize = 1000;

/// A budget, a store in a temp directory of its own, and what tasks see of them.
pub struct Place {
    pub temp: tempfile::TempDir,
    pub context: TaskContext,
}

impl Place {
    pub fn new(limit: usize) -> Self {
        Self::with_observer(limit, Arc::new(Silent))
    }

    pub fn with_observer(limit: usize, observer: Arc<dyn Observer>) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let budget = Budget::new(limit);
        let options = StoreOptions { temp_dir: temp.path().to_path_buf(), temp_limit: None };
        let store = ChunkStore::new(options, observer.clone(), budget.clone());
        let context = TaskContext { budget, store, cancel: CancelToken::new(), observer };
        Self { temp, context }
    }

    /// No memory is held, and no file is left but the spill directory of the store.
    pub fn assert_clean(self) {
        assert_eq!(self.context.budget.reserved(), 0);
        for directory in std::fs::read_dir(self.temp.path()).unwrap() {
            let files = std::fs::read_dir(directory.unwrap().path()).unwrap();
            assert_eq!(files.count(), 1, "only the lock");
        }
        drop(self.context);
        assert_eq!(std::fs::read_dir(self.temp.path()).unwrap().count(), 0);
    }
}

/// Makes a task, given its index.
pub type Make = Box<dyn Fn(usize) -> Result<Box<dyn Task>> + Send + Sync>;

/// A stage of closures.
pub struct TestStage {
    pub name: String,
    pub count: usize,
    pub needs: Box<dyn Fn(usize) -> Vec<Dependency> + Send + Sync>,
    pub projected: usize,
    pub make: Make,
}

impl Stage for TestStage {
    fn name(&self) -> &str {
        &self.name
    }
    fn pattern(&self) -> Pattern {
        Pattern::Blockwise
    }
    fn task_count(&self) -> usize {
        self.count
    }
    fn dependencies(&self, index: usize) -> Vec<Dependency> {
        (self.needs)(index)
    }
    fn projected_bytes(&self, _index: usize) -> usize {
        self.projected
    }
    fn task(&self, index: usize) -> Result<Box<dyn Task>> {
        (self.make)(index)
    }
}

/// Adds a stage to `graph`.
pub fn stage(
    graph: &mut StageGraph,
    count: usize,
    needs: impl Fn(usize) -> Vec<Dependency> + Send + Sync + 'static,
    make: impl Fn(usize) -> Box<dyn Task> + Send + Sync + 'static,
) -> usize {
    graph.push(Arc::new(TestStage {
        name: format!("stage{}", graph.stages().len()),
        count,
        needs: Box::new(needs),
        projected: 0,
        make: Box::new(move |index| Ok(make(index))),
    }))
}

pub fn on(stage: usize, tasks: Range<usize>) -> Vec<Dependency> {
    vec![Dependency { stage, tasks }]
}

/// A task without fetches whose finish is a closure.
pub struct Finish<F>(pub F);

impl<F: FnOnce(Vec<Chunk>, &TaskContext) -> Result<Chunk> + Send> Task for Finish<F> {
    fn finish(self: Box<Self>, inputs: Vec<Chunk>, context: &TaskContext) -> Result<Chunk> {
        (self.0)(inputs, context)
    }
}

/// What a [`Mix`] is made of.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// Numbers the task among all of its graph.
    pub seed: u64,
    pub fetches: usize,
    /// The fetch after which it has had enough.
    pub enough_after: usize,
}

/// A task that reads, holds memory for what it read, and makes a chunk that depends on all its inputs and
/// their order.
pub struct Mix {
    recipe: Recipe,
    runs: Arc<Vec<AtomicU32>>,
    asked: usize,
    stepped: usize,
    hash: u64,
}

impl Mix {
    pub fn new(recipe: Recipe, runs: Arc<Vec<AtomicU32>>) -> Self {
        Self { recipe, runs, asked: 0, stepped: 0, hash: recipe.seed }
    }

    fn fold(&mut self, value: u64) {
        self.hash = (self.hash ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}

impl Task for Mix {
    fn next_fetch(&mut self) -> Option<FetchJob> {
        let number = (self.asked < self.recipe.fetches).then_some(self.asked as u64)?;
        self.asked += 1;
        let value = self.recipe.seed * 100 + number;
        let bytes = Bytes::from(value.to_le_bytes().repeat(10));
        let run = Box::new(move || Ok(Fetched { ranges: vec![(0, bytes)] }));
        Some(FetchJob { bytes: FETCH_BYTES, run })
    }

    fn step(&mut self, fetched: Fetched, held: Reservation, _: &TaskContext) -> Result<Flow> {
        assert_eq!(held.bytes(), FETCH_BYTES);
        let bytes = fetched.slice(8, 8).expect("ten values were read");
        let value = u64::from_le_bytes(bytes[..].try_into().unwrap());
        assert_eq!(value, self.recipe.seed * 100 + self.stepped as u64, "in order");
        self.fold(value);
        self.stepped += 1;
        Ok(if self.stepped == self.recipe.enough_after { Flow::Enough } else { Flow::Continue })
    }

    fn finish(mut self: Box<Self>, inputs: Vec<Chunk>, context: &TaskContext) -> Result<Chunk> {
        self.runs[self.recipe.seed as usize].fetch_add(1, Ordering::Relaxed);
        for part in Chunk::concat(inputs).parts() {
            for batch in part.read(None) {
                let values = batch?.column(0).as_primitive::<Int64Type>().clone();
                values.values().iter().for_each(|value| self.fold(*value as u64));
            }
        }
        let held = context.budget.reserve(MIX_BYTES, "mix")?;
        Ok(Chunk::new(vec![part(self.hash, held, &context.store)]))
    }
}

fn part(hash: u64, held: Reservation, store: &Arc<ChunkStore>) -> Arc<Part> {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    let half = |from: usize| {
        let values = (from..from + ROWS / 2).map(|i| hash.wrapping_mul(i as u64 | 1) as i64);
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        RecordBatch::try_new(schema.clone(), vec![column]).unwrap()
    };
    Part::new(store, 0, schema.clone(), vec![(0, half(0)), (1, half(ROWS / 2))], held)
}

/// The values of a chunk.
pub fn values(chunk: &Chunk) -> Vec<i64> {
    let batches = chunk.parts().iter().flat_map(|part| part.read(None));
    batches
        .flat_map(|b| b.unwrap().column(0).as_primitive::<Int64Type>().values().to_vec())
        .collect()
}

/// A number that stands for the content of a chunk.
pub fn digest(chunk: &Chunk) -> i64 {
    values(chunk).iter().fold(17, |digest, value| digest.wrapping_mul(31).wrapping_add(*value))
}
