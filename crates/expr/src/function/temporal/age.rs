//! What lies between two instants, by the calendar: `age` as an interval, `date_sub` as whole units.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, PrimitiveArray};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType, TimeUnit};
use dframe_core::Result;

use super::super::argument::{Argument, Kind, accept, argument_type};
use super::super::{Call, Function, Signature};
use super::calendar::Date;
use super::difference::parse_unit;
use super::instants::{Instants, out_of_range};
use super::unit::Unit;
use crate::coerce::INTERVAL;

pub(super) const AGE: Function = Function {
    names: &["age"],
    usage: "age(end, start): years, months and days on the calendar, and the rest",
    signature: |args| signature(args, &[], INTERVAL),
    evaluate: |call| {
        let (end, start) = (instants(call, 0)?, instants(call, 1)?);
        let ages = zip(&end, &start, |end, start| {
            let parts = Age::between(start, end)?;
            Some(IntervalMonthDayNano {
                months: i32::try_from(parts.months).ok()?,
                days: i32::try_from(parts.days).ok()?,
                nanoseconds: parts.micros.checked_mul(1_000)?,
            })
        })?;
        let ages: PrimitiveArray<IntervalMonthDayNanoType> = ages.into_iter().collect();
        Ok(call.value(Arc::new(ages)))
    },
};

pub(super) const DATE_SUB: Function = Function {
    names: &["date_sub", "datesub"],
    usage: "date_sub(unit, start, end): how many whole units lie between",
    signature: |args| {
        let signature = signature(args, &[Kind::Text], DataType::Int64)?;
        args[0].constant_text().map(|unit| parse_unit(&unit)).transpose()?;
        Ok(signature)
    },
    evaluate: |call| {
        let (start, end) = (instants(call, 1)?, instants(call, 2)?);
        let counts = super::per_unit(call, parse_unit, |unit| {
            let counts = zip(&start, &end, |start, end| whole_units(unit, start, end))?;
            Ok(Arc::new(counts.into_iter().collect::<Int64Array>()) as ArrayRef)
        })?;
        Ok(call.value(counts))
    },
};

/// `before`, then two instants in microseconds, each in its own zone.
fn signature(args: &[Argument], before: &[Kind], returns: DataType) -> Result<Signature> {
    let kinds = [before, &[Kind::Temporal, Kind::Temporal]].concat();
    let mut signature = accept(args, &kinds, &[], returns)?;
    for (index, arg) in args.iter().enumerate().skip(before.len()) {
        let zone = match argument_type(index, arg, Kind::Temporal)? {
            DataType::Timestamp(_, zone) => zone,
            _ => None,
        };
        signature.args[index] = DataType::Timestamp(TimeUnit::Microsecond, zone);
    }
    Ok(signature)
}

fn instants(call: &Call<'_>, index: usize) -> Result<Int64Array> {
    Instants::new(&call.array(index)?)?.local()
}

/// `f` of each pair of what the clocks show, in microseconds.
fn zip<T>(
    left: &Int64Array,
    right: &Int64Array,
    f: impl Fn(i64, i64) -> Option<T>,
) -> Result<Vec<Option<T>>> {
    let rows = (0..left.len()).map(|row| {
        if left.is_null(row) || right.is_null(row) {
            return Ok(None);
        }
        let (left, right) = (left.value(row), right.value(row));
        f(left, right).map(Some).ok_or_else(|| out_of_range(left))
    });
    rows.collect()
}

const DAY: i64 = 86_400_000_000;

/// The parts of what lies between two instants, all of one sign.
struct Age {
    months: i64,
    days: i64,
    micros: i64,
}

impl Age {
    /// A day that is borrowed from a month is one of the earlier instant's month, as in PostgreSQL.
    fn between(start: i64, end: i64) -> Option<Self> {
        let (early, late) = (start.min(end), start.max(end));
        let (from, to) =
            (Date::from_days(early.div_euclid(DAY)), Date::from_days(late.div_euclid(DAY)));
        let mut micros = late.rem_euclid(DAY) - early.rem_euclid(DAY);
        let mut days = to.day - from.day;
        let mut months = (to.year - from.year) * 12 + to.month - from.month;
        if micros < 0 {
            micros += DAY;
            days -= 1;
        }
        while days < 0 {
            days += from.month_length();
            months -= 1;
        }
        let sign = if start > end { -1 } else { 1 };
        Some(Self { months: sign * months, days: sign * days, micros: sign * micros })
    }
}

fn whole_units(unit: Unit, start: i64, end: i64) -> Option<i64> {
    let elapsed = end.checked_sub(start)?;
    Some(match unit {
        Unit::Week => elapsed / (7 * DAY),
        Unit::Quarter => whole_months(start, end)? / 3,
        Unit::Month => whole_months(start, end)?,
        Unit::Year | Unit::IsoYear => whole_months(start, end)? / 12,
        Unit::Decade => whole_months(start, end)? / 120,
        Unit::Century => whole_months(start, end)? / 1_200,
        Unit::Millennium => whole_months(start, end)? / 12_000,
        unit => elapsed / (DAY / unit.per_day()?),
    })
}

/// The last day of a month completes one that began on a later day.
fn whole_months(start: i64, end: i64) -> Option<i64> {
    if start > end {
        return whole_months(end, start).map(|months| -months);
    }
    let last = Date::from_days(end.div_euclid(DAY));
    let (of_start, of_end) = (start.rem_euclid(DAY), end.rem_euclid(DAY));
    let first = Date::from_days(start.div_euclid(DAY));
    let months = (last.year - first.year) * 12 + last.month - first.month;
    let ends_month = last.day == last.month_length();
    let day = if ends_month { first.day.min(last.day) } else { first.day };
    let complete = (last.day, of_end) >= (day, of_start);
    Some(if complete { months } else { months - 1 })
}
