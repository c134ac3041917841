//! Scalar functions: a table of them by name, each with its types and its kernel.
//!
//! A family of functions is a file; a function is one [`Function`] entry in its file's list.
//!
//! ```text
//!   name --lookup--> Function --resolve(arguments)--> Signature --(cast)--> evaluate(Call) --> Value
//! ```
//!
//! Nothing here knows columns by name, operators, or how arguments are cast.

mod argument;
mod column;
mod composing;
mod distance;
mod list;
mod numeric;
mod pattern;
mod re2;
mod rounding;
mod slicing;
mod splitting;
mod string;
pub(crate) mod temporal;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

pub use argument::Argument;
pub(crate) use list::CONCAT_LISTS;

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
    /// The types for these arguments; an error says what is wrong with them. Dictionary encoding is
    /// already taken off; NULL literals come as [`DataType::Null`]. Call [`Function::resolve`], which
    /// adds the usage to errors.
    pub signature: fn(&[Argument]) -> Result<Signature>,
    /// Computes the function on plain arguments of the signature's types. Scalar arguments come as
    /// [`Value::Scalar`]; `rows` is the length of the result unless all arguments are scalars, in which case a scalar may be returned.
    pub evaluate: fn(&Call<'_>) -> Result<Value>,
}

impl Function {
    /// The name, without aliases.
    pub fn name(&self) -> &'static str {
        self.names[0]
    }

    /// The types for these arguments; errors name the function and its usage.
    pub fn resolve(&self, args: &[Argument]) -> Result<Signature> {
        (self.signature)(args).map_err(|error| match error.remedy_text() {
            Some(_) => error,
            None => Error::new(error.kind(), format!("{}: {}", self.name(), error.message()))
                .remedy(format!("usage: {}", self.usage)),
        })
    }
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
    /// Argument `index` as an array of [`Call::len`] rows.
    pub fn array(&self, index: usize) -> Result<ArrayRef> {
        self.args[index].clone().into_array(self.len())
    }

    /// The number of values to compute: one if every argument is a scalar.
    pub fn len(&self) -> usize {
        if self.is_scalar() { 1 } else { self.rows }
    }

    /// Whether there are no values to compute.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The result, of [`Call::len`] values.
    pub fn value(&self, array: ArrayRef) -> Value {
        if self.is_scalar() { Value::Scalar(array) } else { Value::Array(array) }
    }

    fn is_scalar(&self) -> bool {
        self.args.iter().all(|arg| matches!(arg, Value::Scalar(_)))
    }
}

/// The function called `name`, which is in lower case.
pub fn lookup(name: &str) -> Option<&'static Function> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
        functions().flat_map(|f| f.names.iter().map(move |name| (*name, f))).collect()
    });
    BY_NAME.get(name).copied()
}

/// A call that is no [`Function`], because it computes only the arguments it needs or is an operator by
/// another name: the binder knows what it means.
pub struct Form {
    /// The name, then its aliases, in lower case.
    pub names: &'static [&'static str],
    /// One line for documentation.
    pub usage: &'static str,
}

/// Every form.
pub static FORMS: [Form; 7] = [
    Form {
        names: &["coalesce", "ifnull"],
        usage: "coalesce(value, ...): the first that is not NULL",
    },
    Form { names: &["nullif"], usage: "nullif(a, b): NULL where they are equal, else a" },
    Form { names: &["greatest"], usage: "greatest(value, ...): NULLs are left out" },
    Form { names: &["least"], usage: "least(value, ...): NULLs are left out" },
    Form { names: &["mod"], usage: "mod(a, b): a % b" },
    Form { names: &["div", "divide"], usage: "div(a, b): a // b" },
    Form { names: &["date_add"], usage: "date_add(x, interval): x + interval" },
];

/// Whether something called `name`, which is in lower case, can be called: a function or a form.
pub fn exists(name: &str) -> bool {
    lookup(name).is_some() || FORMS.iter().any(|form| form.names.contains(&name))
}

/// Every name and alias, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    let forms = FORMS.iter().flat_map(|form| form.names);
    functions().flat_map(|function| function.names).chain(forms).copied()
}

/// Every function, by family.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    families().into_iter().flat_map(|(_, functions)| functions)
}

/// The families of functions, by name.
pub fn families() -> [(&'static str, &'static [Function]); 6] {
    [
        ("numbers", numeric::LIST),
        ("text", string::LIST),
        ("patterns", pattern::LIST),
        ("dates and times", temporal::LIST),
        ("lengths of time", temporal::LENGTHS),
        ("lists", list::LIST),
    ]
}
