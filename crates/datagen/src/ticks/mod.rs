//! `ticks`: the trades of a stock market, seven columns wide.
//!
//! | column | values |
//! |---|---|
//! | `ts` | microseconds, 09:30 to 16:00 on weekdays from 2024-01-08, 20 M trades a day at most |
//! | `ticker` | 1 to 5 capital letters, Zipf distributed, AAPL among the most frequent |
//! | `exchange` | 12 market identifier codes (ISO 10383) |
//! | `side` | `B` or `S` |
//! | `price` | dollars and cents, a random walk per ticker in time |
//! | `size` | shares: round lots up to 10,000, and odd lots |
//! | `trade_id` | the trade's number in time, from 0 |
//!
//! A trade is known by its number, ticker and time; everything else follows from these.

mod clock;
mod names;
mod walk;

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit};
use dframe_core::{Error, Result};

use crate::generator::nulls;
use crate::random::{Alias, Permutation, Stream};
use crate::{Generator, Options, Sortedness};

use self::clock::Clock;
use self::walk::Walks;

/// Market identifier codes, and the share of trades of each.
const EXCHANGES: [(&str, f64); 12] = [
    ("XNAS", 0.25),
    ("ARCX", 0.17),
    ("XNYS", 0.15),
    ("BATS", 0.10),
    ("EDGX", 0.09),
    ("IEXG", 0.06),
    ("MEMX", 0.05),
    ("BATY", 0.04),
    ("EDGA", 0.03),
    ("XPHL", 0.02),
    ("EPRL", 0.02),
    ("XCIS", 0.02),
];

const SIDES: [&str; 2] = ["B", "S"];

/// The largest number of tickers: four letters and fewer give about half of it.
const TICKERS_MAX: usize = 1_000_000;

/// The generator of `ticks`.
pub struct Ticks {
    schema: SchemaRef,
    order: Order,
    clock: Clock,
    walks: Walks,
    tickers: Alias,
    exchanges: Alias,
    sizes: Vec<i32>,
    /// The dictionaries of the string columns; tickers by falling frequency.
    ticker_names: ArrayRef,
    exchange_names: ArrayRef,
    side_names: ArrayRef,
    rows: u64,
    null_share: f64,
    random: Columns,
}

/// The random numbers of each column.
struct Columns {
    time: Stream,
    ticker: Stream,
    market: Stream,
    noise: Stream,
    size: Stream,
    price_null: Stream,
    size_null: Stream,
}

/// How row numbers become trades.
enum Order {
    Time,
    Ticker(Vec<TickerRows>),
    Shuffled(Permutation),
}

/// The rows of one ticker in a table that is sorted by ticker.
struct TickerRows {
    ticker: u32,
    rows: Range<u64>,
}

/// A row before its columns are worked out.
#[derive(Clone, Copy)]
struct Trade {
    id: u64,
    ticker: u32,
    /// The part of the table's time that has passed, 0 to 1.
    time: f64,
}

impl Ticks {
    /// Sets up the tickers' names, shares and walks.
    ///
    /// # Errors
    /// Invalid input for too many tickers, and for an order of another table.
    pub fn try_new(options: &Options) -> Result<Self> {
        options.validate()?;
        if options.tickers > TICKERS_MAX {
            return Err(Error::invalid_input(format!("{} tickers are too many", options.tickers))
                .remedy(format!("give at most {TICKERS_MAX}")));
        }
        let names = names::tickers(options.tickers);
        let shares = zipf_shares(options.tickers, options.skew);
        let clock = Clock::new(options.rows);
        Ok(Self {
            schema: schema(),
            order: Order::try_new(options, &names, &shares)?,
            walks: Walks::new(options.seed, options.tickers, clock.sessions()),
            clock,
            tickers: Alias::new(&shares),
            exchanges: Alias::new(&EXCHANGES.map(|(_, share)| share)),
            sizes: trade_sizes(),
            ticker_names: Arc::new(StringArray::from(names)),
            exchange_names: Arc::new(StringArray::from_iter_values(
                EXCHANGES.map(|(name, _)| name),
            )),
            side_names: Arc::new(StringArray::from_iter_values(SIDES)),
            rows: options.rows,
            null_share: options.null_share,
            random: Columns::new(options.seed),
        })
    }

