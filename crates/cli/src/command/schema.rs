//! `dframe schema`: the columns of the files.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray};
use clap::Args;
use dframe::Result;
use dframe::expr::type_name;
use dframe::io::SinkOptions;
use dframe::prelude::Session;

use crate::args::{InputArgs, OutputArgs, StoreArgs};
use crate::input::{CopyRoom, Input};
use crate::query::Context;

/// Show column names and types
///
/// Types are those to cast to. Of several files, the columns of all, each with the widest type any file
/// has. Reads the footers of Parquet files and the heads of Arrow batches only; CSV and JSON files are
/// looked through to the end.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  dframe schema data/flights.parquet
  dframe schema data/ticks.parquet -f json")]
pub struct Schema {
    /// What is read.
    #[command(flatten)]
    input: InputArgs,
    /// How objects are reached.
    #[command(flatten)]
    stores: StoreArgs,
    /// Where the result goes.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Shows the columns.
pub fn run(args: &Schema, context: &Context) -> Result<()> {
    let output = args.output.resolve()?;
    let room = CopyRoom { temp_dir: &std::env::temp_dir(), limit: None };
    let input = Input::open(&args.input, room, &context.cancel)?;
    let builder = Session::builder().cancel_token(context.cancel.clone());
    let session = args.stores.apply(builder).build()?;
    let schema = input.scan(&session, &args.input.reading, context.messages)?.schema()?;
    let fields = schema.fields();
    let names = StringArray::from_iter_values(fields.iter().map(|field| field.name()));
    let types = fields.iter().map(|field| type_name(field.data_type()));
    let types = StringArray::from_iter_values(types);
    let nullable: BooleanArray = fields.iter().map(|field| Some(field.is_nullable())).collect();
    let batch = RecordBatch::try_from_iter([
        ("name", Arc::new(names) as ArrayRef),
        ("type", Arc::new(types)),
        ("nullable", Arc::new(nullable)),
    ])?;
    output
        .write(batch.schema(), std::iter::once(Ok(batch)), None, SinkOptions::default())
        .map(|_| ())
}
