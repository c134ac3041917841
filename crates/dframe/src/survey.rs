//! Looks through files of text with the threads and in the memory of a session.
//!
//! ```text
//!   Survey --a task per piece--> what was found --finish--> Source
//! ```

use std::sync::Arc;

use dframe_core::{Budget, Result};
use dframe_exec::Engine;
use dframe_io::Survey;
use dframe_runtime::tasks::{TaskGraph, TaskOptions};

use crate::session::Session;

/// The files, looked through to their end.
pub(crate) fn open<S: Survey>(
    session: &Session,
    open: impl FnOnce(&Budget) -> Result<S>,
) -> Result<S::Source> {
    let engine = session.engine()?;
    let survey = Arc::new(open(engine.budget())?);
    let found = match survey.piece_count() {
        0 => Vec::new(),
        1 => vec![survey.look_through(0, session.cancel_token())?],
        _ => look_through(session, &engine, &survey)?,
    };
    survey.finish(found, session.cancel_token(), engine.budget())
}

fn look_through<S: Survey>(
    session: &Session,
    engine: &Engine,
    survey: &Arc<S>,
) -> Result<Vec<S::Found>> {
    let mut graph = TaskGraph::new();
    let handles: Vec<_> = (0..survey.piece_count())
        .map(|piece| {
            let survey = survey.clone();
            let options = TaskOptions::cpu_bound("look through").memory(S::PIECE_MEMORY);
            // An error is a value here: as one of the task, it would be wrapped in another.
            graph.add(options, (), move |(), scope| {
                Ok(survey.look_through(piece, scope.cancel_token()))
            })
        })
        .collect();
    let report = engine.run_tasks(graph, session.cancel_token())?.wait()?.into_complete()?;
    let found = handles.into_iter().map(|handle| {
        let found = report.value(&handle)?;
        drop(handle);
        Arc::try_unwrap(found).unwrap_or_else(|shared| (*shared).clone())
    });
    found.collect()
}