    fn trade(&self, row: u64) -> Trade {
        match &self.order {
            Order::Time => self.trade_by_time(row),
            Order::Shuffled(permutation) => self.trade_by_time(permutation.apply(row)),
            Order::Ticker(tickers) => self.trade_by_ticker(tickers, row),
        }
    }

    /// One trade in each of as many equal parts of the time as there are rows, at random within:
    /// ascending without looking at the trade before.
    fn trade_by_time(&self, id: u64) -> Trade {
        let time = (id as f64 + self.random.time.unit(id)) / self.rows as f64;
        Trade { id, ticker: self.tickers.draw(self.random.ticker.bits(id)), time }
    }

    /// The same within the rows of each ticker, whose number is its share of the table.
    fn trade_by_ticker(&self, tickers: &[TickerRows], row: u64) -> Trade {
        let index = tickers.partition_point(|ticker| ticker.rows.end <= row);
        let TickerRows { ticker, rows } = &tickers[index];
        let index = (row - rows.start) as f64 + self.random.time.unit(row);
        Trade { id: row, ticker: *ticker, time: index / (rows.end - rows.start) as f64 }
    }

    fn prices(&self, trades: &[Trade], sides: &[i32]) -> ArrayRef {
        let price = |(trade, side): (&Trade, &i32)| {
            let noise = self.random.noise.unit(trade.id);
            self.walks.price(trade.ticker, trade.time, *side == 0, noise)
        };
        let prices: Vec<f64> = trades.iter().zip(sides).map(price).collect();
        let nulls = nulls(self.random.price_null, self.null_share, ids(trades));
        Arc::new(Float64Array::new(prices.into(), nulls))
    }

    fn sizes(&self, trades: &[Trade]) -> ArrayRef {
        let choices = self.sizes.len() as u64;
        let size = |id| self.sizes[self.random.size.below(id, choices) as usize];
        let sizes: Vec<i32> = ids(trades).map(size).collect();
        let nulls = nulls(self.random.size_null, self.null_share, ids(trades));
        Arc::new(Int32Array::new(sizes.into(), nulls))
    }
}

impl Generator for Ticks {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn sorted_by(&self) -> &[&'static str] {
        match self.order {
            Order::Time => &["ts"],
            Order::Ticker(_) => &["ticker", "ts"],
            Order::Shuffled(_) => &[],
        }
    }

    fn unique_columns(&self) -> &[&'static str] {
        &["ts", "trade_id"]
    }

    fn block(&self, rows: Range<u64>) -> Result<RecordBatch> {
        let trades: Vec<Trade> = rows.map(|row| self.trade(row)).collect();
        let ts = trades.iter().map(|trade| self.clock.at(trade.time));
        let tickers: Vec<i32> = trades.iter().map(|trade| trade.ticker as i32).collect();
        let market: Vec<u64> = ids(&trades).map(|id| self.random.market.bits(id)).collect();
        let exchanges = market.iter().map(|bits| self.exchanges.draw(*bits) as i32).collect();
        // The alias draw looks at the low bits only in comparisons; the lowest is free to use.
        let sides: Vec<i32> = market.iter().map(|bits| (bits & 1) as i32).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampMicrosecondArray::from_iter_values(ts)),
            strings(tickers, &self.ticker_names)?,
            strings(exchanges, &self.exchange_names)?,
            strings(sides.clone(), &self.side_names)?,
            self.prices(&trades, &sides),
            self.sizes(&trades),
            Arc::new(Int64Array::from_iter_values(ids(&trades).map(|id| id as i64))),
        ];
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}

impl Order {
    fn try_new(options: &Options, names: &[String], shares: &[f64]) -> Result<Self> {
        use Sortedness::{Natural, Shuffled, Ticker, Time};
        match options.sorted {
            Natural | Time => Ok(Self::Time),
            Ticker => Ok(Self::Ticker(rows_by_ticker(names, shares, options.rows))),
            Shuffled => {
                let stream = Stream::new(options.seed, "ticks.order");
                Ok(Self::Shuffled(Permutation::new(stream, options.rows)))
            }
            other => Err(other.unfit("ticks", &[Natural, Time, Ticker, Shuffled])),
        }
    }
}

