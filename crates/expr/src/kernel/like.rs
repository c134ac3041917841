//! `LIKE`, `ILIKE` and `||`.
//!
//! Arrow always takes the backslash as the escape character; SQL only what `ESCAPE` names. Patterns
//! are rewritten to arrow's form.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, StringBuilder};
use arrow::compute::kernels::comparison as strings;
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

use crate::value::Value;

/// Which of the `LIKE`s.
#[derive(Clone, Copy, Debug)]
pub struct LikeKind {
    /// `NOT LIKE`.
    pub negated: bool,
    /// `ILIKE`.
    pub case_insensitive: bool,
    /// The escape character.
    pub escape: Option<char>,
}

/// `text LIKE pattern`, both `Utf8`.
pub fn like(kind: &LikeKind, text: &Value, pattern: &Value) -> Result<BooleanArray> {
    let pattern = &rewritten(pattern, kind.escape)?;
    Ok(match (kind.case_insensitive, kind.negated) {
        (false, false) => strings::like(text, pattern)?,
        (false, true) => strings::nlike(text, pattern)?,
        (true, false) => strings::ilike(text, pattern)?,
        (true, true) => strings::nilike(text, pattern)?,
    })
}

fn rewritten(pattern: &Value, escape: Option<char>) -> Result<Value> {
    let rewrite_all = |array: &ArrayRef| -> Result<ArrayRef> {
        let patterns = array.as_string::<i32>();
        let rewritten = patterns.iter().map(|p| p.map(|p| rewrite(p, escape)).transpose());
        Ok(Arc::new(rewritten.collect::<Result<StringArray>>()?))
    };
    Ok(match pattern {
        Value::Array(array) => Value::Array(rewrite_all(array)?),
        Value::Scalar(array) => Value::Scalar(rewrite_all(array)?),
    })
}

/// The pattern with a backslash before what stands for itself.
fn rewrite(pattern: &str, escape: Option<char>) -> Result<String> {
    let mut result = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if Some(c) == escape {
            let escaped = chars.next().ok_or_else(|| {
                Error::invalid_input(format!(
                    "the LIKE pattern '{pattern}' must not end with its escape character"
                ))
            })?;
            if matches!(escaped, '%' | '_' | '\\') {
                result.push('\\');
            }
            result.push(escaped);
        } else {
            if c == '\\' {
                result.push('\\');
            }
            result.push(c);
        }
    }
    Ok(result)
}

/// `left || right`, both `Utf8`.
pub fn concat(left: &Value, right: &Value) -> Result<ArrayRef> {
    let one = |value: &Value| match value {
        Value::Scalar(array) => Some(array.clone()),
        Value::Array(_) => None,
    };
    let rows = match (left, right) {
        (Value::Array(array), _) | (_, Value::Array(array)) => array.len(),
        _ => 1,
    };
    if [left, right].iter().filter_map(|value| one(value)).any(|array| array.is_null(0)) {
        return Ok(arrow::array::new_null_array(&DataType::Utf8, rows));
    }
    let mut texts = StringBuilder::with_capacity(rows, rows * 16);
    let (left_at, right_at) = (at(left), at(right));
    let mut text = String::new();
    for row in 0..rows {
        match (left_at(row), right_at(row)) {
            (Some(left), Some(right)) => {
                text.clear();
                text.push_str(left);
                text.push_str(right);
                texts.append_value(&text);
            }
            _ => texts.append_null(),
        }
    }
    Ok(Arc::new(texts.finish()))
}

/// The text at a row.
fn at<'a>(value: &'a Value) -> impl Fn(usize) -> Option<&'a str> {
    let (array, step) = match value {
        Value::Array(array) => (array.as_string::<i32>(), 1),
        Value::Scalar(array) => (array.as_string::<i32>(), 0),
    };
    move |row| array.is_valid(row * step).then(|| array.value(row * step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_escape_as_told() {
        let table = [
            ("a\\%b", None, "a\\\\%b"),
            ("a\\%b", Some('\\'), "a\\%b"),
            ("a$%b$$", Some('$'), "a\\%b$"),
            ("a$b", Some('$'), "ab"),
        ];
        for (pattern, escape, expected) in table {
            assert_eq!(rewrite(pattern, escape).unwrap(), expected);
        }
        assert!(rewrite("a$", Some('$')).is_err());
    }
}
