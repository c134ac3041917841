//! When trades happen: from a part of the table's time to microseconds since 1970.

/// Monday, 8 January 2024, in days since 1970.
const FIRST_DAY: i64 = 19_730;
const DAY_MICROS: i64 = 86_400_000_000;
/// 09:30.
const OPEN_MICROS: i64 = 34_200_000_000;
/// To 16:00.
const SESSION_MICROS: f64 = 23_400_000_000.0;
/// Trades of a busy day; more make more days.
const SESSION_ROWS: u64 = 20_000_000;
/// How much trading crowds at the open and the close; below 1 to keep time ascending.
const CROWDING: f64 = 0.6;

/// The trading days of a table.
pub(super) struct Clock {
    sessions: u64,
}

impl Clock {
    /// As many weekdays as `rows` trades need.
    pub(super) fn new(rows: u64) -> Self {
        Self { sessions: rows.div_ceil(SESSION_ROWS).max(1) }
    }

    /// The number of trading days.
    pub(super) fn sessions(&self) -> u64 {
        self.sessions
    }

    /// The timestamp when `time`, 0 to 1, of all trading has passed. Never descends with `time`:
    /// it is first rounded to microseconds, which the curve then keeps well apart.
    pub(super) fn at(&self, time: f64) -> i64 {
        let position = time * self.sessions as f64;
        let session = (position as u64).min(self.sessions - 1);
        let even = ((position - session as f64) * SESSION_MICROS).floor() / SESSION_MICROS;
        midnight(session) + OPEN_MICROS + (crowd(even) * SESSION_MICROS) as i64
    }
}

/// The n-th weekday from the first.
fn midnight(session: u64) -> i64 {
    let days = session / 5 * 7 + session % 5;
    (FIRST_DAY + days as i64) * DAY_MICROS
}

/// Maps a day's share of trades to its share of time: slow at both ends, where trades are dense.
fn crowd(x: f64) -> f64 {
    x + CROWDING * x * (1.0 - x) * (2.0 * x - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_open_and_close_on_weekdays() {
        let clock = Clock::new(6 * SESSION_ROWS);
        let open = |day: i64| (FIRST_DAY + day) * DAY_MICROS + OPEN_MICROS;
        assert_eq!(clock.sessions(), 6);
        assert_eq!(clock.at(0.0), open(0));
        assert_eq!(clock.at(5.0 / 6.0), open(7), "a weekend lies between");
        assert_eq!(clock.at(1.0), open(7) + SESSION_MICROS as i64);
    }

    #[test]
    fn time_never_descends() {
        let clock = Clock::new(1);
        let times: Vec<i64> = (0..=100_000).map(|i| clock.at(f64::from(i) / 1e5)).collect();
        assert!(times.is_sorted());
    }
}
