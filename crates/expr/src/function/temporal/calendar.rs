//! The proleptic Gregorian calendar, for any day that ticks can name.
//!
//! Days and dates convert by integer arithmetic, after Howard Hinnant, "chrono-Compatible Low-Level Date
//! Algorithms": it is total, where `chrono` ends at the year 262143 and timestamps do not.

/// A date. The year 0 is 1 BC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

impl Date {
    pub(super) fn new(year: i64, month: i64, day: i64) -> Self {
        Self { year, month, day }
    }

    /// The date `days` after 1970-01-01.
    #[inline]
    pub(super) fn from_days(days: i64) -> Self {
        // Years are counted from March, so that the leap day is the last.
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        Self { year: year_of_era + era * 400 + i64::from(month <= 2), month, day }
    }

    /// The days since 1970-01-01; `None` beyond the range of ticks.
    #[inline]
    pub(super) fn days(self) -> Option<i64> {
        if self.year.unsigned_abs() > 1 << 50 {
            return None;
        }
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let march_month = if self.month > 2 { self.month - 3 } else { self.month + 9 };
        let day_of_year = (153 * march_month + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some(era * 146_097 + day_of_era - 719_468)
    }

    /// Whether there is such a day.
    pub(super) fn is_valid(self) -> bool {
        (1..=12).contains(&self.month) && (1..=self.month_length()).contains(&self.day)
    }

    /// The number of days of the month.
    pub(super) fn month_length(self) -> i64 {
        match self.month {
            2 if self.is_leap() => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    /// The day of the year, from 1.
    pub(super) fn day_of_year(self) -> i64 {
        const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
        let leap_day = i64::from(self.month > 2 && self.is_leap());
        BEFORE[(self.month - 1) as usize] + self.day + leap_day
    }

    /// The quarter, from 1.
    pub(super) fn quarter(self) -> i64 {
        (self.month - 1) / 3 + 1
    }

    fn is_leap(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }
}

/// The day of the week of `days` after 1970-01-01: Monday is 1, Sunday 7.
pub(super) fn iso_weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// The first day of the ISO week of `days`.
pub(super) fn monday(days: i64) -> i64 {
    days + 1 - iso_weekday(days)
}

/// The ISO year, and the week in it: a week belongs to the year of its Thursday.
pub(super) fn iso_week(days: i64) -> (i64, i64) {
    let thursday = Date::from_days(monday(days) + 3);
    (thursday.year, (thursday.day_of_year() - 1) / 7 + 1)
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Monday.
pub(super) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

#[cfg(test)]
mod tests {
    use chrono::Datelike;

    use super::*;

    #[test]
    fn days_and_dates_are_those_of_chrono() {
        let epoch = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for days in (-1_000_000i64..1_000_000).step_by(61).chain(-800..800).chain(10_900..12_000) {
            let naive = epoch + chrono::Duration::days(days);
            let date = Date::from_days(days);
            let expected = Date::new(naive.year().into(), naive.month().into(), naive.day().into());
            assert_eq!(date, expected, "{days}");
            assert_eq!(date.days(), Some(days));
            assert!(date.is_valid());
            assert_eq!(date.day_of_year(), i64::from(naive.ordinal()));
            assert_eq!(iso_weekday(days), i64::from(naive.weekday().number_from_monday()));
            let iso = naive.iso_week();
            assert_eq!(iso_week(days), (iso.year().into(), iso.week().into()));
        }
    }

    #[test]
    fn dates_go_as_far_as_ticks() {
        for days in [i64::MIN / 86_400, i64::MAX / 86_400, i32::MIN.into(), i32::MAX.into()] {
            assert_eq!(Date::from_days(days).days(), Some(days));
        }
        assert_eq!(Date::new(i64::MAX, 1, 1).days(), None);
    }

    #[test]
    fn months_end_where_they_end() {
        let valid = |year, month, day| Date::new(year, month, day).is_valid();
        assert!(valid(2000, 2, 29) && valid(2020, 2, 29) && valid(0, 2, 29));
        assert!(!valid(1900, 2, 29) && !valid(2021, 2, 29) && !valid(2021, 4, 31));
        assert!(!valid(2021, 0, 1) && !valid(2021, 13, 1) && !valid(2021, 1, 0));
    }
}
