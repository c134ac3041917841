//! Binding: types, constants, and which evaluator computes a call.
//!
//! | frame | evaluator |
//! |---|---|
//! | the whole partition | `segment`, over partitions |
//! | from its start to the last peer | `segment`, over peers, of what is `running` |
//! | from its start to somewhere | `framed`, of the last of what is `running` |
//! | from somewhere to somewhere | `framed`, of a kernel of `sliding` |

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, IntervalMonthDayNanoType, Schema};
use dframe_core::{Error, Result};

use super::derived::{constant_integer, normal_frame, shown};
use super::framed::{Framed, FramedParts};
use super::frames::{Frames, Reach};
use super::numbering::Numbering;
use super::running::{self, Running, RunningRows};
use super::scan::{Nulls, Rule};
use super::segment::{Picked, Segment, Totals};
use super::shift::Shift;
use super::sliding;
use super::{Frame, FrameBound, FrameUnit, WindowCall, WindowEvaluator, WindowFunction};
use crate::aggregate::{AggregateFunction, BoundAggregate, PreparedCall};
use crate::bind::{bind, bind_predicate};
use crate::bound::BoundExpr;
use crate::coerce::{INTERVAL, is_interval, key_type};
use crate::expr::{AggregateCall, BinaryOp, Expr, Literal};
use crate::type_name;

/// When answers are known. Later ones hold up earlier ones, so calls of one kind are best computed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Horizon {
    /// At once, or a few rows later.
    Near,
    /// With the last peer of the row.
    Peers,
    /// With the last row of the partition.
    Partition,
}

/// A call against a schema.
#[derive(Clone, Debug)]
pub struct BoundWindow {
    function: Bound,
    inputs: Vec<BoundExpr>,
    extent: Extent,
    data_type: DataType,
    nullable: bool,
}

#[derive(Clone, Debug)]
enum Bound {
    Numbering(WindowFunction),
    /// Rows before, or behind if negative; and whether there is a value for rows without such a row.
    Shift(i64, bool),
    Pick(Rule),
    Aggregate(Box<BoundAggregate>, bool),
}

/// The kinds of frames.
#[derive(Clone, Debug)]
enum Extent {
    Partition,
    ToPeers,
    /// From the partition's start to here.
    To(Reach),
    Within(Reach),
}

/// Whether rows come in the order of the input where they are equal, or in its reverse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowDirection {
    /// In the order of the input.
    Forward,
    /// In the reverse.
    Backward,
}

impl BoundWindow {
    /// The type of the answers.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Whether answers can be NULL.
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// What an evaluator is given of each row.
    pub fn inputs(&self) -> &[BoundExpr] {
        &self.inputs
    }

    /// When answers are known.
    pub fn horizon(&self) -> Horizon {
        match (&self.function, &self.extent) {
            (Bound::Numbering(_) | Bound::Shift(..), _) => Horizon::Near,
            (_, Extent::Partition) => Horizon::Partition,
            (_, Extent::ToPeers) => Horizon::Peers,
            (_, Extent::To(_) | Extent::Within(_)) => Horizon::Near,
        }
    }

    /// Whether evaluators look at where peers begin.
    pub fn needs_peers(&self) -> bool {
        match (&self.function, &self.extent) {
            (Bound::Numbering(function), _) => *function != WindowFunction::RowNumber,
            (Bound::Shift(..), _) | (_, Extent::Partition) => false,
            (_, Extent::ToPeers) => true,
            (_, Extent::To(reach) | Extent::Within(reach)) => reach.counts_peers(),
        }
    }

