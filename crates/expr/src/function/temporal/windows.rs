//! Windows of time: stretches that begin at regular times and may overlap or leave gaps.
//!
//! ```text
//!   every   |-----|-----|-----|-----|      a window begins at each mark,
//!   period  [--------- )                   and is this long:
//!                 [--------- )             x is in two of them
//!                      x
//! ```
//!
//! An instant's windows are found from its time alone: those that begin at the last mark before it, at the
//! mark before that, and so on for [`BoundWindows::copies`] marks. Nothing is sorted and no other row is looked at.
//! Marks are numbered; copy `c` of the rows has for each the one window whose number is `c`, modulo the number of copies.
//! So all rows of a window are in one copy, in their order.
//!
//! Marks, periods and closed ends are those of the clock on the wall, where there is a zone.

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalMonthDayNanoType};
use dframe_core::{Error, Result};

use super::bucket::{as_type, instant_type, starts_of};
use super::buckets::{Anchor, Buckets, Length, check_width};
use super::instants::{Instants, out_of_range};
use super::truncate::timestamps;
use crate::coerce::INTERVAL;
use crate::expr::Literal;
use crate::kernel::cast::cast;
use crate::literal::IntoLiteral;
use crate::type_name;

/// Which ends of a window belong to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Closed {
    /// `[start, end)`.
    #[default]
    Left,
    /// `(start, end]`.
    Right,
    /// `[start, end]`.
    Both,
    /// `(start, end)`.
    Neither,
}

/// A window in more copies than this is taken for a mistake.
const COPIES_MAX: i64 = 10_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Windows of time: when they begin, and how long they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeWindows {
    /// How far the start of a window is from that of the next.
    pub every: IntervalMonthDayNano,
    /// How long a window is.
    pub period: IntervalMonthDayNano,
    /// How far all starts are moved.
    pub offset: IntervalMonthDayNano,
    /// Which ends belong to a window.
    pub closed: Closed,
}

impl TimeWindows {
    /// The length of time that `text` says: `1h`, `1 hour`, `3d12h`, `1mo`.
    ///
    /// # Errors
    /// Text that says none.
    pub fn parse_interval(text: &str) -> Result<IntervalMonthDayNano> {
        let Literal(text) = text.into_literal();
        let interval = cast(&text, &INTERVAL, true).map_err(|_| {
            let text = text.as_string::<i32>().value(0);
            Error::invalid_input(format!("'{text}' is no length of time"))
                .remedy("write it as '15m', '1h', '1d', '1w', '1mo', or '90 minutes'")
        })?;
        Ok(interval.as_primitive::<IntervalMonthDayNanoType>().value(0))
    }

    /// The windows of instants of a type.
    ///
    /// # Errors
    /// Types that are no dates or timestamps, lengths that are not above zero or finer than the type, and windows
    /// that overlap too often.
    pub fn bind(self, data_type: &DataType) -> Result<BoundWindows> {
        let (per_day, data_type) = match data_type {
            DataType::Date32 | DataType::Date64 => (MICROS_PER_DAY, DataType::Date32),
            DataType::Timestamp(arrow::datatypes::TimeUnit::Nanosecond, _) => {
                (1_000 * MICROS_PER_DAY, data_type.clone())
            }
            DataType::Timestamp(..) => (MICROS_PER_DAY, instant_type(data_type)),
            other => {
                let message =
                    format!("windows of time are of dates or timestamps, not {}", type_name(other));
                return Err(Error::invalid_input(message).remedy("cast it: CAST(... AS TIMESTAMP)"));
            }
        };
        if data_type == DataType::Date32 {
            self.check_whole_days()?;
        }
        let every = check_width(self.every, per_day)?;
        let period = Length::new(self.period, per_day)?;
        if period.months < 0 || period.ticks < 0 || period == Length::default() {
            return Err(Error::invalid_input("the period of a window must be above zero")
                .remedy("write it as '15m', '1h', '1d', '1w', '1mo', or '90 minutes'"));
        }
        let copies = copies(every, period, self.closed, per_day)?;
        let buckets = Buckets::new(self.every, Anchor::Shift(self.offset), per_day)?;
        let tile = self.closed == Closed::Left && period == every;
        Ok(BoundWindows { buckets, period, closed: self.closed, copies, tile, data_type })
    }

