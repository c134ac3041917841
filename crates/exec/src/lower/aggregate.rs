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
use dframe_expr::aggregate::{AggregateFunction, BoundAggregate, PreparedCall};
use dframe_expr::{AggregateCall, Expr, SortKey, UnaryOp, bind, col, lit, null, when};

use super::divisions::{PlannedScan, scan_column};
use super::{Origin, Planner, Stream};
use crate::group::{
    Call, CallInput, Combine, Emit, FinishDivisions, FinishGroups, GroupSpec, KnownCall,
    KnownStates, SharedGroups,
};
use crate::pipeline::{BlockOp, COPY_COLUMN, RowChange};
use crate::shuffle::BucketInputs;
use crate::stage::{Concat, FoldSpec, StageTasks};

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
        let mut arguments: Vec<Argument> = Vec::new();
        for call in calls.iter().filter(|call| is_distinct(call)) {
            let argument = Argument::of(call)?;
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
        let layout = first.spec(Emit::States, 1, 0, output.clone()).state_schema();
        let merged: Vec<_> = first.calls.iter().map(|call| call.aggregate.clone()).collect();
        let states = self.grouped(stream, first, Emit::States, layout)?;
        let second = levels.second(&states.schema, merged)?;
        self.grouped(states, second, Emit::Results, output.clone())
    }

    /// The stages of a group-by.
    fn grouped(
        &mut self,
        mut stream: Stream,
        group: Grouping,
        emit: Emit,
        output: SchemaRef,
    ) -> Result<Stream> {
        let rows = stream.rows;
        let buckets = if group.keys.is_empty() { 1 } else { self.buckets_for(rows, GROUP_BYTES) };
        let division_rows = match buckets {
            1 => None,
            _ => self.divide(&mut stream, &group.keys)?,
        };
        let buckets = division_rows.map_or(buckets, |rows| self.buckets_for(rows, GROUP_BYTES));
        let spec = group.spec(emit, buckets, self.task_memory(), output.clone());
        let spec = Arc::new(GroupSpec { divided: division_rows.is_some(), ..spec });
        let known = self.known_states(&mut stream, &spec)?;
        let shared = shared_groups(&stream, &spec);
        let partial = self.fold(stream, FoldSpec::Group(spec.clone(), shared.clone()))?;
        if let Some(shared) = &shared {
            shared.tables.expect(self.tasks_of(partial).tasks);
        }
        let input = self.with_known(partial, known);
        if division_rows.is_some() {
            let inputs = BucketInputs::Divisions { stage: input, sides: 1 };
            return Ok(self.shuffled(inputs, Arc::new(FinishDivisions(spec)), (output, rows)));
        }
        let combined = self.combined(input, &spec, shared.as_ref());
        let inputs = BucketInputs::Buckets(vec![combined], buckets);
        Ok(self.shuffled(inputs, Arc::new(FinishGroups(spec, shared)), (output, rows)))
    }

    /// What bounds alone tell of the aggregates of all rows of a scan; `stream` reads the rest.
    fn known_states(
        &self,
        stream: &mut Stream,
        spec: &Arc<GroupSpec>,
    ) -> Result<Option<KnownStates>> {
        if !spec.keys.is_empty() || !reads_all_rows(stream) {
            return Ok(None);
        }
        let column = |input: usize| scan_column(stream, spec.inputs.get(input)?.as_column()?);
        let calls = spec.calls.iter().map(|call| KnownCall::of(call, column));
        let Some(calls) = calls.collect::<Option<Vec<_>>>() else { return Ok(None) };
        let Some(planned) = self.planned(stream)? else { return Ok(None) };
        KnownStates::take(spec, &calls, planned.scan.source.as_ref(), &mut planned.partitions)
    }

    /// The tasks of `partial`, with one that has the states that are known.
    fn with_known(&mut self, partial: usize, known: Option<KnownStates>) -> StageTasks {
        let input = self.tasks_of(partial);
        let Some(known) = known else { return input };
        let known = self.graph.push(Arc::new(known));
        let inputs = vec![input, self.tasks_of(known)];
        let both = self.graph.push(Arc::new(Concat { inputs }));
        self.tasks_of(both)
    }

    /// A tree that merges the groups of `input`, chunk with chunk.
    fn combined(
        &mut self,
        mut input: StageTasks,
        spec: &Arc<GroupSpec>,
        shared: Option<&Arc<SharedGroups>>,
    ) -> StageTasks {
        // Gathered values go to their bucket at once: merging makes them no fewer.
        while input.tasks > 1 && !spec.gathers() {
            let (spec, shared) = (spec.clone(), shared.cloned());
            let combine = Combine { input, fan_in: FAN_IN, spec, shared };
            let stage = self.graph.push(Arc::new(combine));
            input = self.tasks_of(stage);
        }
        input
    }
}

