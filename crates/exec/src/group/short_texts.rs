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

use arrow::array::{ArrayRef, AsArray, NullBufferBuilder, StringArray, StringViewArray, make_view};
use arrow::datatypes::{DataType, Int32Type};
use dframe_core::Result;
use dframe_expr::plain;

/// The bytes that fit a view.
const SHORT_MAX: usize = 12;

/// `array` without dictionary encoding; as views, if it is of short texts.
pub(crate) fn travelling(array: &ArrayRef) -> Result<ArrayRef> {
    let views = match array.data_type() {
        DataType::Utf8 => {
            views(array.as_string::<i32>().iter().map(|text| text.map(str::as_bytes)))
        }
        DataType::Dictionary(key, value)
            if **key == DataType::Int32 && **value == DataType::Utf8 =>
        {
            let texts = array.as_dictionary::<Int32Type>().downcast_dict::<StringArray>();
            texts.and_then(|texts| views(texts.into_iter().map(|text| text.map(str::as_bytes))))
        }
        _ => None,
    };
    views.map_or_else(|| plain(array), Ok)
}

/// The texts as views, NULL where there is none; nothing if one is too long.
pub(crate) fn views<'a>(
    texts: impl ExactSizeIterator<Item = Option<&'a [u8]>>,
) -> Option<ArrayRef> {
    let rows = texts.len();
    let mut views: Vec<u128> = Vec::with_capacity(rows);
    let mut nulls = NullBufferBuilder::new(rows);
    for text in texts {
        let bytes = text.unwrap_or_default();
        if bytes.len() > SHORT_MAX {
            return None;
        }
        views.push(make_view(bytes, 0, 0));
        nulls.append(text.is_some());
    }
    Some(Arc::new(StringViewArray::try_new(views.into(), Vec::new(), nulls.finish()).ok()?))
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
