//! Where an axis has ticks, and what stands there: round numbers, and for times the beginnings of seconds to years.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime};

/// Places on an axis, with what stands there.
pub type Ticks = Vec<(f64, String)>;

const DAY: f64 = 86_400.0;
/// Seconds between ticks, below months.
const STEPS: [f64; 17] = [
    1.0,
    2.0,
    5.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    900.0,
    1800.0,
    3600.0,
    10_800.0,
    21_600.0,
    43_200.0,
    DAY,
    2.0 * DAY,
    7.0 * DAY,
];
/// Months between ticks.
const MONTHS: [u32; 13] = [1, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12_000];

/// The step of 1, 2 or 5 times a power of ten that cuts the span into at most so many.
pub fn nice_step(span: f64, wanted: usize) -> f64 {
    let least = (span / wanted.max(1) as f64).max(f64::MIN_POSITIVE);
    let power = 10_f64.powi(least.log10().floor() as i32);
    let fits = [1.0, 2.0, 5.0].into_iter().find(|times| times * power >= least * (1.0 - 1e-9));
    fits.unwrap_or(10.0) * power
}

/// Ticks at round numbers.
pub fn of_numbers((min, max): (f64, f64), wanted: usize) -> Ticks {
    let step = nice_step(max - min, wanted);
    let digits = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
    let (first, last) = ((min / step - 1e-9).ceil(), (max / step + 1e-9).floor());
    let count = ((last - first).max(0.0) as usize).min(2 * wanted);
    let ticks = (0..=count).map(|index| (first + index as f64) * step);
    ticks.map(|tick| (tick, number(tick, digits))).collect()
}

/// A number with so many digits after the point, in short where it is large.
pub fn number(value: f64, digits: usize) -> String {
    let short = |value: f64, unit: &str| {
        let text = format!("{value:.2}");
        format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match value.abs() {
        size if size >= 1e15 || (size > 0.0 && size < 1e-9) => format!("{value:e}"),
        size if size >= 1e9 => short(value / 1e9, "G"),
        size if size >= 1e6 => short(value / 1e6, "M"),
        size if size >= 1e5 => short(value / 1e3, "k"),
        0.0 => "0".to_string(),
        _ => format!("{value:.digits$}"),
    }
}

/// Ticks at the beginnings of seconds, minutes, days, months or years.
pub fn of_times((min, max): (f64, f64), wanted: usize) -> Ticks {
    let least = (max - min) / wanted.max(1) as f64;
    if least < 0.5 {
        return of_numbers((min, max), wanted)
            .into_iter()
            .map(|(at, _)| (at, moment(at)))
            .collect();
    }
    match STEPS.into_iter().find(|step| *step >= least) {
        Some(step) => of_seconds((min, max), step),
        None => of_months((min, max), least, wanted),
    }
}

fn of_seconds((min, max): (f64, f64), step: f64) -> Ticks {
    let spans_days = (min / DAY).floor() != (max / DAY).floor();
    let format = match step {
        step if step >= DAY => "%Y-%m-%d",
        step if step >= 60.0 && spans_days => "%m-%d %H:%M",
        step if step >= 60.0 => "%H:%M",
        _ => "%H:%M:%S",
    };
    let first = (min / step).ceil() as i64;
    let ticks = (first..).map(|index| index as f64 * step).take_while(|tick| *tick <= max);
    ticks.filter_map(|tick| Some((tick, time(tick)?.format(format).to_string()))).collect()
}

fn of_months((min, max): (f64, f64), least: f64, wanted: usize) -> Ticks {
    let months = MONTHS.into_iter().find(|months| f64::from(*months) * 30.44 * DAY >= least);
    let months = months.unwrap_or(12_000);
    let format = if months < 12 { "%Y-%m" } else { "%Y" };
    let Some(first) = time(min) else { return of_numbers((min, max), wanted) };
    let index = (first.year() * 12 + first.month0() as i32).div_euclid(months as i32);
    let index = index * months as i32;
    let Some(mut day) =
        NaiveDate::from_ymd_opt(index.div_euclid(12), index.rem_euclid(12) as u32 + 1, 1)
    else {
        return of_numbers((min, max), wanted);
    };
    let mut ticks = Vec::new();
    loop {
        let at = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() as f64;
        if at > max {
            return ticks;
        }
        if at >= min {
            ticks.push((at, day.format(format).to_string()));
        }
        match day.checked_add_months(Months::new(months)) {
            Some(next) => day = next,
            None => return ticks,
        }
    }
}

fn time(seconds: f64) -> Option<NaiveDateTime> {
    let nanos = ((seconds - seconds.floor()) * 1e9) as u32;
    DateTime::from_timestamp(seconds.floor() as i64, nanos).map(|time| time.naive_utc())
}

/// A moment, with as much of it as there is.
pub fn moment(seconds: f64) -> String {
    let format = match seconds {
        seconds if seconds % DAY == 0.0 => "%Y-%m-%d",
        seconds if seconds % 1.0 == 0.0 => "%Y-%m-%d %H:%M:%S",
        _ => "%Y-%m-%d %H:%M:%S%.3f",
    };
    time(seconds).map_or_else(|| seconds.to_string(), |time| time.format(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ticks: Ticks) -> Vec<String> {
        ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn numbers_are_round() {
        assert_eq!(shown(of_numbers((0.0, 1.0), 5)), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(shown(of_numbers((-3.0, 12_000.0), 3)), ["0", "5000", "10000"]);
        assert_eq!(shown(of_numbers((0.0, 2_500_000.0), 3)), ["0", "1M", "2M"]);
    }

    #[test]
    fn times_begin_something() {
        let day = |text: &str| {
            let day: NaiveDate = text.parse().unwrap();
            day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp() as f64
        };
        let ticks = |from: &str, to: &str| shown(of_times((day(from), day(to)), 6));
        assert_eq!(ticks("2001-01-01", "2001-04-01"), ["2001-01", "2001-02", "2001-03", "2001-04"]);
        assert_eq!(ticks("2001-01-01", "2001-01-04")[..2], ["01-01 00:00", "01-01 12:00"]);
        assert_eq!(ticks("1998-03-01", "2023-01-01"), ["2000", "2005", "2010", "2015", "2020"]);
        assert_eq!(moment(day("2001-01-01") + 1.5), "2001-01-01 00:00:01.500");
    }
}