    /// An evaluator that has seen no rows.
    ///
    /// # Errors
    /// Only bugs: what cannot be computed is refused when it is bound.
    pub fn evaluator(&self, direction: RowDirection) -> Result<Box<dyn WindowEvaluator>> {
        let function = match &self.function {
            Bound::Numbering(function) => return Ok(Box::new(Numbering::new(function.clone()))),
            Bound::Shift(rows, has_default) => {
                return Ok(Box::new(Shift::new(*rows, *has_default, self.data_type.clone())));
            }
            function => function,
        };
        let backward = direction == RowDirection::Backward;
        Ok(match (&self.extent, function) {
            (Extent::Partition, Bound::Aggregate(aggregate, filtered)) => {
                Box::new(Totals::new(aggregate, self.running_rows(*filtered, backward))?)
            }
            (Extent::Partition, _) => {
                Box::new(Picked::new(self.running(backward)?, Segment::Partition))
            }
            (Extent::ToPeers, _) => Box::new(Picked::new(self.running(backward)?, Segment::Peers)),
            (Extent::To(reach), function) => {
                let (rule, rows) = match function {
                    Bound::Pick(rule @ Rule::FromLast(_, Nulls::Ignored)) => (*rule, None),
                    Bound::Pick(rule @ Rule::FromLast(n, _)) => (*rule, Some(*n)),
                    _ => (Rule::Last(Nulls::Respected), Some(1)),
                };
                let empty = match function {
                    Bound::Aggregate(aggregate, _) => Some(running::of_nothing(aggregate)?),
                    _ => None,
                };
                let running = match rule {
                    Rule::FromLast(..) => None,
                    _ => Some(self.running(backward)?),
                };
                Framed::boxed(FramedParts {
                    running,
                    rows: self.arguments(),
                    frames: Frames::to(reach.clone(), rows),
                    kernel: sliding::pick(rule),
                    empty,
                })
            }
            (Extent::Within(reach), function) => Framed::boxed(FramedParts {
                running: None,
                rows: match function {
                    Bound::Aggregate(_, filtered) => self.running_rows(*filtered, backward),
                    _ => self.arguments(),
                },
                frames: Frames::within(reach.clone()),
                kernel: match function {
                    Bound::Aggregate(aggregate, _) => sliding::aggregate(aggregate)?,
                    Bound::Pick(rule) => sliding::pick(*rule),
                    _ => return Err(Error::internal("a function without a frame has one")),
                },
                empty: None,
            }),
        })
    }

    fn running(&self, backward: bool) -> Result<Box<dyn Running>> {
        match &self.function {
            Bound::Aggregate(aggregate, filtered) => {
                running::aggregate(aggregate, self.running_rows(*filtered, backward))
            }
            Bound::Pick(rule) => Ok(running::pick(*rule, self.data_type.clone())),
            _ => Err(Error::internal("a function without a frame has one")),
        }
    }

    fn arguments(&self) -> RunningRows {
        self.running_rows(false, false)
    }

    fn running_rows(&self, filtered: bool, backward: bool) -> RunningRows {
        let args = match &self.function {
            Bound::Aggregate(aggregate, _) => aggregate.signature().arg_types.len(),
            _ => 1,
        };
        RunningRows { args: args.min(self.inputs.len()), filtered, backward }
    }
}

impl WindowCall {
    /// This call against `schema`.
    ///
    /// # Errors
    /// Wrong arguments, and frames that make no sense.
    pub fn bind(&self, schema: &Schema) -> Result<BoundWindow> {
        self.bind_at(schema).map_err(|error| match self.span.range() {
            Some(range) => error.span(range),
            None => error,
        })
    }

    fn bind_at(&self, schema: &Schema) -> Result<BoundWindow> {
        self.refuse_clauses()?;
        let (function, mut inputs, data_type, nullable) = self.typed(schema)?;
        let extent = match &function {
            Bound::Numbering(_) | Bound::Shift(..) => Extent::Partition,
            _ => self.extent(schema, &mut inputs)?,
        };
        refuse_growing(&function, &extent)?;
        Ok(BoundWindow { function, inputs, extent, data_type, nullable })
    }

    fn refuse_clauses(&self) -> Result<()> {
        let name = self.function.name();
        let is_aggregate = matches!(self.function, WindowFunction::Aggregate(_));
        if self.filter.is_some() && !is_aggregate {
            return Err(Error::invalid_input(format!("{name} takes no FILTER"))
                .remedy("only aggregates do; use CASE WHEN inside it"));
        }
        if self.distinct {
            return Err(Error::unsupported(format!("{name}(DISTINCT ...) is no window function"))
                .remedy("leave DISTINCT out, or join with a group-by that counts"));
        }
        if self.ignore_nulls && !self.function.picks() {
            return Err(Error::unsupported(format!("{name} does not take IGNORE NULLS"))
                .remedy("first_value, last_value and nth_value do"));
        }
        Ok(())
    }

