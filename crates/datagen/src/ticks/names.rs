//! What tickers are called. Names do not depend on the seed, so that examples can rely on them.

use std::collections::HashSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Much traded ones, which get the first ranks.
const KNOWN: [&str; 40] = [
    "AAPL", "SPY", "NVDA", "TSLA", "QQQ", "AMZN", "AMD", "MSFT", "META", "PLTR", "GOOGL", "F",
    "BAC", "INTC", "T", "IWM", "GOOG", "NFLX", "C", "WMT", "XOM", "JPM", "KO", "DIS", "BA", "PFE",
    "V", "CSCO", "ORCL", "UBER", "MU", "AVGO", "GE", "GM", "X", "SOFI", "NIO", "CVX", "JNJ", "PG",
];

/// Of a hundred tickers, how many have up to 1, 2, 3 and 4 letters; the others have 5.
const LENGTHS: [u32; 4] = [1, 5, 35, 88];

/// Distinct names of one to five capital letters. The first names of a longer list are those of a
/// shorter one.
pub(super) fn tickers(count: usize) -> Vec<String> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut seen: HashSet<String> = KNOWN.map(String::from).into();
    let mut names: Vec<String> = KNOWN.iter().take(count).map(ToString::to_string).collect();
    while names.len() < count {
        let name = name(&mut random);
        if seen.insert(name.clone()) {
            names.push(name);
        }
    }
    names
}

fn name(random: &mut ChaCha8Rng) -> String {
    let percent = random.random_range(0..100);
    let length = 1 + LENGTHS.iter().filter(|bound| percent >= **bound).count();
    (0..length).map(|_| char::from(random.random_range(b'A'..=b'Z'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_capital_letters() {
        let names = tickers(8_000);
        let distinct: HashSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), 8_000);
        assert!(names.iter().all(|name| (1..=5).contains(&name.len())));
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_uppercase())));
        assert_eq!(names[..100], tickers(100));
        assert_eq!(tickers(2), ["AAPL", "SPY"]);
    }
}
