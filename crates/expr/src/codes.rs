//! Evaluation on a dictionary's values instead of its rows.
//!
//! ```text
//!   keys   0 1 0 2 NULL          values  'A' 'B' 'C' (NULL)
//!             \                            | x = 'B'
//!              +--- take by key <--- false true false (NULL)
//! ```
//!
//! A tree may fail on values that no row refers to: then the rows are evaluated after all, and the
//! error is theirs or none.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use arrow::array::ArrayData;
use arrow::array::{
    AnyDictionaryArray, Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array,
    new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Int32Type};
use dframe_core::Result;
use std::sync::Arc;

use crate::bound::{BoundExpr, Input, Kind};
use crate::value::Value;

/// What a node made of the latest dictionaries; `None` where it failed.
#[derive(Default)]
pub(crate) struct Memo(Mutex<Vec<(ArrayData, Option<Value>)>>);

impl Memo {
    /// Dictionaries are told apart by their buffers, as readers wrap the same ones anew.
    fn get(&self, values: &ArrayData) -> Option<Option<Value>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(seen, _)| seen.ptr_eq(values)).map(|(_, result)| result.clone())
    }

    /// Keeps as many as threads may work on at once, the latest first.
    fn put(&self, values: ArrayData, result: Option<Value>) {
        let kept = std::thread::available_parallelism().map_or(4, |n| n.get().min(16)) + 1;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(0, (values, result));
        known.truncate(kept);
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

impl BoundExpr {
    /// The values by way of the dictionary, if this depends on one column that has one.
    pub(crate) fn eval_codes(&self, input: Input<'_>) -> Result<Option<Value>> {
        let node = self.node();
        let &[column] = node.columns.as_slice() else { return Ok(None) };
        if matches!(node.kind, Kind::Column(_)) || node.volatile {
            return Ok(None);
        }
        let Some(array) = input.columns.get(column) else { return Ok(None) };
        let Some(dictionary) = array.as_any_dictionary_opt() else { return Ok(None) };
        match self.of_values(column, dictionary, input) {
            Some(Value::Array(result)) => {
                Ok(Some(Value::Array(by_code(dictionary, &result, node.strict)?)))
            }
            other => Ok(other),
        }
    }

    /// What this makes of the dictionary's values, followed by what it makes of NULL unless that is
    /// NULL; `None` if rows are cheaper or it fails.
    fn of_values(
        &self,
        column: usize,
        dictionary: &dyn AnyDictionaryArray,
        input: Input<'_>,
    ) -> Option<Value> {
        let node = self.node();
        let identity = dictionary.values().to_data();
        if let Some(known) = node.memo.get(&identity) {
            return known;
        }
        if identity.is_empty() || identity.len() > input.rows {
            return None;
        }
        let result = self.eval_values(column, dictionary.values(), input.columns).ok();
        node.memo.put(identity, result.clone());
        result
    }

    fn eval_values(&self, column: usize, values: &ArrayRef, columns: &[ArrayRef]) -> Result<Value> {
        let values = if self.node().strict {
            values.clone()
        } else {
            concat(&[values, &new_null_array(values.data_type(), 1)])?
        };
        let rows = values.len();
        let mut columns = columns.to_vec();
        columns[column] = values;
        self.eval_rows(Input { columns: &columns, rows })
    }
}

/// `results` by the codes of `dictionary`. Text stays encoded.
fn by_code(
    dictionary: &dyn AnyDictionaryArray,
    results: &ArrayRef,
    strict: bool,
) -> Result<ArrayRef> {
    let null_code = dictionary.values().len();
    let keys = dictionary.keys();
    let text =
        matches!(results.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    if text && results.null_count() == 0 && (strict || keys.null_count() == 0) {
        return Ok(dictionary.with_values(results.clone()));
    }
    let codes: ArrayRef = if strict || keys.null_count() == 0 {
        cast_keys(keys)?
    } else {
        let codes = cast_keys(keys)?;
        let codes = codes.as_primitive::<Int32Type>();
        let null_code = i32::try_from(null_code).unwrap_or(i32::MAX);
        Arc::new(codes.iter().map(|code| code.unwrap_or(null_code)).collect::<Int32Array>())
    };
    match results.as_boolean_opt() {
        Some(truths) if truths.null_count() == 0 => by_true_codes(codes.as_primitive(), truths),
        _ if text => encode(&codes, results),
        _ => Ok(take(results, &codes, None)?),
    }
}

/// What holds for the codes' values. Mostly it holds for none or one: then codes are compared, many at a time.
fn by_true_codes(codes: &Int32Array, truths: &BooleanArray) -> Result<ArrayRef> {
    let mut holding = truths.values().set_indices();
    let holds = match (holding.next(), holding.next()) {
        (None, _) => {
            let none = BooleanBuffer::new_unset(codes.len());
            BooleanArray::new(none, codes.nulls().cloned())
        }
        (Some(only), None) => eq(codes, &Int32Array::new_scalar(only as i32))?,
        _ => return Ok(take(truths, codes, None)?),
    };
    Ok(Arc::new(holds))
}

fn cast_keys(keys: &dyn Array) -> Result<ArrayRef> {
    Ok(cast(keys, &DataType::Int32)?)
}

/// A dictionary of `results`; NULLs are in the codes, where everyone looks for them.
fn encode(codes: &ArrayRef, results: &ArrayRef) -> Result<ArrayRef> {
    let codes = codes.as_primitive::<Int32Type>();
    let codes = match results.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => codes.clone(),
        Some(nulls) => {
            codes.iter().map(|code| code.filter(|code| nulls.is_valid(*code as usize))).collect()
        }
    };
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(codes, results.clone())?))
}
