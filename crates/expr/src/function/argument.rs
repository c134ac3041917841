//! Arguments as the binder knows them before any row is read, and what signatures ask of them.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

/// The type of an argument, and its value where it is a constant: units, formats and patterns are
/// checked, and types that depend on them chosen, before any row is read.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The type, without dictionary encoding; a NULL literal is [`DataType::Null`].
    pub data_type: DataType,
    /// The constant, as an array of length one.
    pub constant: Option<ArrayRef>,
}

impl Argument {
    /// An argument that varies by row.
    pub fn varying(data_type: DataType) -> Self {
        Self { data_type, constant: None }
    }

    /// A constant, as an array of length one.
    pub fn constant(value: ArrayRef) -> Self {
        Self { data_type: value.data_type().clone(), constant: Some(value) }
    }
}
