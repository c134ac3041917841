//! Values as the decoder of the `arrow` crate makes them, and as they should be.
//!
//! Dates and timestamps are decoded as texts and then read like those of CSV, so that what the survey took
//! for one is one.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, PrimitiveArray, StructArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Field, FieldRef, TimeUnit, TimestampMicrosecondType,
    TimestampNanosecondType,
};

use crate::text::moment::{self, Moment};

/// The type that is decoded.
pub(super) fn decoded(wanted: &DataType) -> DataType {
    let field = |field: &FieldRef| -> FieldRef {
        Arc::new(Field::new(field.name(), decoded(field.data_type()), true))
    };
    match wanted {
        DataType::Date32 | DataType::Timestamp(..) => DataType::Utf8,
        DataType::List(item) => DataType::List(field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect()),
        other => other.clone(),
    }
}

/// The values in the type wanted; `None` if one is none.
pub(super) fn revived(array: &ArrayRef, wanted: &DataType) -> Option<ArrayRef> {
    if array.data_type() == wanted {
        return Some(array.clone());
    }
    Some(match wanted {
        DataType::Date32 => {
            each::<Date32Type>(array, wanted, |moment| moment.is_date.then_some(moment.days))?
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            each::<TimestampMicrosecondType>(array, wanted, |moment| Some(moment.in_micros()))?
        }
        DataType::Timestamp(..) => {
            each::<TimestampNanosecondType>(array, wanted, |moment| moment.in_nanos())?
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            let values = revived(list.values(), item.data_type())?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::try_new(item.clone(), offsets, values, nulls).ok()?)
        }
        DataType::Struct(fields) => {
            let members = array.as_struct();
            let columns = members.columns().iter().zip(fields);
            let columns = columns.map(|(column, field)| revived(column, field.data_type()));
            let nulls = members.nulls().cloned();
            let columns = columns.collect::<Option<Vec<_>>>()?;
            Arc::new(StructArray::try_new(fields.clone(), columns, nulls).ok()?)
        }
        _ => return None,
    })
}

fn each<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    wanted: &DataType,
    value: impl Fn(Moment) -> Option<T::Native>,
) -> Option<ArrayRef> {
    let texts = array.as_string_opt::<i32>()?;
    let mut values = Vec::with_capacity(texts.len());
    for text in texts {
        values.push(match text {
            None => T::Native::default(),
            Some(text) => value(moment::parse(text.as_bytes())?)?,
        });
    }
    let values = PrimitiveArray::<T>::new(values.into(), texts.nulls().cloned());
    Some(Arc::new(values.with_data_type(wanted.clone())))
}