    fn typed(&self, schema: &Schema) -> Result<(Bound, Vec<BoundExpr>, DataType, bool)> {
        use WindowFunction::{DenseRank, Rank, RowNumber};
        let nulls = if self.ignore_nulls { Nulls::Ignored } else { Nulls::Respected };
        match &self.function {
            RowNumber | Rank | DenseRank => {
                self.take(0..=0)?;
                let function = Bound::Numbering(self.function.clone());
                Ok((function, vec![], DataType::Int64, false))
            }
            WindowFunction::Lag | WindowFunction::Lead => self.shift(schema),
            WindowFunction::FirstValue | WindowFunction::LastValue => {
                self.take(1..=1)?;
                let rule = match self.function {
                    WindowFunction::FirstValue => Rule::First(nulls),
                    _ => Rule::Last(nulls),
                };
                let value = bind(&self.args[0], schema)?;
                let data_type = value.data_type().clone();
                Ok((Bound::Pick(rule), vec![value], data_type, true))
            }
            WindowFunction::NthValue | WindowFunction::NthFromLast => {
                self.take(2..=2)?;
                let n = constant_integer(&self.args[1], "the n of nth_value")?;
                let n = u64::try_from(n).ok().filter(|n| *n > 0).ok_or_else(|| {
                    Error::invalid_input(format!("nth_value has no row {n}"))
                        .remedy("rows are counted from one")
                })?;
                let rule = match self.function {
                    WindowFunction::NthValue => Rule::Nth(n, nulls),
                    _ => Rule::FromLast(n, nulls),
                };
                let value = bind(&self.args[0], schema)?;
                let data_type = value.data_type().clone();
                Ok((Bound::Pick(rule), vec![value], data_type, true))
            }
            WindowFunction::Aggregate(function) => self.aggregate(function, schema),
            other => Err(Error::internal(format!("{} is not computed as it is", other.name()))),
        }
    }

    fn take(&self, wanted: std::ops::RangeInclusive<usize>) -> Result<()> {
        let given = self.args.len();
        if wanted.contains(&given) {
            return Ok(());
        }
        let count = match (wanted.start(), wanted.end()) {
            (0, 0) => "no".to_string(),
            (least, most) if least == most => least.to_string(),
            (least, most) => format!("{least} to {most}"),
        };
        let name = self.function.name();
        Err(Error::invalid_input(format!("{name} takes {count} argument(s), not {given}")))
    }

    fn shift(&self, schema: &Schema) -> Result<(Bound, Vec<BoundExpr>, DataType, bool)> {
        self.take(1..=3)?;
        let rows = match self.args.get(1) {
            Some(rows) => {
                constant_integer(rows, &format!("the offset of {}", self.function.name()))?
            }
            None => 1,
        };
        let back = match self.function {
            WindowFunction::Lag => rows,
            _ => rows.saturating_neg(),
        };
        let value = bind(&self.args[0], schema)?;
        let mut inputs = vec![value];
        let mut nullable = true;
        if let Some(default) = self.args.get(2) {
            let both = crate::coalesce([self.args[0].clone(), default.clone()]);
            let data_type = bind(&both, schema)?.data_type().clone();
            inputs = vec![
                bind(&self.args[0].clone().cast(data_type.clone()), schema)?,
                bind(&default.clone().cast(data_type), schema)?,
            ];
            nullable = inputs.iter().any(BoundExpr::nullable);
        }
        let data_type = inputs[0].data_type().clone();
        Ok((Bound::Shift(back, inputs.len() == 2), inputs, data_type, nullable))
    }

    fn aggregate(
        &self,
        function: &AggregateFunction,
        schema: &Schema,
    ) -> Result<(Bound, Vec<BoundExpr>, DataType, bool)> {
        let call = AggregateCall {
            function: function.clone(),
            args: self.args.clone(),
            distinct: false,
            order_by: vec![],
            filter: None,
            span: self.span,
        };
        let PreparedCall { args, aggregate } = call.prepare(schema)?;
        let inputs = args.iter().map(|arg| bind(arg, schema));
        let mut inputs = inputs.collect::<Result<Vec<BoundExpr>>>()?;
        if let Some(filter) = &self.filter {
            inputs.push(bind_predicate(filter, schema)?);
        }
        let data_type = aggregate.signature().return_type.clone();
        let nullable = *function != AggregateFunction::Count;
        let function = Bound::Aggregate(Box::new(aggregate), self.filter.is_some());
        Ok((function, inputs, data_type, nullable))
    }

