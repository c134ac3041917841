//! Lowering a group-by: what is computed once, and what DISTINCT turns into.
//!
//! ```text
//!   sum(a), count(distinct x), count(distinct y) by k
//!
//!     expand     every row twice, copy 0 and copy 1
//!     group by   k, copy, x if copy = 0, y if copy = 1     states of sum(a) over copy 0
//!     group by   k                                         merge sum(a), count(x), count(y)
//! ```
//!
//! So a distinct aggregate is two group-bys, and is as parallel, as exact and as free to spill as any
//! other. With one distinct argument there is nothing to expand. (The scheme is Spark's `Expand`.)

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::aggregate::{AggregateFunction, BoundAggregate};
use dframe_expr::{AggregateCall, Expr, bind, col, lit, null, plain_type, when};

use super::{Planner, Stream};
use crate::group::{Call, CallInput, Emit, GroupSpec};
use crate::pipeline::{BlockOp, COPY_COLUMN};
use crate::shuffle::FinishGroups;
use crate::stage::{Combine, FoldSpec, StageTasks};

/// Chunks that a task of the tree reduce merges.
const FAN_IN: usize = 8;
/// Memory of a group in the making, about: key, table entry and states.
const GROUP_BYTES: u64 = 256;

impl Planner<'_> {
    /// Groups the rows of `stream`. `aggregates` are calls under aliases.
    pub(super) fn aggregate(
        &mut self,
        stream: Stream,
        keys: &[Expr],
        aggregates: &[Expr],
        output: &SchemaRef,
    ) -> Result<Stream> {
        let stream = self.without_tail(stream)?;
        let calls = aggregates.iter().map(call_of).collect::<Result<Vec<_>>>()?;
        if calls.iter().any(|call| is_distinct(call)) {
            return self.distinct_aggregate(stream, keys, &calls, output);
        }
        let mut group = Grouping::new(&stream.schema, keys)?;
        for call in &calls {
            group.add_call(call)?;
        }
        self.grouped(stream, group, Emit::Results, output.clone())
    }

    fn distinct_aggregate(
        &mut self,
        mut stream: Stream,
        keys: &[Expr],
        calls: &[Arc<AggregateCall>],
        output: &SchemaRef,
    ) -> Result<Stream> {
        let mut arguments: Vec<Expr> = Vec::new();
        for call in calls.iter().filter(|call| is_distinct(call)) {
            let argument = distinct_argument(call)?;
            if !arguments.contains(&argument) {
                arguments.push(argument);
            }
        }
        let copies = arguments.len();
        if copies > 1 {
            stream = with_copies(stream, copies);
        }
        let levels = DistinctLevels { keys, calls, arguments: &arguments };
        let first = levels.first(&stream.schema)?;
        let layout = first.spec(Emit::States, 1, output.clone()).state_schema();
        let merged: Vec<_> = first.calls.iter().map(|call| call.aggregate.clone()).collect();
        let states = self.grouped(stream, first, Emit::States, layout)?;
        let second = levels.second(&states.schema, merged)?;
        self.grouped(states, second, Emit::Results, output.clone())
    }

    /// The stages of a group-by.
    fn grouped(
        &mut self,
        stream: Stream,
        group: Grouping,
        emit: Emit,
        output: SchemaRef,
    ) -> Result<Stream> {
        let rows = stream.rows;
        let buckets = if group.keys.is_empty() { 1 } else { self.buckets_for(rows, GROUP_BYTES) };
        let spec = Arc::new(group.spec(emit, buckets, output.clone()));
        let mut input = self.fold(stream, FoldSpec::Group(spec.clone()))?;
        let mut inputs = self.graph.stages()[input].task_count();
        while inputs > 1 {
            let combine = Combine { input, inputs, fan_in: FAN_IN, spec: spec.clone() };
            input = self.graph.push(Arc::new(combine));
            inputs = self.graph.stages()[input].task_count();
        }
        let inputs = vec![StageTasks { stage: input, tasks: inputs }];
        Ok(self.shuffled(inputs, buckets, Arc::new(FinishGroups(spec)), (output, rows)))
    }
}

/// A group-by in the making.
struct Grouping {
    schema: SchemaRef,
    keys: Vec<dframe_expr::BoundExpr>,
    inputs: Vec<(Expr, dframe_expr::BoundExpr)>,
    calls: Vec<Call>,
}

impl Grouping {
    fn new(schema: &SchemaRef, keys: &[Expr]) -> Result<Self> {
        let keys = keys.iter().map(|key| bind(key, schema)).collect::<Result<_>>()?;
        Ok(Self { schema: schema.clone(), keys, inputs: Vec::new(), calls: Vec::new() })
    }

    /// Adds a call, without regard to its DISTINCT.
    fn add_call(&mut self, call: &AggregateCall) -> Result<()> {
        let type_of = |arg: &Expr| -> Result<DataType> {
            Ok(plain_type(bind(arg, &self.schema)?.data_type()).clone())
        };
        let types = call.args.iter().map(type_of).collect::<Result<Vec<_>>>()?;
        let aggregate = call.function.bind(&types)?;
        let wanted = aggregate.signature().arg_types.clone();
        let args = call.args.iter().zip(types.iter().zip(&wanted));
        let args = args
            .map(|(arg, (is, wanted))| match is == wanted {
                true => self.input(arg.clone()),
                false => self.input(arg.clone().cast(wanted.clone())),
            })
            .collect::<Result<_>>()?;
        let filter =
            call.filter.as_ref().map(|filter| self.input((**filter).clone())).transpose()?;
        self.calls.push(Call { aggregate, input: CallInput::Values { args, filter } });
        Ok(())
    }

