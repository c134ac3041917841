//! Looks through CSV files with the threads and in the memory of a session.
//!
//! ```text
//!   CsvSurvey --a task per piece--> what was found --finish--> CsvSource
//! ```

use std::sync::Arc;

use dframe_core::Result;
use dframe_exec::Engine;
use dframe_io::{CsvOptions, CsvSource, CsvSurvey, PieceSurvey};
use dframe_runtime::tasks::{TaskGraph, TaskOptions};

use crate::session::Session;

/// The files, looked through to their end.
pub(crate) fn open(session: &Session, paths: &[String], options: &CsvOptions) -> Result<CsvSource> {
    let engine = session.engine()?;
    let survey = Arc::new(CsvSurvey::open(paths, options, engine.budget())?);
    let found = match survey.piece_count() {
        0 => Vec::new(),
        1 => vec![survey.look_through(0, session.cancel_token())?],
        _ => look_through(session, &engine, &survey)?,
    };
    survey.finish(found, session.cancel_token(), engine.budget())
}

fn look_through(
    session: &Session,
    engine: &Engine,
    survey: &Arc<CsvSurvey>,
) -> Result<Vec<PieceSurvey>> {
    let mut graph = TaskGraph::new();
    let handles: Vec<_> = (0..survey.piece_count())
        .map(|piece| {
            let survey = survey.clone();
            let options = TaskOptions::cpu_bound("look through").memory(CsvSurvey::PIECE_MEMORY);
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
