//! Rust values as constants.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, StringArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array, new_null_array,
};
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};

use crate::build::lit;
use crate::expr::{Expr, Literal};

/// What can become a constant.
pub trait IntoLiteral {
    /// The type of the constant.
    fn data_type() -> DataType
    where
        Self: Sized;

    /// The constant.
    fn into_literal(self) -> Literal;
}

/// `From<T>` would give an array of one; this says it for each type arrow has an array for.
macro_rules! primitive_literal {
    ($($native:ty => $array:ident, $data_type:expr;)*) => {$(
        impl IntoLiteral for $native {
            fn data_type() -> DataType {
                $data_type
            }

            fn into_literal(self) -> Literal {
                Literal(Arc::new($array::from(vec![self])))
            }
        }
    )*};
}

primitive_literal! {
    bool => BooleanArray, DataType::Boolean;
    i8 => Int8Array, DataType::Int8;
    i16 => Int16Array, DataType::Int16;
    i32 => Int32Array, DataType::Int32;
    i64 => Int64Array, DataType::Int64;
    u8 => UInt8Array, DataType::UInt8;
    u16 => UInt16Array, DataType::UInt16;
    u32 => UInt32Array, DataType::UInt32;
    u64 => UInt64Array, DataType::UInt64;
    f32 => Float32Array, DataType::Float32;
    f64 => Float64Array, DataType::Float64;
    &str => StringArray, DataType::Utf8;
    String => StringArray, DataType::Utf8;
}

impl IntoLiteral for &String {
    fn data_type() -> DataType {
        DataType::Utf8
    }

    fn into_literal(self) -> Literal {
        self.as_str().into_literal()
    }
}

impl IntoLiteral for i128 {
    fn data_type() -> DataType {
        DataType::Decimal128(38, 0)
    }

    fn into_literal(self) -> Literal {
        Literal(Arc::new(Decimal128Array::from(vec![self]).with_data_type(Self::data_type())))
    }
}

impl IntoLiteral for NaiveDate {
    fn data_type() -> DataType {
        DataType::Date32
    }

    fn into_literal(self) -> Literal {
        let days = self.signed_duration_since(NaiveDate::default()).num_days();
        Literal(Arc::new(Date32Array::from(vec![i32::try_from(days).unwrap_or(i32::MAX)])))
    }
}

impl IntoLiteral for NaiveDateTime {
    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, None)
    }

    fn into_literal(self) -> Literal {
        let micros = self.and_utc().timestamp_micros();
        Literal(Arc::new(TimestampMicrosecondArray::from(vec![micros])))
    }
}

impl IntoLiteral for DateTime<Utc> {
    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }

    fn into_literal(self) -> Literal {
        let instant = TimestampMicrosecondArray::from(vec![self.timestamp_micros()]);
        Literal(Arc::new(instant.with_timezone("UTC")))
    }
}

impl IntoLiteral for NaiveTime {
    fn data_type() -> DataType {
        DataType::Time64(TimeUnit::Microsecond)
    }

    fn into_literal(self) -> Literal {
        let seconds = i64::from(self.num_seconds_from_midnight());
        let micros = seconds * 1_000_000 + i64::from(self.nanosecond() / 1_000);
        Literal(Arc::new(Time64MicrosecondArray::from(vec![micros])))
    }
}

impl<T: IntoLiteral> IntoLiteral for Option<T> {
    fn data_type() -> DataType {
        T::data_type()
    }

    fn into_literal(self) -> Literal {
        match self {
            Some(value) => value.into_literal(),
            None => Literal(new_null_array(&T::data_type(), 1)),
        }
    }
}

impl<T: IntoLiteral> From<T> for Expr {
    fn from(value: T) -> Self {
        lit(value)
    }
}

impl From<Literal> for Expr {
    fn from(literal: Literal) -> Self {
        Expr::Literal(literal)
    }
}

impl From<ArrayRef> for Literal {
    /// The first value of `array`.
    fn from(array: ArrayRef) -> Self {
        Literal(array.slice(0, 1))
    }
}