/// A place for groups that tasks share, where that can pay. Tasks that may be tried again must not share: their rows
/// would count twice.
fn shared_groups(stream: &Stream, spec: &GroupSpec) -> Option<Arc<SharedGroups>> {
    let scans = matches!(stream.origin, Origin::Scan(_) | Origin::Planned(_));
    let can_share = scans && spec.buckets > 1 && !spec.divided && !spec.gathers();
    can_share.then(|| Arc::new(SharedGroups::new(spec, stream.rows)))
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
        let PreparedCall { aggregate, args } = call.prepare(&self.schema)?;
        let args = args.into_iter().map(|arg| self.input(arg)).collect::<Result<_>>()?;
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

    fn spec(&self, emit: Emit, buckets: u32, share: usize, output: SchemaRef) -> GroupSpec {
        GroupSpec {
            keys: self.keys.clone(),
            inputs: self.inputs.iter().map(|(_, bound)| bound.clone()).collect(),
            calls: self.calls.clone(),
            emit,
            buckets,
            divided: false,
            share,
            output,
        }
    }
}

/// A group-by with DISTINCT calls, as two without.
struct DistinctLevels<'a> {
    keys: &'a [Expr],
    calls: &'a [Arc<AggregateCall>],
    arguments: &'a [Argument],
}

/// The argument of a distinct call.
#[derive(Clone, PartialEq)]
struct Argument {
    /// NULL, which no distinct call but `list` takes, where the call's filter is not true.
    value: Expr,
    /// Where NULL is a value: whether the row counts. A further key, behind the value.
    counts: Option<Expr>,
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
                1 => argument.value.clone(),
                _ => when(is_copy(copy)).then(argument.value.clone()).otherwise(null()),
            });
            keys.extend(argument.counts.iter().map(|counts| match copies {
                1 => counts.clone(),
                _ => is_copy(copy).and(counts.clone()),
            }));
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
        let columns = |arguments: &[Argument]| -> usize {
            arguments.iter().map(|argument| 1 + usize::from(argument.counts.is_some())).sum()
        };
        let mut state = arguments_start + columns(self.arguments);
        let mut merged = merged.into_iter();
        for call in self.calls {
            if is_distinct(call) {
                let argument = Argument::of(call)?;
                let number = self.arguments.iter().position(|known| *known == argument);
                let number = number.ok_or_else(|| Error::internal("a lost distinct argument"))?;
                let value = arguments_start + columns(&self.arguments[..number]);
                let mut call = over_distinct(call, &key(value))?;
                call.filter = argument.counts.map(|_| Box::new(key(value + 1)));
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

/// Whether the stream is a scan's rows, each of them once.
fn reads_all_rows(stream: &Stream) -> bool {
    let is_all = match &stream.origin {
        Origin::Scan(scan) | Origin::Planned(PlannedScan { scan, .. }) => {
            scan.filters.is_empty() && scan.limit.is_none()
        }
        _ => false,
    };
    is_all && stream.ops.iter().all(|op| op.row_change() == RowChange::None)
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
    let one = matches!(call.function, F::Min | F::Max) && call.args.len() == 1;
    call.distinct && !one && !matches!(call.function, F::BoolAnd | F::BoolOr | F::AnyValue)
}

/// `call` over `argument`, which holds each different argument once.
fn over_distinct(call: &AggregateCall, argument: &Expr) -> Result<AggregateCall> {
    let constants = call.args[call.row_args().len()..].iter().cloned();
    let args = [argument.clone()].into_iter().chain(constants).collect();
    let own = call.row_args().first();
    let key = |key: SortKey| match Some(&key.expr) == own {
        true => Ok(SortKey { expr: argument.clone(), ..key }),
        false => Err(Error::unsupported(format!("{call}: DISTINCT leaves nothing to order by"))
            .remedy("order by the argument itself")),
    };
    let order_by = call.order().into_iter().map(key).collect::<Result<_>>()?;
    Ok(AggregateCall { args, order_by, filter: None, distinct: false, ..call.clone() })
}

impl Argument {
    fn of(call: &AggregateCall) -> Result<Self> {
        let [argument] = call.row_args() else {
            return Err(Error::unsupported("DISTINCT takes one argument"));
        };
        let filter = call.filter.as_ref().map(|filter| (**filter).clone());
        if call.function == AggregateFunction::List {
            let counts = filter.map_or(lit(true), |filter| filter.unary(UnaryOp::IsTrue));
            return Ok(Self { value: argument.clone(), counts: Some(counts) });
        }
        let value = match filter {
            None => argument.clone(),
            Some(filter) => when(filter).then(argument.clone()).otherwise(null()),
        };
        Ok(Self { value, counts: None })
    }
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
