//! Texts on their way between tasks: views where all are short, so that rows have one width.
//!
//! ```text
//!   Utf8, Dictionary(Int32, Utf8)  --+-- at most 12 bytes each --> Utf8View, all in the views themselves
//!                                    +-- any longer one ---------> Utf8
//! ```
//!
//! Such views are moved as numbers are, and a key table compares them as numbers. Values stay what they are; who
//! reads them, this file does not know.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringViewArray, make_view};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int32Type};
use dframe_core::Result;
use dframe_expr::plain;

/// The bytes that fit a view.
const SHORT_MAX: usize = 12;

/// `array` without dictionary encoding; as views, if it is of short texts.
pub(crate) fn travelling(array: &ArrayRef) -> Result<ArrayRef> {
    let views = match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string();
            views(texts, array.nulls(), (0..texts.len()).map(|row| row as i32))
        }
        DataType::Dictionary(key, value)
            if **key == DataType::Int32 && **value == DataType::Utf8 =>
        {
            let dictionary = array.as_dictionary::<Int32Type>();
            match dictionary.values().null_count() {
                0 => {
                    let keys = dictionary.keys();
                    views(
                        dictionary.values().as_string(),
                        keys.nulls(),
                        keys.values().iter().copied(),
                    )
                }
                _ => None,
            }
        }
        _ => None,
    };
    match views {
        Some(views) => Ok(Arc::new(views)),
        None => plain(array),
    }
}

/// The text at each of `rows`, unless one is too long.
fn views(
    texts: &StringArray,
    nulls: Option<&NullBuffer>,
    rows: impl ExactSizeIterator<Item = i32>,
) -> Option<StringViewArray> {
    let (offsets, bytes) = (texts.value_offsets(), texts.value_data());
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let mut views: Vec<u128> = Vec::with_capacity(rows.len());
    for (place, row) in rows.enumerate() {
        if nulls.is_some_and(|nulls| nulls.is_null(place)) {
            views.push(0);
            continue;
        }
        let row = row as usize;
        let text = &bytes[offsets[row] as usize..offsets[row + 1] as usize];
        if text.len() > SHORT_MAX {
            return None;
        }
        views.push(make_view(text, 0, 0));
    }
    StringViewArray::try_new(views.into(), Vec::new(), nulls.cloned()).ok()
}

#[cfg(test)]
mod tests {
    use arrow::compute::cast;

    use super::*;

    fn dictionary() -> DataType {
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
    }

    #[test]
    fn short_texts_are_views_of_the_same_values() {
        let texts = [Some("twelve bytes"), None, Some(""), Some("ü"), Some("twelve bytes")];
        let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
        for array in [texts.clone(), cast(&texts, &dictionary()).expect("casts")] {
            for (start, rows) in [(0, 5), (1, 3), (4, 1), (2, 0)] {
                let travelling = travelling(&array.slice(start, rows)).expect("converts");
                assert_eq!(*travelling.data_type(), DataType::Utf8View);
                let back = cast(&travelling, &DataType::Utf8).expect("casts");
                assert_eq!(*back, *texts.slice(start, rows));
            }
        }
    }

    #[test]
    fn one_long_text_makes_all_plain() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "thirteen byte"]));
        for array in [texts.clone(), cast(&texts, &dictionary()).expect("casts")] {
            assert_eq!(*travelling(&array).expect("converts"), *texts);
        }
    }
}
