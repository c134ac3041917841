//! The finished chunks of a run, each kept until its last consumer has it.
//!
//! How many consumers a chunk has follows from the ranges that later tasks depend on: counted with one
//! difference per range end, so a shuffle of n by m tasks costs n + m, not n times m.

use dframe_core::{Error, Result};

use crate::chunk::Chunk;
use crate::task::{Dependency, StageGraph};

/// Chunks that are waiting for their consumers.
pub(crate) struct ChunkTable {
    stages: Vec<StageChunks>,
}

struct StageChunks {
    chunks: Vec<Option<Chunk>>,
    consumers: Vec<u32>,
}

impl ChunkTable {
    /// An empty table.
    ///
    /// # Errors
    /// When a task depends on its own or a later stage, or on tasks that do not exist.
    pub(crate) fn new(graph: &StageGraph) -> Result<Self> {
        let counts: Vec<usize> = graph.stages().iter().map(|stage| stage.task_count()).collect();
        let mut changes: Vec<Vec<i64>> = counts.iter().map(|count| vec![0; count + 1]).collect();
        for (position, stage) in graph.stages().iter().enumerate() {
            for index in 0..counts[position] {
                for Dependency { stage: on, tasks } in stage.dependencies(index) {
                    if on >= position || tasks.end > counts[on] || tasks.start > tasks.end {
                        return Err(bad_dependency(stage.name(), index, on, &tasks));
                    }
                    changes[on][tasks.start] += 1;
                    changes[on][tasks.end] -= 1;
                }
            }
        }
        Ok(Self { stages: changes.iter().map(|changes| StageChunks::new(changes)).collect() })
    }

    /// Keeps the chunk of a task for its consumers, if it has any.
    pub(crate) fn put(&mut self, stage: usize, index: usize, chunk: Chunk) {
        let stage = &mut self.stages[stage];
        if stage.consumers[index] > 0 {
            stage.chunks[index] = Some(chunk);
        }
    }

    /// Whether the chunk of a task is here.
    pub(crate) fn has(&self, stage: usize, index: usize) -> bool {
        self.stages[stage].chunks[index].is_some()
    }

    /// The chunks that one consumer needs; those of which it is the last are not kept.
    pub(crate) fn hand_over(&mut self, dependencies: &[Dependency]) -> Vec<Chunk> {
        let mut chunks = Vec::with_capacity(dependencies.iter().map(|d| d.tasks.len()).sum());
        for dependency in dependencies {
            let stage = &mut self.stages[dependency.stage];
            chunks.extend(dependency.tasks.clone().map(|index| stage.hand_over(index)));
        }
        chunks
    }
}

impl StageChunks {
    fn new(changes: &[i64]) -> Self {
        let count = changes.len() - 1;
        let running = |sum: &mut i64, change: &i64| {
            *sum += change;
            Some(*sum as u32)
        };
        let consumers = changes[..count].iter().scan(0, running).collect();
        Self { chunks: vec![None; count], consumers }
    }

    fn hand_over(&mut self, index: usize) -> Chunk {
        self.consumers[index] -= 1;
        let chunk = match self.consumers[index] {
            0 => self.chunks[index].take(),
            _ => self.chunks[index].clone(),
        };
        chunk.expect("a task is ready when the chunks it needs are there")
    }
}

fn bad_dependency(name: &str, index: usize, on: usize, tasks: &std::ops::Range<usize>) -> Error {
    Error::internal(format!(
        "task {index} of stage '{name}' depends on tasks {}..{} of stage {on}, which is not earlier or has fewer",
        tasks.start, tasks.end
    ))
}