impl Columns {
    fn new(seed: u64) -> Self {
        Self {
            time: Stream::new(seed, "ticks.time"),
            ticker: Stream::new(seed, "ticks.ticker"),
            market: Stream::new(seed, "ticks.market"),
            noise: Stream::new(seed, "ticks.noise"),
            size: Stream::new(seed, "ticks.size"),
            price_null: Stream::new(seed, "ticks.price_null"),
            size_null: Stream::new(seed, "ticks.size_null"),
        }
    }
}

fn schema() -> SchemaRef {
    let string = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    Arc::new(Schema::new(vec![
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("ticker", string.clone(), true),
        Field::new("exchange", string.clone(), true),
        Field::new("side", string, true),
        Field::new("price", DataType::Float64, true),
        Field::new("size", DataType::Int32, true),
        Field::new("trade_id", DataType::Int64, true),
    ]))
}

/// The rank's power: how often the first, second, ... ticker trades, summing to 1.
fn zipf_shares(tickers: usize, skew: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=tickers).map(|rank| (rank as f64).powf(-skew)).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

/// Cuts the rows into the tickers' shares, in the order of their names.
fn rows_by_ticker(names: &[String], shares: &[f64], rows: u64) -> Vec<TickerRows> {
    let mut by_name: Vec<u32> = (0..names.len() as u32).collect();
    by_name.sort_by_key(|&ticker| &names[ticker as usize]);
    let mut start = 0;
    let mut passed = 0.0;
    let last = by_name.len() - 1;
    let cut = |(index, ticker): (usize, u32)| {
        passed += shares[ticker as usize];
        let end = if index == last { rows } else { rows.min((passed * rows as f64) as u64) };
        let rows = start..end;
        start = end;
        TickerRows { ticker, rows }
    };
    by_name.into_iter().enumerate().map(cut).collect()
}

/// Sizes to choose from evenly: 3 of 8 are odd lots, the others round lots, small ones first.
fn trade_sizes() -> Vec<i32> {
    let choices = 4096;
    let odd = choices * 3 / 8;
    let skewed = |part: f64, most: f64| (most.powf(part * part * part) + 1e-9) as i32;
    let odd_lots = (0..odd).map(|index| skewed(f64::from(index) / f64::from(odd), 99.0));
    let round = choices - odd;
    let round_lots =
        (0..round).map(|index| 100 * skewed(f64::from(index + 1) / f64::from(round), 100.0));
    odd_lots.chain(round_lots).collect()
}

fn strings(keys: Vec<i32>, names: &ArrayRef) -> Result<ArrayRef> {
    let keys = Int32Array::from(keys);
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(names))?))
}

fn ids(trades: &[Trade]) -> impl Iterator<Item = u64> + '_ {
    trades.iter().map(|trade| trade.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_lots_of_one_to_ten_thousand() {
        let sizes = trade_sizes();
        assert_eq!((sizes.iter().min(), sizes.iter().max()), (Some(&1), Some(&10_000)));
        assert!(sizes.iter().all(|size| *size < 100 || size % 100 == 0));
    }

    #[test]
    fn rows_of_tickers_cover_the_table() {
        let names: Vec<String> = ["B", "C", "A"].map(String::from).to_vec();
        let cut = rows_by_ticker(&names, &zipf_shares(3, 1.0), 110);
        let cut: Vec<_> = cut.into_iter().map(|rows| (rows.ticker, rows.rows)).collect();
        assert_eq!(cut, [(2, 0..20), (0, 20..80), (1, 80..110)]);
    }

    #[test]
    fn rows_do_not_depend_on_their_block() {
        for sorted in [Sortedness::Time, Sortedness::Ticker, Sortedness::Shuffled] {
            let options = Options { rows: 5_000, sorted, null_share: 0.1, ..Options::default() };
            let ticks = Ticks::try_new(&options).unwrap();
            let whole = ticks.block(0..5_000).unwrap();
            assert_eq!(whole.slice(1_234, 100), ticks.block(1_234..1_334).unwrap());
        }
    }
}