    fn check_whole_days(&self) -> Result<()> {
        let whole = [self.every, self.period, self.offset]
            .iter()
            .all(|length| length.nanoseconds % (1_000 * MICROS_PER_DAY) == 0);
        if whole {
            return Ok(());
        }
        Err(Error::invalid_input("windows of dates are of whole days")
            .remedy("take '1d' or more, or cast the dates: CAST(... AS TIMESTAMP)"))
    }
}

/// An upper bound of how many windows an instant is in: the longest period over the shortest step.
fn copies(every: Length, period: Length, closed: Closed, per_day: i64) -> Result<usize> {
    let shortest = every.months * 28 * per_day + every.ticks;
    let longest =
        period.months.checked_mul(31 * per_day).and_then(|ticks| ticks.checked_add(period.ticks));
    let same_unit =
        (every.months == 0) == (period.months == 0) && (period.months == 0 || period.ticks == 0);
    let copies = match longest {
        Some(_) if same_unit && every.months > 0 => ceil(period.months, every.months),
        Some(longest) => ceil(longest, shortest),
        None => i64::MAX,
    };
    let copies = copies.saturating_add(i64::from(closed == Closed::Both));
    if copies > COPIES_MAX {
        return Err(Error::invalid_input("each row is in more than 10000 windows")
            .remedy("let windows begin less often, or make them shorter"));
    }
    Ok(copies as usize)
}

fn ceil(a: i64, b: i64) -> i64 {
    a / b + i64::from(a % b != 0)
}

/// Windows of instants of one type.
#[derive(Clone, Debug)]
pub struct BoundWindows {
    buckets: Buckets,
    period: Length,
    closed: Closed,
    copies: usize,
    /// Whether every instant is in exactly one window, the bucket that it is in.
    tile: bool,
    data_type: DataType,
}

impl BoundWindows {
    /// The most windows that an instant can be in.
    pub fn copies(&self) -> usize {
        self.copies
    }

    /// The type of starts and ends: that of the instants, but of microseconds at least.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Where the window of each instant in copy `copy` of the rows starts; NULL if the instant is in none
    /// of that copy, or NULL itself.
    ///
    /// # Errors
    /// Starts or ends beyond the type.
    pub fn starts(&self, instants: &ArrayRef, copy: usize) -> Result<ArrayRef> {
        if !self.tile {
            return self.of_each(instants, copy, |(start, _)| start);
        }
        let instants = timestamps(&cast(instants, &self.data_type, true)?)?;
        let starts = starts_of(&instants, &self.buckets, |buckets, local| buckets.start(local))?;
        as_type(starts, &self.data_type, instants.per_day)
    }

    /// As [`BoundWindows::starts`], where they end.
    ///
    /// # Errors
    /// Starts or ends beyond the type.
    pub fn ends(&self, instants: &ArrayRef, copy: usize) -> Result<ArrayRef> {
        self.of_each(instants, copy, |(_, end)| end)
    }

    fn of_each(
        &self,
        instants: &ArrayRef,
        copy: usize,
        pick: impl Fn((i64, i64)) -> i64,
    ) -> Result<ArrayRef> {
        let instants = timestamps(&cast(instants, &self.data_type, true)?)?;
        let mut picked = Int64Array::builder(instants.ticks.len());
        for tick in &instants.ticks {
            let window = match tick {
                Some(tick) => self.window(&instants, tick, copy as i64)?,
                None => None,
            };
            picked.append_option(window.map(&pick));
        }
        as_type(picked.finish(), &self.data_type, instants.per_day)
    }

    fn window(&self, instants: &Instants, tick: i64, copy: i64) -> Result<Option<(i64, i64)>> {
        let failed = || out_of_range(tick);
        let local = instants.to_local(tick).ok_or_else(failed)?;
        // A window that does not have its start begins before.
        let before = match self.closed {
            Closed::Left | Closed::Both => local,
            Closed::Right | Closed::Neither => local.checked_sub(1).ok_or_else(failed)?,
        };
        let last = self.buckets.number(before).ok_or_else(failed)?;
        let number = last - (last - copy).rem_euclid(self.copies as i64);
        let start = self.buckets.start_of(number).ok_or_else(failed)?;
        let end = self.buckets.end_of(number, self.period).ok_or_else(failed)?;
        let inside = match self.closed {
            Closed::Left | Closed::Neither => local < end,
            Closed::Right | Closed::Both => local <= end,
        };
        if !inside {
            return Ok(None);
        }
        let utc = |local| instants.to_utc(local, tick).ok_or_else(failed);
        Ok(Some((utc(start)?, utc(end)?)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, TimestampMicrosecondArray};
    use proptest::prelude::*;

    use super::*;

    fn windows(every: &str, period: &str, offset: &str, closed: Closed) -> TimeWindows {
        let [every, period, offset] =
            [every, period, offset].map(|text| TimeWindows::parse_interval(text).unwrap());
        TimeWindows { every, period, offset, closed }
    }

    /// The starts of all windows of minute `minute`, in minutes, in order.
    fn starts(windows: TimeWindows, minute: i64) -> Vec<i64> {
        const MINUTE: i64 = 60_000_000;
        let instants: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![minute * MINUTE]));
        let bound = windows.bind(instants.data_type()).unwrap();
        let mut starts: Vec<i64> = (0..bound.copies())
            .filter_map(|copy| {
                let starts = bound.starts(&instants, copy).unwrap();
                let ends = bound.ends(&instants, copy).unwrap();
                let ticks = starts.as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
                assert_eq!(starts.is_null(0), ends.is_null(0));
                ticks.is_valid(0).then(|| ticks.value(0) / MINUTE)
            })
            .collect();
        starts.sort_unstable();
        starts
    }