    /// The kind of the frame; what its bounds are computed from is added to `inputs`.
    fn extent(&self, schema: &Schema, inputs: &mut Vec<BoundExpr>) -> Result<Extent> {
        let frame = normal_frame(self);
        check_frame(&frame, self.over.order_by.is_empty())?;
        let from_start = frame.start == FrameBound::UnboundedPreceding;
        let to_end = frame.end == FrameBound::UnboundedFollowing;
        match (from_start, to_end, &frame.end, frame.unit) {
            (true, true, ..) => return Ok(Extent::Partition),
            (_, true, ..) => {
                return Err(Error::internal("a frame with an open end was not reversed"));
            }
            (true, _, FrameBound::CurrentRow, FrameUnit::Range | FrameUnit::Groups) => {
                return Ok(Extent::ToPeers);
            }
            _ => {}
        }
        let reach = match frame.unit {
            FrameUnit::Rows => Reach::Rows(distance(&frame.start)?, distance(&frame.end)?),
            FrameUnit::Groups => Reach::Peers(distance(&frame.start)?, distance(&frame.end)?),
            FrameUnit::Range if !has_offset(&frame) => Reach::Peers(Some(0), Some(0)),
            FrameUnit::Range => self.range(&frame, schema, inputs)?,
        };
        Ok(if from_start { Extent::To(reach) } else { Extent::Within(reach) })
    }

    /// The order key, and where the frame of each row begins and ends, as inputs.
    fn range(&self, frame: &Frame, schema: &Schema, inputs: &mut Vec<BoundExpr>) -> Result<Reach> {
        let [key] = self.over.order_by.as_slice() else {
            let keys = self.over.order_by.len();
            let message =
                format!("a RANGE frame with an offset needs one ORDER BY key, not {keys}");
            return Err(Error::invalid_input(message).remedy("count ROWS or GROUPS instead"));
        };
        let of_key = bind(&key.expr, schema)?.data_type().clone();
        if !(of_key.is_numeric() || of_key.is_temporal() || of_key.is_null())
            || is_interval(&of_key)
        {
            let message = format!("a RANGE frame cannot count distances of {}", type_name(&of_key));
            return Err(Error::invalid_input(message).remedy("count ROWS or GROUPS instead"));
        }
        // Integers near their ends have bounds beyond them.
        let wide = if of_key.is_integer() {
            key.expr.clone().cast(DataType::Decimal128(38, 0))
        } else {
            key.expr.clone()
        };
        let bound = |bound: &FrameBound| range_bound(bound, &wide, &of_key, key.descending);
        let (start, end) = (bound(&frame.start)?, bound(&frame.end)?);
        let mut data_type = bind(&wide, schema)?.data_type().clone();
        for expr in [&start, &end].into_iter().flatten() {
            data_type = key_type(&data_type, bind(expr, schema)?.data_type())?;
        }
        let at = inputs.len();
        for expr in [Some(&wide), start.as_ref(), end.as_ref()].into_iter().flatten() {
            inputs.push(bind(&expr.clone().cast(data_type.clone()), schema)?);
        }
        Ok(Reach::Keys {
            at,
            start: start.is_some(),
            end: end.is_some(),
            descending: key.descending,
            nulls_first: key.nulls_first,
        })
    }
}

/// What keeps all values of its frame cannot be carried from row to row.
fn refuse_growing(function: &Bound, extent: &Extent) -> Result<()> {
    match (function, extent) {
        (Bound::Aggregate(aggregate, _), Extent::ToPeers | Extent::To(_))
            if aggregate.gathers() =>
        {
            let name = aggregate.function().name();
            let message = format!("{name} of all rows so far is not supported");
            Err(Error::unsupported(message).remedy(
                "use a frame that moves, such as ROWS 99 PRECEDING, or the whole partition",
            ))
        }
        _ => Ok(()),
    }
}

