//! `groupby`: the table of the H2O.ai db-benchmark's groupby task, G1, after its `groupby-datagen.R`.
//!
//! | column | values |
//! |---|---|
//! | `id1`, `id2` | `id001` to K |
//! | `id3` | `id0000000001` to N/K |
//! | `id4`, `id5` | 1 to K |
//! | `id6` | 1 to N/K |
//! | `v1`, `v2` | 1 to 5, 1 to 15 |
//! | `v3` | 0 to 100 with 6 decimals |
//!
//! All are drawn evenly and independently. NULLs are the benchmark's: of each id column that share
//! of its distinct values, everywhere; of each value column that share of the rows.

mod ranks;

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, SchemaRef};
use dframe_core::{Error, Result};

use crate::generator::nulls;
use crate::random::Stream;
use crate::{Generator, Options, Sortedness};

use self::ranks::{IDS, Id, Ranks};

/// The largest K: beyond it, the names of id1 and id2 would fill memory.
const K_MAX: u32 = 1_000_000;

/// The generator of `groupby`.
pub struct Groupby {
    schema: SchemaRef,
    ids: [Id; IDS],
    ranks: Ranks,
    /// The names of id1 and id2 in bytewise order, which is not numeric from `id1000` on.
    names: ArrayRef,
    null_share: f64,
    values: [Stream; 3],
    value_nulls: [Stream; 3],
}

impl Groupby {
    /// Works out the distinct values of each column.
    ///
    /// # Errors
    /// Invalid input if K is too large, if N/K does not fit `id6`, and for an order of another table.
    pub fn try_new(options: &Options) -> Result<Self> {
        options.validate()?;
        let many = distinct_ids(options)?;
        let few = u64::from(options.k);
        let ids = [few, few, many, few, few, many].map(|count| Id::new(count, options.null_share));
        let ranks = match options.sorted {
            Sortedness::Natural | Sortedness::Shuffled => Ranks::drawn(options.seed),
            Sortedness::Ids => Ranks::ascending(options.seed, options.rows, &ids)?,
            other => {
                let choices = [Sortedness::Natural, Sortedness::Ids, Sortedness::Shuffled];
                return Err(other.unfit("groupby", &choices));
            }
        };
        let stream = |name: &str| Stream::new(options.seed, &format!("groupby.{name}"));
        Ok(Self {
            schema: schema(),
            ids,
            ranks,
            names: short_names(options.k),
            null_share: options.null_share,
            values: ["v1", "v2", "v3"].map(stream),
            value_nulls: ["v1_null", "v2_null", "v3_null"].map(stream),
        })
    }

    /// The values of one id column, 1 to its number of distinct values.
    fn id_values(&self, column: usize, ranks: &[[u64; IDS]]) -> Int32Array {
        let id = &self.ids[column];
        ranks.iter().map(|ranks| id.value(ranks[column]).map(|value| value as i32)).collect()
    }

    fn short_strings(&self, values: &Int32Array) -> Result<ArrayRef> {
        let keys: Int32Array = values.unary(|value| (value - 1).max(0));
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(&self.names))?))
    }

    fn integers(&self, column: usize, most: u64, rows: Range<u64>) -> ArrayRef {
        let stream = self.values[column];
        let values: Vec<i32> = rows.clone().map(|row| 1 + stream.below(row, most) as i32).collect();
        let nulls = nulls(self.value_nulls[column], self.null_share, rows);
        Arc::new(Int32Array::new(values.into(), nulls))
    }

    fn floats(&self, column: usize, rows: Range<u64>) -> ArrayRef {
        let stream = self.values[column];
        let values: Vec<f64> =
            rows.clone().map(|row| stream.below(row, 100_000_001) as f64 / 1e6).collect();
        let nulls = nulls(self.value_nulls[column], self.null_share, rows);
        Arc::new(Float64Array::new(values.into(), nulls))
    }
}