    /// Adds a call that merges states of `aggregate`, which are these columns.
    fn add_states(
        &mut self,
        aggregate: BoundAggregate,
        columns: impl Iterator<Item = Expr>,
    ) -> Result<()> {
        let start = self.inputs.len();
        for column in columns {
            let bound = bind(&column, &self.schema)?;
            self.inputs.push((column, bound));
        }
        let input = CallInput::States(start..self.inputs.len());
        self.calls.push(Call { aggregate, input });
        Ok(())
    }

    /// The number of the input that `expr` is.
    fn input(&mut self, expr: Expr) -> Result<usize> {
        if let Some(number) = self.inputs.iter().position(|(known, _)| *known == expr) {
            return Ok(number);
        }
        let bound = bind(&expr, &self.schema)?;
        self.inputs.push((expr, bound));
        Ok(self.inputs.len() - 1)
    }

    fn spec(&self, emit: Emit, buckets: u32, output: SchemaRef) -> GroupSpec {
        GroupSpec {
            keys: self.keys.clone(),
            inputs: self.inputs.iter().map(|(_, bound)| bound.clone()).collect(),
            calls: self.calls.clone(),
            emit,
            buckets,
            output,
        }
    }
}

/// A group-by with DISTINCT calls, as two without.
struct DistinctLevels<'a> {
    keys: &'a [Expr],
    calls: &'a [Arc<AggregateCall>],
    arguments: &'a [Expr],
}

impl DistinctLevels<'_> {
    /// By keys and distinct arguments: the states of the other calls.
    fn first(&self, schema: &SchemaRef) -> Result<Grouping> {
        let mut keys = self.keys.to_vec();
        let copies = self.arguments.len();
        if copies > 1 {
            keys.push(col(COPY_COLUMN));
        }
        for (copy, argument) in self.arguments.iter().enumerate() {
            keys.push(match copies {
                1 => argument.clone(),
                _ => when(is_copy(copy)).then(argument.clone()).otherwise(null()),
            });
        }
        let mut group = Grouping::new(schema, &keys)?;
        for call in self.calls.iter().filter(|call| !is_distinct(call)) {
            let mut call = AggregateCall::clone(call);
            if copies > 1 {
                let once = is_copy(0);
                let filter = call.filter.take().map_or(once.clone(), |filter| once.and(*filter));
                call.filter = Some(Box::new(filter));
            }
            group.add_call(&call)?;
        }
        Ok(group)
    }

    /// By keys: the distinct calls over the arguments, which are keys below, and the states merged.
    fn second(&self, states: &SchemaRef, merged: Vec<BoundAggregate>) -> Result<Grouping> {
        let key = |number: usize| col(states.field(number).name());
        let keys: Vec<Expr> = (0..self.keys.len()).map(key).collect();
        let mut group = Grouping::new(states, &keys)?;
        let arguments_start = self.keys.len() + usize::from(self.arguments.len() > 1);
        let mut state = arguments_start + self.arguments.len();
        let mut merged = merged.into_iter();
        for call in self.calls {
            if is_distinct(call) {
                let argument = distinct_argument(call)?;
                let number = self.arguments.iter().position(|known| *known == argument);
                let number = number.ok_or_else(|| Error::internal("a lost distinct argument"))?;
                let args = vec![key(arguments_start + number)];
                let call = AggregateCall { args, filter: None, ..AggregateCall::clone(call) };
                group.add_call(&call)?;
            } else if let Some(aggregate) = merged.next() {
                let columns = aggregate.signature().state_fields.len();
                group.add_states(aggregate, (state..state + columns).map(key))?;
                state += columns;
            }
        }
        Ok(group)
    }
}

fn call_of(expr: &Expr) -> Result<Arc<AggregateCall>> {
    match expr {
        Expr::Alias(inner, _) => call_of(inner),
        Expr::Aggregate(call) => Ok(call.clone()),
        other => Err(Error::internal(format!("{other} is not an aggregate"))),
    }
}

/// Whether DISTINCT makes a difference to the call.
fn is_distinct(call: &AggregateCall) -> bool {
    use AggregateFunction as F;
    call.distinct
        && !matches!(call.function, F::Min | F::Max | F::BoolAnd | F::BoolOr | F::AnyValue)
}

/// The argument of a distinct call; NULL, which no distinct call counts, where its filter is not true.
fn distinct_argument(call: &AggregateCall) -> Result<Expr> {
    let [argument] = call.args.as_slice() else {
        return Err(Error::unsupported("DISTINCT takes one argument"));
    };
    Ok(match &call.filter {
        None => argument.clone(),
        Some(filter) => when((**filter).clone()).then(argument.clone()).otherwise(null()),
    })
}

fn is_copy(copy: usize) -> Expr {
    col(COPY_COLUMN).eq(lit(copy as i32))
}

fn with_copies(stream: Stream, copies: usize) -> Stream {
    let mut fields = stream.schema.fields().to_vec();
    fields.push(Arc::new(arrow::datatypes::Field::new(COPY_COLUMN, DataType::Int32, false)));
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let rows = stream.rows.saturating_mul(copies as u64);
    let mut stream = stream.with_op(BlockOp::Expand { copies: copies as i32 }, Some(schema));
    stream.rows = rows;
    stream
}
