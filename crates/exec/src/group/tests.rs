//! The key table against a map of printed values: same rows, same groups, and the keys come back.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int16Array, Int64Array,
    RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;

use dframe_expr::plain;

use super::key_column::hash_rows;
use super::table::GroupTable;

/// A column of each way of coding, from small random numbers; every seventh is NULL.
fn column(kind: u8, numbers: &[i64]) -> ArrayRef {
    let some = |number: &i64| (number % 7 != 0).then_some(*number);
    let floats = [0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, 1.5, -1.5];
    let text = || {
        StringArray::from_iter(numbers.iter().map(|n| some(n).map(|n| "ab".repeat(n as usize % 9))))
    };
    match kind {
        0 => Arc::new(Int64Array::from_iter(numbers.iter().map(|n| some(n).map(|n| i64::MIN + n)))),
        1 => {
            Arc::new(Int16Array::from_iter(numbers.iter().map(|n| some(n).map(|n| n as i16 - 50))))
        }
        2 => Arc::new(BooleanArray::from_iter(numbers.iter().map(|n| some(n).map(|n| n % 2 == 0)))),
        3 => Arc::new(Float64Array::from_iter(
            numbers.iter().map(|n| some(n).map(|n| floats[n as usize % 7])),
        )),
        4 => Arc::new(text()),
        5 => {
            let dictionary =
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            cast(&text(), &dictionary).unwrap()
        }
        6 => Arc::new(Decimal128Array::from_iter(numbers.iter().map(|n| some(n).map(i128::from)))),
        _ => Arc::new(UInt32Array::from_iter(
            numbers.iter().map(|n| some(n).map(|n| u32::MAX - n as u32)),
        )),
    }
}

/// A row's key as text, where all zeros and all NaNs are one.
fn printed(columns: &[ArrayRef], row: usize) -> String {
    let value = |column: &ArrayRef| match column.is_null(row) {
        true => "NULL".to_string(),
        false => match array_value_to_string(column, row).unwrap().as_str() {
            "-0.0" => "0.0".to_string(),
            other => format!("'{other}'").replace("'-NaN'", "'NaN'").replace("'0.0'", "0.0"),
        },
    };
    columns.iter().map(value).collect::<Vec<_>>().join("|")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn groups_are_the_distinct_keys(
        kinds in prop::collection::vec(0u8..8, 1..6),
        mut numbers in prop::collection::vec(0i64..100, 1..300),
        cut in 0usize..300,
        (in_order, with_nulls) in (0usize..300, any::<bool>()),
    ) {
        let in_order = in_order.min(numbers.len());
        numbers[..in_order].sort_unstable();
        let columns: Vec<ArrayRef> = kinds
            .iter()
            .enumerate()
            .map(|(place, kind)| {
                let scrambled = |n: &i64| if place == 0 { *n } else { (n * (place as i64 + 3)) % 101 };
                let own = numbers.iter().map(scrambled);
                let own: Vec<i64> = own.map(|n| if with_nulls { n } else { 7 * n + 1 }).collect();
                column(*kind, &own)
            })
            .collect();
        let types: Vec<DataType> =
            columns.iter().map(|column| dframe_expr::plain_type(column.data_type()).clone()).collect();
        let mut table = GroupTable::new(&types).unwrap();
        let mut seen: HashMap<String, u32> = HashMap::new();
        let (mut groups, rows) = (Vec::new(), numbers.len());
        let cut = cut.min(rows);
        let mut all_hashes = vec![0; rows];
        columns.iter().for_each(|column| hash_rows(column, &mut all_hashes).unwrap());
        for (start, len) in [(0, cut), (cut, rows - cut)] {
            let part: Vec<ArrayRef> = columns.iter().map(|column| column.slice(start, len)).collect();
            table.assign(&part, len, &mut groups).unwrap();
            prop_assert_eq!(groups.len(), len);
            for (row, own) in groups.iter().enumerate() {
                let group = *seen.entry(printed(&part, row)).or_insert(*own);
                prop_assert_eq!(group, *own);
            }
            let hashes = table.hashes();
            for (group, hash) in groups.iter().zip(&all_hashes[start..]) {
                prop_assert_eq!(hashes[*group as usize], *hash);
            }
        }
        prop_assert_eq!(table.len(), seen.len());
        let keys = table.keys(0..table.len()).unwrap();
        for (key, group) in &seen {
            prop_assert_eq!(&printed(&keys, *group as usize), key);
        }
        let backwards: Vec<u32> = (0..table.len() as u32).rev().collect();
        let picked = table.travelling_keys(&backwards).unwrap();
        for (picked, key) in picked.iter().zip(&keys) {
            let key = &plain(key).unwrap();
            let picked = &cast(picked, key.data_type()).unwrap();
            let expected = take(key, &UInt32Array::from(backwards.clone()), None).unwrap();
            let names = |array: &ArrayRef| RecordBatch::try_from_iter([("k", array.clone())]).unwrap();
            prop_assert_eq!(names(picked), names(&expected));
        }
    }
}
