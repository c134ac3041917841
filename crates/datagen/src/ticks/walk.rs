//! Prices: for each ticker a geometric Brownian motion in time, computed at any time on its own.
//!
//! The motion is Lévy's construction: a straight line to a random end, plus a tent of random height
//! on the whole, on each half, on each quarter, and so on (Karatzas and Shreve, "Brownian Motion and
//! Stochastic Calculus", section 2.3). The tent at each node of this binary tree is a hash of ticker
//! and node, so a price needs no price before it, and costs one hash per level.
//!
//! ```text
//!        /\            level 1: 1 tent
//!      /\  /\          level 2: 2 tents, lower by the square root of 2
//!     /\/\/\/\         level 3 ...
//! ```

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Uniform};

use crate::random::{Stream, unit};

/// Beyond this the tents of a day are below a cent for nearly all tickers.
const LEVELS: u32 = 14;

/// What a trade's price differs by from the walk: half the spread, to the trade's side.
const HALF_SPREAD: f64 = 0.000_1;

/// Prices above and below stay out of the way of readers.
const START_DOLLARS: (f64, f64) = (2.0, 2_000.0);

/// The walks of all tickers.
pub(super) struct Walks {
    stream: Stream,
    starts: Vec<Start>,
}

/// Where a walk starts, in dollars, and the standard deviation of its logarithm over all sessions.
struct Start {
    dollars: f64,
    deviation: f64,
}

impl Walks {
    /// Draws start prices around 45 dollars, and deviations of 1 to 3 percent a session.
    pub(super) fn new(seed: u64, tickers: usize, sessions: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let dollars = LogNormal::new(3.8f64, 1.1).expect("constant parameters are valid");
        let daily = Uniform::new(0.01f64, 0.03).expect("constant parameters are valid");
        let start = |_| Start {
            dollars: dollars.sample(&mut random).clamp(START_DOLLARS.0, START_DOLLARS.1),
            deviation: daily.sample(&mut random) * (sessions as f64).sqrt(),
        };
        let starts = (0..tickers).map(start).collect();
        Self { stream: Stream::new(seed, "ticks.price"), starts }
    }

    /// The price of a trade at `time`, 0 to 1, in whole cents; `noise` is 0 to 1.
    pub(super) fn price(&self, ticker: u32, time: f64, buys: bool, noise: f64) -> f64 {
        let start = &self.starts[ticker as usize];
        let walk = brownian(self.stream.part(u64::from(ticker)), time);
        let spread = if buys { HALF_SPREAD } else { -HALF_SPREAD } * 2.0 * noise;
        let cents = start.dollars * 100.0 * (start.deviation * walk + spread).exp();
        cents.round().max(1.0) / 100.0
    }
}

/// A standard Brownian motion at `time`, 0 to 1.
fn brownian(stream: Stream, time: f64) -> f64 {
    let mut value = time * deviate(stream.bits(0));
    let mut node = 1;
    let mut place = time.min(1.0 - f64::EPSILON);
    let mut height = 0.5;
    for _ in 0..LEVELS {
        let tent = 1.0 - (2.0 * place - 1.0).abs();
        value += height * tent * deviate(stream.bits(node));
        let right = u64::from(place >= 0.5);
        place = 2.0 * place - right as f64;
        node = 2 * node + right;
        height *= std::f64::consts::FRAC_1_SQRT_2;
    }
    value
}

/// A number of mean 0 and variance 1. Even, not normal: the sum over levels is near enough.
fn deviate(bits: u64) -> f64 {
    (unit(bits) - 0.5) * 12f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Variance over many walks of what happens from one time to another.
    fn variance(from: f64, to: f64) -> f64 {
        let stream = Stream::new(5, "walk");
        let steps = (0..20_000).map(|walk| {
            let walk = stream.part(walk);
            brownian(walk, to) - brownian(walk, from)
        });
        steps.map(|step| step * step).sum::<f64>() / 20_000.0
    }

    #[test]
    fn steps_have_the_variance_of_their_time() {
        for (from, to) in [(0.0, 1.0), (0.0, 0.5), (0.25, 0.5), (0.5, 0.625)] {
            let ratio = variance(from, to) / (to - from);
            assert!((ratio - 1.0).abs() < 0.05, "{from} to {to}: {ratio}");
        }
    }

    #[test]
    fn a_walk_is_continuous() {
        let walk = Stream::new(6, "walk");
        for index in 0..1_000 {
            let time = f64::from(index) / 1_000.0;
            assert!((brownian(walk, time) - brownian(walk, time + 1e-9)).abs() < 1e-4);
        }
    }
}
