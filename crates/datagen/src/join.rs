//! `join`, `join-small`, `join-medium`, `join-big`: the tables of the H2O.ai db-benchmark's join task, J1, after its
//! `join-datagen.R`.
//!
//! | table | rows | columns |
//! |---|---|---|
//! | `join` | N | `id1` `id2` `id3`, `id4` `id5` `id6`, `v1` |
//! | `join-small` | N / 1,000,000 | `id1`, `id4`, `v2` |
//! | `join-medium` | N / 1,000 | `id1` `id2`, `id4` `id5`, `v2` |
//! | `join-big` | N | `id1` `id2` `id3`, `id4` `id5` `id6`, `v2` |
//!
//! `id1`, `id2` and `id3` have as many values as the small, the medium and the big table have rows, each of which is in
//! one row of that table; `id4` to `id6` are the same as texts. Nine in ten keys of the right tables are in the left
//! one, and the other way round. Values are 0 to 100 with 6 decimals; NULLs are among them.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};

use crate::generator::nulls;
use crate::random::{Permutation, Stream};
use crate::{Generator, Options, Sortedness};

/// The left table has so many rows for each of the small, the medium and the big one.
const SHARES: [u64; 3] = [1_000_000, 1_000, 1];
/// One in so many keys is on one side only.
const ALONE: u64 = 10;

/// Which of the four tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinTable {
    /// The left one.
    Left,
    /// A right one with the keys of `id1`.
    Small,
    /// A right one with the keys of `id2`.
    Medium,
    /// A right one with the keys of `id3`.
    Big,
}

/// The generator of a table to join.
pub struct Join {
    table: JoinTable,
    schema: SchemaRef,
    keys: Vec<Keys>,
    value: Stream,
    value_nulls: Stream,
    null_share: f64,
}

/// The values of one key.
struct Keys {
    /// How many there are on this side.
    count: u64,
    right: bool,
    values: Permutation,
    drawn: Stream,
    /// The order of the rows, if each key is in one of them.
    once: Option<Permutation>,
}

impl Join {
    /// Works out the keys.
    ///
    /// # Errors
    /// Invalid input if there are more keys than 32 bits hold, and for an order of another table.
    pub fn try_new(table: JoinTable, options: &Options) -> Result<Self> {
        options.validate()?;
        if !matches!(options.sorted, Sortedness::Natural | Sortedness::Shuffled) {
            let choices = [Sortedness::Natural, Sortedness::Shuffled];
            return Err(options.sorted.unfit("join", &choices));
        }
        if options.rows > i32::MAX as u64 / 2 {
            let message = format!(
                "id{} would have {} values, beyond 32 bits",
                table.own_key() + 1,
                options.rows
            );
            return Err(Error::invalid_input(message).remedy("give fewer rows"));
        }
        let rows = options.rows * SHARES[table.own_key()];
        let keys = (0..=table.own_key()).map(|key| Keys::new(table, key, rows, options.seed));
        let stream = |name: &str| Stream::new(options.seed, &format!("{}.{name}", table.name()));
        Ok(Self {
            table,
            schema: schema(table),
            keys: keys.collect(),
            value: stream("v"),
            value_nulls: stream("v_null"),
            null_share: options.null_share,
        })
    }

    fn values(&self, rows: Range<u64>) -> ArrayRef {
        let value = |row| self.value.below(row, 100_000_001) as f64 / 1e6;
        let values: Vec<f64> = rows.clone().map(value).collect();
        let nulls = nulls(self.value_nulls, self.null_share, rows);
        Arc::new(Float64Array::new(values.into(), nulls))
    }
}

impl JoinTable {
    /// The table's name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Left => "join",
            Self::Small => "join-small",
            Self::Medium => "join-medium",
            Self::Big => "join-big",
        }
    }

    /// The last of its keys, of which it has as many as rows.
    fn own_key(self) -> usize {
        match self {
            Self::Small => 0,
            Self::Medium => 1,
            Self::Left | Self::Big => 2,
        }
    }
}

impl Keys {
    fn new(table: JoinTable, key: usize, left_rows: u64, seed: u64) -> Self {
        let count = (left_rows / SHARES[key]).max(1);
        // All tables have the same keys.
        let values = Stream::new(seed, &format!("join.id{}", key + 1));
        let own = |what: &str| Stream::new(seed, &format!("{}.id{}.{what}", table.name(), key + 1));
        let once = (key == table.own_key()).then(|| Permutation::new(own("order"), count));
        let right = table != JoinTable::Left;
        let values = Permutation::new(values, count + count / ALONE);
        Self { count, right, values, drawn: own("drawn"), once }
    }