impl Generator for Groupby {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn sorted_by(&self) -> &[&'static str] {
        match self.ranks {
            Ranks::Drawn(_) => &[],
            Ranks::Ascending { .. } => &["id1", "id2", "id3", "id4", "id5", "id6"],
        }
    }

    fn unique_columns(&self) -> &[&'static str] {
        &["v3"]
    }

    fn block(&self, rows: Range<u64>) -> Result<RecordBatch> {
        let ranks: Vec<[u64; IDS]> =
            rows.clone().map(|row| self.ranks.of(row, &self.ids)).collect();
        let columns: Vec<ArrayRef> = vec![
            self.short_strings(&self.id_values(0, &ranks))?,
            self.short_strings(&self.id_values(1, &ranks))?,
            Arc::new(long_strings(&self.id_values(2, &ranks))),
            Arc::new(self.id_values(3, &ranks)),
            Arc::new(self.id_values(4, &ranks)),
            Arc::new(self.id_values(5, &ranks)),
            self.integers(0, 5, rows.clone()),
            self.integers(1, 15, rows.clone()),
            self.floats(2, rows),
        ];
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}

fn schema() -> SchemaRef {
    let short = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("id1", short.clone()),
        field("id2", short),
        field("id3", DataType::Utf8),
        field("id4", DataType::Int32),
        field("id5", DataType::Int32),
        field("id6", DataType::Int32),
        field("v1", DataType::Int32),
        field("v2", DataType::Int32),
        field("v3", DataType::Float64),
    ]))
}

/// N/K, at least 1.
fn distinct_ids(options: &Options) -> Result<u64> {
    if options.k > K_MAX {
        return Err(Error::invalid_input(format!("k = {} is too large", options.k))
            .remedy(format!("give at most {K_MAX}")));
    }
    let distinct = (options.rows / u64::from(options.k)).max(1);
    if distinct > i32::MAX as u64 {
        return Err(Error::invalid_input(format!(
            "id6 would have {distinct} values, beyond 32 bits"
        ))
        .remedy("give fewer rows or a larger k"));
    }
    Ok(distinct)
}

fn short_names(k: u32) -> ArrayRef {
    let mut names: Vec<String> = (1..=k).map(|id| format!("id{id:03}")).collect();
    names.sort_unstable();
    Arc::new(StringArray::from(names))
}

fn long_strings(values: &Int32Array) -> StringArray {
    let mut builder = StringBuilder::with_capacity(values.len(), 12 * values.len());
    for value in values {
        match value {
            Some(value) => {
                write!(builder, "id{value:010}").expect("writing to memory does not fail");
                builder.append_value("");
            }
            None => builder.append_null(),
        }
    }
    builder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_do_not_depend_on_their_block() {
        for sorted in [Sortedness::Natural, Sortedness::Ids] {
            let options = Options { rows: 5_000, sorted, null_share: 0.1, ..Options::default() };
            let table = Groupby::try_new(&options).unwrap();
            let whole = table.block(0..5_000).unwrap();
            assert_eq!(whole.slice(1_234, 100), table.block(1_234..1_334).unwrap());
        }
    }

    #[test]
    fn long_strings_have_ten_digits() {
        let strings = long_strings(&Int32Array::from(vec![Some(7), None, Some(i32::MAX)]));
        let strings: Vec<Option<&str>> = strings.iter().collect();
        assert_eq!(strings, [Some("id0000000007"), None, Some("id2147483647")]);
    }

    #[test]
    fn unfit_options_are_refused() {
        let options = Options { sorted: Sortedness::Ticker, ..Options::default() };
        assert_eq!(
            Groupby::try_new(&options).err().unwrap().to_string(),
            "table 'groupby' cannot be sorted by 'ticker'; choose one of natural, ids, shuffled"
        );
        let options = Options { rows: 1 << 40, k: 1, ..Options::default() };
        assert!(Groupby::try_new(&options).is_err());
    }
}
