//! Functions of dates, timestamps and times of day.
//!
//! ```text
//!   Date32, Timestamp, Time64 --> Instants (ticks, ticks a day, zone) --> arithmetic on ticks
//!                                          days --> calendar::Date     --> year, month, ..
//! ```
//!
//! Everything is integer arithmetic on whole columns, total over all ticks, with floors before 1970. The
//! kernels of `arrow` go row by row through `chrono`, and end where it does; `chrono` is asked only for
//! the offsets of zones that have any.

mod age;
mod bucket;
mod buckets;
mod build;
mod calendar;
mod difference;
mod divisor;
mod format;
mod instants;
mod lengths;
mod parse;
mod part;
mod truncate;
mod unit;
pub(crate) mod windows;
mod zone;

use std::collections::HashMap;

use arrow::array::{ArrayRef, new_null_array};
use dframe_core::Result;

use super::{Call, Function};
use unit::Unit;

pub(super) use lengths::LIST as LENGTHS;

pub(super) static LIST: &[Function] = &[
    truncate::DATE_TRUNC,
    bucket::TIME_BUCKET,
    bucket::TIME_ROUND,
    part::DATE_PART,
    part::YEAR,
    part::MONTH,
    part::DAY,
    part::HOUR,
    part::MINUTE,
    part::SECOND,
    part::MILLISECOND,
    part::MICROSECOND,
    part::NANOSECOND,
    part::QUARTER,
    part::WEEK,
    part::YEARWEEK,
    part::DAYOFWEEK,
    part::ISODOW,
    part::DAYOFYEAR,
    part::ISOYEAR,
    part::DECADE,
    part::CENTURY,
    part::MILLENNIUM,
    part::ERA,
    part::JULIAN,
    part::EPOCH,
    difference::DATE_DIFF,
    age::DATE_SUB,
    age::AGE,
    difference::EPOCH_MS,
    difference::EPOCH_US,
    difference::EPOCH_NS,
    build::MAKE_DATE,
    build::MAKE_TIMESTAMP,
    build::MAKE_TIME,
    build::TO_TIMESTAMP,
    build::LAST_DAY,
    build::DAYNAME,
    build::MONTHNAME,
    format::STRFTIME,
    parse::STRPTIME,
    parse::TRY_STRPTIME,
    zone::TIMEZONE,
    zone::CONVERT_TIME_ZONE,
    zone::REPLACE_TIME_ZONE,
];

/// `compute` for the unit that argument 0 names; where it varies, for each unit that it names.
fn per_unit(
    call: &Call<'_>,
    parse: impl Fn(&str) -> Result<Unit>,
    compute: impl Fn(Unit) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let units = call.text(0)?;
    let nulls = || new_null_array(call.returns, call.len());
    if units.is_constant() {
        return units.get(0).map_or_else(|| Ok(nulls()), |unit| compute(parse(unit)?));
    }
    let (mut columns, mut column_of) = (vec![nulls()], HashMap::new());
    let mut choice = Vec::with_capacity(call.len());
    for row in 0..call.len() {
        let column = match units.get(row) {
            None => 0,
            Some(unit) => match column_of.get(unit) {
                Some(column) => *column,
                None => {
                    columns.push(compute(parse(unit)?)?);
                    column_of.insert(unit, columns.len() - 1);
                    columns.len() - 1
                }
            },
        };
        choice.push((column, row));
    }
    let columns: Vec<_> = columns.iter().map(AsRef::as_ref).collect();
    Ok(arrow::compute::interleave(&columns, &choice)?)
}