    fn value(&self, row: u64) -> i32 {
        let place = match &self.once {
            Some(order) => order.apply(row),
            None => self.drawn.below(row, self.count),
        };
        // The last tenth of the right's keys comes after those of the left.
        let alone = self.count / ALONE;
        let place = if self.right && place >= self.count - alone { place + alone } else { place };
        self.values.apply(place) as i32 + 1
    }
}

impl Generator for Join {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn sorted_by(&self) -> &[&'static str] {
        &[]
    }

    fn unique_columns(&self) -> &[&'static str] {
        match self.table {
            JoinTable::Small => &["id1", "id4", "v2"],
            JoinTable::Medium => &["id2", "id5", "v2"],
            JoinTable::Left => &["id3", "id6", "v1"],
            JoinTable::Big => &["id3", "id6", "v2"],
        }
    }

    fn block(&self, rows: Range<u64>) -> Result<RecordBatch> {
        let numbers = |keys: &Keys| rows.clone().map(|row| keys.value(row)).collect::<Int32Array>();
        let numbers: Vec<Int32Array> = self.keys.iter().map(numbers).collect();
        let text = |ids: &Int32Array| -> ArrayRef {
            Arc::new(ids.iter().map(|id| id.map(|id| format!("id{id}"))).collect::<StringArray>())
        };
        let texts: Vec<ArrayRef> = numbers.iter().map(text).collect();
        let numbers = numbers.into_iter().map(|ids| Arc::new(ids) as ArrayRef);
        let columns = numbers.chain(texts).chain([self.values(rows)]).collect();
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}

fn schema(table: JoinTable) -> SchemaRef {
    let keys = table.own_key() + 1;
    let field = |name: String, data_type| Field::new(name, data_type, true);
    let mut fields: Vec<Field> =
        (1..=keys).map(|key| field(format!("id{key}"), DataType::Int32)).collect();
    fields.extend((1..=keys).map(|key| field(format!("id{}", key + 3), DataType::Utf8)));
    let value = if table == JoinTable::Left { "v1" } else { "v2" };
    fields.push(field(value.to_string(), DataType::Float64));
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use arrow::array::AsArray;
    use arrow::datatypes::Int32Type;

    use super::*;

    fn keys(table: JoinTable, rows: u64, column: &str) -> Vec<i32> {
        let options = Options { rows, ..Options::default() };
        let batch = Join::try_new(table, &options).unwrap().block(0..rows).unwrap();
        batch[column].as_primitive::<Int32Type>().values().to_vec()
    }

    #[test]
    fn nine_in_ten_keys_are_on_both_sides() {
        let left = keys(JoinTable::Left, 100_000, "id3");
        let big = keys(JoinTable::Big, 100_000, "id3");
        let (left, big): (HashSet<i32>, HashSet<i32>) =
            (left.into_iter().collect(), big.into_iter().collect());
        assert_eq!((left.len(), big.len()), (100_000, 100_000));
        assert_eq!(left.intersection(&big).count(), 90_000);
    }

    #[test]
    fn a_right_table_has_each_of_its_keys_once_and_the_left_one_has_nine_tenths_of_them() {
        let medium: HashSet<i32> = keys(JoinTable::Medium, 100, "id2").into_iter().collect();
        let left = keys(JoinTable::Left, 100_000, "id2");
        assert_eq!(medium.len(), 100);
        let found = left.iter().filter(|key| medium.contains(key)).count();
        assert!((88_000..92_000).contains(&found), "{found}");
        assert!(
            left.iter().collect::<HashSet<_>>().difference(&medium.iter().collect()).count() > 5
        );
    }

    #[test]
    fn rows_do_not_depend_on_their_block() {
        let options = Options { rows: 5_000, null_share: 0.1, ..Options::default() };
        let table = Join::try_new(JoinTable::Big, &options).unwrap();
        let whole = table.block(0..5_000).unwrap();
        assert_eq!(whole.slice(1_234, 100), table.block(1_234..1_334).unwrap());
    }

    #[test]
    fn unfit_options_are_refused() {
        let options = Options { rows: 1 << 31, ..Options::default() };
        assert!(Join::try_new(JoinTable::Small, &options).is_err());
        let options = Options { sorted: Sortedness::Time, ..Options::default() };
        assert_eq!(
            Join::try_new(JoinTable::Left, &options).err().unwrap().to_string(),
            "table 'join' cannot be sorted by 'time'; choose one of natural, shuffled"
        );
    }
}