    #[test]
    fn ends_belong_where_they_are_told() {
        let cases = [
            (Closed::Left, vec![10]),
            (Closed::Right, vec![0]),
            (Closed::Both, vec![0, 10]),
            (Closed::Neither, vec![]),
        ];
        for (closed, expected) in cases {
            assert_eq!(starts(windows("10m", "10m", "0s", closed), 10), expected, "{closed:?}");
            assert_eq!(starts(windows("10m", "10m", "0s", closed), 15), [10], "{closed:?}");
        }
    }

    #[test]
    fn windows_overlap_or_leave_gaps() {
        assert_eq!(starts(windows("10m", "30m", "0s", Closed::Left), 25), [0, 10, 20]);
        assert_eq!(starts(windows("10m", "25m", "0s", Closed::Left), 25), [10, 20]);
        assert_eq!(starts(windows("10m", "3m", "0s", Closed::Left), 25), [] as [i64; 0]);
        assert_eq!(starts(windows("10m", "3m", "5m", Closed::Left), 25), [25]);
        assert_eq!(starts(windows("10m", "10m", "-3m", Closed::Left), 25), [17]);
        let quarters = starts(windows("1q", "1q", "-3d", Closed::Left), 178 * 1_440);
        assert_eq!(quarters, [178 * 1_440], "the 28th of June begins one and is not in the last");
        let months = starts(windows("1mo", "1y", "0s", Closed::Left), 0);
        assert_eq!((months.len(), months[11]), (12, 0));
    }

    #[test]
    fn what_makes_no_windows_is_refused() {
        let micros = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
        let refused = |every, period, data_type: &DataType| {
            windows(every, period, "0s", Closed::Left).bind(data_type).unwrap_err().to_string()
        };
        assert!(refused("0s", "1s", &micros).contains("above zero"));
        assert!(refused("1s", "-1s", &micros).contains("above zero"));
        assert!(refused("1us", "1d", &micros).contains("more than 10000 windows"));
        assert!(refused("1h", "1h", &DataType::Date32).contains("whole days"));
        assert!(refused("1h", "1h", &DataType::Utf8).contains("not VARCHAR"));
        assert!(TimeWindows::parse_interval("soon").unwrap_err().to_string().contains("'soon'"));
    }

    proptest! {
        #[test]
        fn windows_are_those_that_a_search_finds(
            minute in -5_000i64..5_000, every in 1i64..60, period in 1i64..200, offset in -50i64..50, closed in 0usize..4,
        ) {
            let closed = [Closed::Left, Closed::Right, Closed::Both, Closed::Neither][closed];
            let text = [every, period, offset].map(|minutes| format!("{minutes}m"));
            // Days since the origin, a Monday, are whole multiples of no minute: search from it.
            let origin = 10_959 * 1_440 + offset;
            let first = (minute - period - every - origin).div_euclid(every);
            let expected: Vec<i64> = (first..first + (period + 2 * every) / every + 3)
                .map(|mark| origin + mark * every)
                .filter(|start| {
                    let end = start + period;
                    match closed {
                        Closed::Left => (*start..end).contains(&minute),
                        Closed::Right => *start < minute && minute <= end,
                        Closed::Both => (*start..=end).contains(&minute),
                        Closed::Neither => *start < minute && minute < end,
                    }
                })
                .collect();
            let found = starts(windows(&text[0], &text[1], &text[2], closed), minute);
            prop_assert_eq!(found, expected);
        }
    }
}