/// The frame's bound as a value of the key; none where it is the key's own, or open.
fn range_bound(
    bound: &FrameBound,
    key: &Expr,
    of_key: &DataType,
    descending: bool,
) -> Result<Option<Expr>> {
    let (offset, before) = match bound {
        FrameBound::Preceding(offset) => (offset, true),
        FrameBound::Following(offset) => (offset, false),
        _ => return Ok(None),
    };
    let of_offset = offset.0.data_type();
    let fits = if of_key.is_numeric() { of_offset.is_numeric() } else { !of_offset.is_null() };
    if !fits || offset.0.is_null(0) || is_negative(offset)? {
        return Err(Error::invalid_input(format!(
            "{} is no distance of {}",
            shown(offset),
            type_name(of_key)
        ))
        .remedy(match of_key.is_numeric() {
            true => "write a number that is not negative",
            false => "write an interval that is not negative, such as INTERVAL '5 minutes'",
        }));
    }
    if matches!(of_key, DataType::Timestamp(..)) && counts_months(offset)? {
        // The end of a month moves times of day past each other, so that frames would move back.
        let message = "a RANGE frame over timestamps cannot count months";
        return Err(Error::unsupported(message).remedy("write days, or order by a date"));
    }
    let op = if before == descending { BinaryOp::Add } else { BinaryOp::Subtract };
    let offset = Expr::Literal(offset.clone());
    let offset = match of_key.is_integer() && of_offset.is_integer() {
        true => offset.cast(DataType::Decimal128(38, 0)),
        false => offset,
    };
    // Null keys are peers of each other, with no distance from other keys.
    Ok(Some(key.clone().binary(op, offset)))
}

fn counts_months(offset: &Literal) -> Result<bool> {
    let parts = crate::kernel::cast::cast(&offset.0, &INTERVAL, true)?;
    Ok(parts.as_primitive::<IntervalMonthDayNanoType>().value(0).months != 0)
}

fn is_negative(offset: &Literal) -> Result<bool> {
    if is_interval(offset.0.data_type()) {
        let parts = crate::kernel::cast::cast(&offset.0, &INTERVAL, true)?;
        let parts = parts.as_primitive::<IntervalMonthDayNanoType>().value(0);
        return Ok(parts.months < 0 || parts.days < 0 || parts.nanoseconds < 0);
    }
    let below = Expr::Literal(offset.clone()).lt(crate::lit(0_i64));
    let below = crate::bind::constant_value(&below)?;
    Ok(below.as_boolean().value(0))
}

/// Rows or groups from the row to a bound, negative before it; none if it is open.
fn distance(bound: &FrameBound) -> Result<Option<i64>> {
    let (offset, sign) = match bound {
        FrameBound::UnboundedPreceding | FrameBound::UnboundedFollowing => return Ok(None),
        FrameBound::CurrentRow => return Ok(Some(0)),
        FrameBound::Preceding(offset) => (offset, -1),
        FrameBound::Following(offset) => (offset, 1),
    };
    let value = constant_integer(&Expr::Literal(offset.clone()), "a frame's offset")?;
    if value < 0 {
        return Err(Error::invalid_input(format!("a frame's offset cannot be negative: {value}"))
            .remedy("PRECEDING is before the row, FOLLOWING behind it"));
    }
    Ok(Some(value * sign))
}

fn has_offset(frame: &Frame) -> bool {
    let is_offset =
        |bound: &FrameBound| matches!(bound, FrameBound::Preceding(_) | FrameBound::Following(_));
    is_offset(&frame.start) || is_offset(&frame.end)
}

fn check_frame(frame: &Frame, unordered: bool) -> Result<()> {
    let rank = |bound: &FrameBound| match bound {
        FrameBound::UnboundedPreceding => 0,
        FrameBound::Preceding(_) => 1,
        FrameBound::CurrentRow => 2,
        FrameBound::Following(_) => 3,
        FrameBound::UnboundedFollowing => 4,
    };
    let (start, end) = (rank(&frame.start), rank(&frame.end));
    if start == 4 || end == 0 || start > end {
        return Err(Error::invalid_input("the frame ends before it starts")
            .remedy("write it as BETWEEN start AND end"));
    }
    let (unit, needs_order) = match frame.unit {
        FrameUnit::Rows => return Ok(()),
        FrameUnit::Range => ("RANGE", has_offset(frame)),
        FrameUnit::Groups => ("GROUPS", true),
    };
    match unordered && needs_order {
        true => Err(Error::invalid_input(format!("a {unit} frame needs an ORDER BY"))
            .remedy("order the window, or count ROWS")),
        false => Ok(()),
    }
}
