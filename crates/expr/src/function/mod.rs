//! Scalar functions: a table of them by name, each with its types and its kernel.
//!
//! A family of functions is a file; a function is one [`Function`] entry in its file's list.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use dframe_core::Result;

use crate::value::Value;

/// What a function takes and returns for given argument types.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// The types that arguments are cast to before the kernel sees them.
    pub args: Vec<DataType>,
    /// The type of the result.
    pub returns: DataType,
}

/// A scalar function.
pub struct Function {
    /// The name, then its aliases, in lower case.
    pub names: &'static [&'static str],
    /// One line for documentation and errors: `substr(string, start [, length])`.
    pub usage: &'static str,
    /// The types for arguments of these types; an error says what is wrong with them. Dictionary
    /// encoding is already taken off; NULL literals come as [`DataType::Null`].
    pub signature: fn(&[DataType]) -> Result<Signature>,
    /// Computes the function on plain arguments of the signature's types. Scalar arguments come as
    /// [`Value::Scalar`]; `rows` is the length of the result unless all arguments are scalars, in which case a scalar may be returned.
    pub evaluate: fn(&Call<'_>) -> Result<Value>,
}

/// The arguments of one evaluation.
pub struct Call<'a> {
    /// The arguments, cast and plain.
    pub args: &'a [Value],
    /// The type to return.
    pub returns: &'a DataType,
    /// The number of rows.
    pub rows: usize,
}

impl Call<'_> {
    /// Argument `index` as an array of all rows.
    pub fn array(&self, index: usize) -> Result<ArrayRef> {
        self.args[index].clone().into_array(self.rows)
    }
}
