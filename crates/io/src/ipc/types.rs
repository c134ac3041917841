//! The types that columns have in the engine, and the way there from those that were written.
//!
//! Types that hold the same values are one: views and large texts are VARCHAR, runs and nested
//! dictionaries are what they stand for. A dictionary of texts stays one, as it is quick to group by.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int32Type, Schema};
use dframe_core::{Error, Result};

use crate::unify::cast_to;

/// The type that kernels see.
///
/// # Errors
/// There is none.
pub(crate) fn logical(wire: &DataType) -> Result<DataType> {
    use DataType::*;
    Ok(match wire {
        Dictionary(_, values) => logical(values)?,
        RunEndEncoded(_, values) => logical(values.data_type())?,
        Utf8View | LargeUtf8 => Utf8,
        BinaryView | LargeBinary => Binary,
        Decimal32(precision, scale) | Decimal64(precision, scale) => Decimal128(*precision, *scale),
        Float16 => Float32,
        Date64 => Date32,
        List(item) | LargeList(item) | ListView(item) | LargeListView(item) => {
            List(logical_field(item)?)
        }
        FixedSizeList(item, size) => FixedSizeList(logical_field(item)?, *size),
        Struct(fields) => Struct(fields.iter().map(logical_field).collect::<Result<Fields>>()?),
        Map(entries, sorted) => Map(logical_field(entries)?, *sorted),
        Union(..) => {
            return Err(Error::unsupported("columns of unions cannot be read")
                .remedy("write the file again without the column"));
        }
        other => other.clone(),
    })
}

fn logical_field(field: &FieldRef) -> Result<FieldRef> {
    let data_type = logical(field.data_type())?;
    Ok(Arc::new(Field::new(field.name(), data_type, field.is_nullable())))
}

/// Whether a column of the type comes as a dictionary.
pub(super) fn stays_dictionary(wire: &DataType) -> bool {
    let DataType::Dictionary(_, values) = wire else { return false };
    logical(values).is_ok_and(|values| matches!(values, DataType::Utf8 | DataType::Binary))
}

/// A column in the type of the source.
pub(crate) fn conform(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef> {
    Ok(cast_to(&plain(array)?, wanted)?)
}

/// A column of so many keys as a dictionary of `values`, which have the type of the source.
pub(super) fn coded(keys: &ArrayRef, values: &ArrayRef) -> Result<ArrayRef> {
    if values.is_empty() {
        return Ok(new_null_array(values.data_type(), keys.len()));
    }
    let keys = cast_to(keys, &DataType::Int32)?;
    let keys = keys.as_primitive::<Int32Type>().clone();
    Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values.clone())?))
}

/// The values that runs and dictionaries stand for; what is nested in lists and structs is left to
/// the cast.
fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Dictionary(_, values) => plain(&cast_to(array, values)?),
        DataType::RunEndEncoded(_, values) => plain(&cast_to(array, values.data_type())?),
        _ => Ok(array.clone()),
    }
}

/// The numbers of the dictionaries that a column needs.
pub(super) fn dictionary_ids(field: &Field, out: &mut Vec<i64>) {
    #[expect(deprecated)]
    let id = field.dict_id();
    out.extend(id);
    for child in children(field.data_type()) {
        dictionary_ids(child, out);
    }
}

/// A field of the values of the dictionary with this number.
pub(super) fn dictionary_field(schema: &Schema, id: i64) -> Option<Field> {
    let mut open: Vec<&FieldRef> = schema.fields().iter().collect();
    while let Some(field) = open.pop() {
        #[expect(deprecated)]
        let own = field.dict_id();
        if let DataType::Dictionary(_, values) = field.data_type()
            && own == Some(id)
        {
            return Some(Field::new("values", values.as_ref().clone(), true));
        }
        open.extend(children(field.data_type()));
    }
    None
}

/// The fields that a type is made of, of dictionaries those of their values.
fn children(data_type: &DataType) -> Vec<&FieldRef> {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _)
        | DataType::RunEndEncoded(_, item) => vec![item],
        DataType::Struct(fields) => fields.iter().collect(),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| field).collect(),
        DataType::Dictionary(_, values) => children(values),
        _ => vec![],
    }
}
