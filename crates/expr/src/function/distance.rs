//! How alike two texts are, by the measures of the `strsim` crate. They count characters.

use std::sync::Arc;

use arrow::array::Float64Array;
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

use super::argument::{Argument, Kind, accept};
use super::{Call, Function, Signature};
use crate::value::Value;

pub(super) const LEVENSHTEIN: Function = Function {
    names: &["levenshtein", "editdist3"],
    usage: "levenshtein(a, b): insertions, deletions and replacements from one to the other",
    signature: to_integer,
    evaluate: |call| edits(call, strsim::levenshtein),
};

pub(super) const DAMERAU_LEVENSHTEIN: Function = Function {
    names: &["damerau_levenshtein"],
    usage: "damerau_levenshtein(a, b): as levenshtein, with swaps of neighbours",
    signature: to_integer,
    evaluate: |call| edits(call, strsim::damerau_levenshtein),
};

pub(super) const HAMMING: Function = Function {
    names: &["hamming", "mismatches"],
    usage: "hamming(a, b): places with another character; both must be as long",
    signature: to_integer,
    evaluate: hamming,
};

pub(super) const JARO: Function = Function {
    names: &["jaro_similarity"],
    usage: "jaro_similarity(a, b): 0 to 1",
    signature: to_float,
    evaluate: |call| similarity(call, strsim::jaro),
};

pub(super) const JARO_WINKLER: Function = Function {
    names: &["jaro_winkler_similarity"],
    usage: "jaro_winkler_similarity(a, b): as jaro_similarity, higher where they begin alike",
    signature: to_float,
    evaluate: |call| similarity(call, strsim::jaro_winkler),
};

fn to_integer(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Text; 2], &[], DataType::Int64)
}

fn to_float(args: &[Argument]) -> Result<Signature> {
    accept(args, &[Kind::Text; 2], &[], DataType::Float64)
}

fn edits(call: &Call<'_>, count: fn(&str, &str) -> usize) -> Result<Value> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    call.map_integers(|row| Some(count(left.get(row)?, right.get(row)?) as i64))
}

fn hamming(call: &Call<'_>) -> Result<Value> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    let count = |row| match (left.get(row), right.get(row)) {
        (Some(left), Some(right)) => match strsim::hamming(left, right) {
            Ok(places) => Ok(Some(places as i64)),
            Err(_) => Err(Error::invalid_data(format!("'{left}' and '{right}' differ in length"))
                .remedy("compare texts of different lengths with levenshtein(a, b)")),
        },
        _ => Ok(None),
    };
    let counts = (0..call.len()).map(count).collect::<Result<arrow::array::Int64Array>>()?;
    Ok(call.value(Arc::new(counts)))
}

fn similarity(call: &Call<'_>, measure: fn(&str, &str) -> f64) -> Result<Value> {
    let (left, right) = (call.text(0)?, call.text(1)?);
    let measured = |row| match (left.get(row)?, right.get(row)?) {
        // Of nothing at all DuckDB says that it is alike in nothing.
        ("", "") => Some(0.0),
        (left, right) => Some(measure(left, right)),
    };
    Ok(call.value(Arc::new((0..call.len()).map(measured).collect::<Float64Array>())))
}
