//! Which types the functions take, keep and return, and the accumulator for each.

use arrow::array::ArrayRef;
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, Field, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use dframe_core::{Error, Result};

use super::arg_extreme::{ArgExtreme, arg_extreme};
use super::bool::Bools;
use super::count::Count;
use super::distinct_sketch::hashes;
use super::distinct_sketch::{self, DistinctSketches};
use super::exact_sum::{ExactSums, FloatSum};
use super::first_last::{Order, Pick};
use super::gather::Gather;
use super::mean::{FloatMean, IntMean};
use super::min_max::{End, Extreme, Greatest, Least};
use super::min_max_bytes::ExtremeBytes;
use super::moments::{Moment, Moments};
use super::quantile_sketch::{self, QuantileSketches};
use super::shape::{Powers, Shape};
use super::sum_decimal::{DecimalSum, RAW_256};
use super::sum_int::{IntSum, RAW_128};
use super::top_values::{TopValues, top_values};
use super::{
    Accumulator, AggregateFunction, AggregateSignature, BoundAggregate, CallOptions, int_moments,
};
use crate::{plain_type, type_name};

/// Decimals of at most so many digits are summed in 128 bits.
const DIGITS_128: u8 = 25;

impl AggregateFunction {
    /// Chooses the types that it works on for arguments of these types.
    pub fn bind(&self, arg_types: &[DataType]) -> Result<BoundAggregate> {
        self.bind_with(arg_types, &CallOptions::default())
    }

    /// As [`AggregateFunction::bind`], for a call with constants and an order.
    pub fn bind_with(
        &self,
        arg_types: &[DataType],
        options: &CallOptions,
    ) -> Result<BoundAggregate> {
        let bound = |signature, gather| {
            let (function, constants) = (self.clone(), options.constants.clone());
            Ok(BoundAggregate { function, signature, gather, constants })
        };
        if let Self::User(user) = self {
            return bound(user.bind(arg_types)?, None);
        }
        self.check_count(arg_types.len() - options.order.len())?;
        let args: Vec<&DataType> = arg_types.iter().map(plain_type).collect();
        if let Some(signature) = self.few(&args, &options.constants) {
            return bound(signature, None);
        }
        if let Some((signature, gather)) = Gather::bind(self, &args, options)? {
            return bound(signature, Some(gather));
        }
        let signature = match self {
            Self::Count => Some(count(&args)),
            Self::Sum => sum(args[0]),
            Self::Min | Self::Max => extreme(args[0]),
            Self::First | Self::Last | Self::AnyValue => Some(pick(args[0])),
            Self::BoolAnd | Self::BoolOr => bools(args[0]),
            Self::Mean => mean(args[0]),
            Self::ApproxCountDistinct if hashes(args[0]) => {
                Some(signature(&[args[0]], distinct_sketch::fields(), DataType::Int64))
            }
            Self::ApproxQuantile if is_number(args[0]) => {
                quantile_sketch::share(&options.constants)?;
                Some(signature(&[&DataType::Float64], quantile_sketch::fields(), DataType::Float64))
            }
            _ if self.shape().is_some_and(|_| is_number(args[0])) => self
                .shape()
                .map(|shape| signature(&[&DataType::Float64], shape.fields(), DataType::Float64)),
            _ => self.moment().and_then(|moment| moments(moment, &args)),
        };
        match signature {
            Some(signature) => bound(signature, None),
            None => Err(self.type_error(&args)),
        }
    }

    /// The signature of a function of the first few rows of a group in an order, where these are kept as they come
    /// rather than gathered.
    fn few(&self, args: &[&DataType], constants: &[ArrayRef]) -> Option<AggregateSignature> {
        match (self, args) {
            (Self::ArgMin | Self::ArgMax, &[value, key]) if constants.is_empty() => {
                arg_extreme(value, key)
            }
            (Self::Min | Self::Max, &[arg]) => top_values(arg, constants),
            _ => None,
        }
    }

    fn shape(&self) -> Option<Shape> {
        Some(match self {
            Self::Skewness => Shape::Skewness,
            Self::Kurtosis => Shape::Kurtosis,
            Self::KurtosisPop => Shape::KurtosisPop,
            _ => return None,
        })
    }

    fn moment(&self) -> Option<Moment> {
        Some(match self {
            Self::VarSample => Moment::VarSample,
            Self::VarPop => Moment::VarPop,
            Self::StdSample => Moment::StdSample,
            Self::StdPop => Moment::StdPop,
            Self::Corr => Moment::Corr,
            Self::CovarSample => Moment::CovarSample,
            Self::CovarPop => Moment::CovarPop,
            _ => return None,
        })
    }

    fn check_count(&self, given: usize) -> Result<()> {
        let (wanted, right) = match self {
            Self::Count => ("none or one", given <= 1),
            Self::Corr | Self::CovarSample | Self::CovarPop | Self::ArgMin | Self::ArgMax => {
                ("two", given == 2)
            }
            _ => ("one", given == 1),
        };
        if right {
            return Ok(());
        }
        let name = self.name();
        Err(Error::invalid_input(format!("{name} takes {wanted} argument(s), not {given}")))
    }

    fn type_error(&self, args: &[&DataType]) -> Error {
        let name = self.name();
        let types: Vec<String> = args.iter().map(|data_type| type_name(data_type)).collect();
        let error = Error::invalid_input(format!("{name} cannot take {}", types.join(", ")));
        error.remedy(match self {
            Self::BoolAnd | Self::BoolOr => format!("compare first, as in {name}(x > 0)"),
            Self::Min | Self::Max => "nested types and intervals have no order here".to_string(),
            Self::ArgMin | Self::ArgMax => {
                "nested types, intervals and decimals of 256 bits have no order here".to_string()
            }
            Self::QuantileCont => {
                "there is nothing between two of its values: use quantile_disc".to_string()
            }
            Self::Median | Self::QuantileDisc | Self::Mode | Self::Entropy => {
                "nested types, intervals and decimals of 256 bits are not supported here"
                    .to_string()
            }
            Self::Mean if args[0] == &DataType::Boolean => {
                "cast it first: mean(cast(x as int))".to_string()
            }
            Self::Mean if args[0].is_temporal() => {
                "cast it first: mean(cast(x as timestamp))".to_string()
            }
            _ if args.len() == 2 => {
                format!("cast them first: {name}(cast(x as double), cast(y as double))")
            }
            _ => format!("cast it first: {name}(cast(x as double))"),
        })
    }
}

fn signature(
    arg_types: &[&DataType],
    state_fields: Vec<Field>,
    return_type: DataType,
) -> AggregateSignature {
    let arg_types = arg_types.iter().map(|&data_type| data_type.clone()).collect();
    AggregateSignature { arg_types, state_fields, return_type }
}

fn count(args: &[&DataType]) -> AggregateSignature {
    signature(args, vec![Field::new("count", DataType::Int64, false)], DataType::Int64)
}

fn sum(arg: &DataType) -> Option<AggregateSignature> {
    let raw = || vec![Field::new("sum", RAW_128, true)];
    let wide = || {
        let wraps = Field::new("wraps", DataType::Int64, false);
        vec![Field::new("sum", RAW_256, true), wraps]
    };
    let sum = match arg {
        DataType::Null => signature(&[&DataType::Int64], raw(), DataType::Int64),
        DataType::Boolean => signature(&[&DataType::Int8], raw(), DataType::Int64),
        _ if arg.is_integer() => signature(&[arg], raw(), DataType::Int64),
        DataType::Duration(_) => signature(&[arg], raw(), arg.clone()),
        DataType::Decimal32(digits, scale) | DataType::Decimal64(digits, scale) => {
            let cast = DataType::Decimal128(*digits, *scale);
            signature(&[&cast], raw(), DataType::Decimal128(38, *scale))
        }
        DataType::Decimal128(digits, scale) if *digits <= DIGITS_128 => {
            signature(&[arg], raw(), DataType::Decimal128(38, *scale))
        }
        DataType::Decimal128(_, scale) => {
            signature(&[arg], wide(), DataType::Decimal128(38, *scale))
        }
        DataType::Decimal256(_, scale) => {
            signature(&[arg], wide(), DataType::Decimal256(76, *scale))
        }
        _ if arg.is_floating() => {
            signature(&[&DataType::Float64], ExactSums::fields("sum"), DataType::Float64)
        }
        _ => return None,
    };
    Some(sum)
}

fn mean(arg: &DataType) -> Option<AggregateSignature> {
    let count = Field::new("count", DataType::Int64, false);
    let raw = |arg: &DataType, mean: DataType| {
        signature(&[arg], vec![Field::new("sum", RAW_128, true), count.clone()], mean)
    };
    match arg {
        _ if arg.is_integer() => Some(raw(arg, DataType::Float64)),
        DataType::Timestamp(..) | DataType::Duration(_) => Some(raw(arg, arg.clone())),
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
            if *digits <= DIGITS_128 =>
        {
            Some(raw(&DataType::Decimal128(*digits, *scale), DataType::Float64))
        }
        _ if is_number(arg) => {
            let mut state = ExactSums::fields("sum");
            state.push(count);
            Some(signature(&[&DataType::Float64], state, DataType::Float64))
        }
        _ => None,
    }
}

fn moments(moment: Moment, args: &[&DataType]) -> Option<AggregateSignature> {
    let each = |data_type| vec![data_type; moment.args()];
    if args.iter().all(|arg| arg.is_integer() && **arg != DataType::UInt64) {
        let fields = int_moments::fields(moment);
        return Some(signature(&each(&DataType::Int64), fields, DataType::Float64));
    }
    let numbers = args.iter().all(|arg| is_number(arg));
    numbers.then(|| signature(&each(&DataType::Float64), moment.fields(), DataType::Float64))
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || *data_type == DataType::Null
}

fn extreme(arg: &DataType) -> Option<AggregateSignature> {
    let same = |data_type: &DataType, state: DataType| {
        signature(&[data_type], vec![Field::new("value", state, true)], data_type.clone())
    };
    match arg {
        DataType::Null => Some(same(&DataType::Int32, DataType::Int32)),
        DataType::Boolean => Some(signature(
            &[arg],
            vec![Field::new("had", DataType::UInt8, false)],
            DataType::Boolean,
        )),
        DataType::Interval(_) => None,
        _ if arg.is_nested() => None,
        _ => Some(same(arg, arg.clone())),
    }
}

fn pick(arg: &DataType) -> AggregateSignature {
    let state = vec![
        Field::new("value", arg.clone(), true),
        Field::new("position", DataType::UInt64, true),
    ];
    signature(&[arg], state, arg.clone())
}

fn bools(arg: &DataType) -> Option<AggregateSignature> {
    match arg {
        DataType::Boolean | DataType::Null => Some(signature(
            &[&DataType::Boolean],
            vec![Field::new("had", DataType::UInt8, false)],
            DataType::Boolean,
        )),
        _ => None,
    }
}

impl BoundAggregate {
    /// An accumulator without groups.
    pub fn accumulator(&self) -> Result<Box<dyn Accumulator>> {
        let signature = &self.signature;
        if let Some(gather) = &self.gather {
            return Ok(gather.accumulator());
        }
        let arg = signature.arg_types.first().unwrap_or(&DataType::Null);
        let accumulator = match &self.function {
            AggregateFunction::User(user) => return user.accumulator(signature),
            AggregateFunction::Count => Some(Box::new(Count::default()) as Box<dyn Accumulator>),
            AggregateFunction::Sum => sum_accumulator(arg, &signature.return_type),
            AggregateFunction::Min | AggregateFunction::Max if !self.constants.is_empty() => {
                let greatest = matches!(self.function, AggregateFunction::Max);
                TopValues::boxed(greatest, arg, &self.constants)
            }
            AggregateFunction::Min if *arg == DataType::Boolean => Some(Bools::all()),
            AggregateFunction::Max if *arg == DataType::Boolean => Some(Bools::any()),
            AggregateFunction::Min => extreme_accumulator::<Least>(arg),
            AggregateFunction::Max => extreme_accumulator::<Greatest>(arg),
            AggregateFunction::First => Some(Pick::boxed(Order::First, arg)),
            AggregateFunction::Last => Some(Pick::boxed(Order::Last, arg)),
            AggregateFunction::AnyValue => Some(Pick::boxed(Order::FirstValue, arg)),
            AggregateFunction::ArgMin => Some(ArgExtreme::boxed(false, arg)),
            AggregateFunction::ArgMax => Some(ArgExtreme::boxed(true, arg)),
            AggregateFunction::BoolAnd => Some(Bools::all()),
            AggregateFunction::BoolOr => Some(Bools::any()),
            AggregateFunction::Mean => mean_accumulator(arg, &signature.return_type),
            AggregateFunction::ApproxCountDistinct => {
                Some(Box::new(DistinctSketches::default()) as Box<dyn Accumulator>)
            }
            AggregateFunction::ApproxQuantile => {
                let share = quantile_sketch::share(&self.constants)?;
                Some(QuantileSketches::boxed(share))
            }
            other if other.shape().is_some() => other.shape().map(Powers::boxed),
            other if *arg == DataType::Int64 => other.moment().map(int_moments::boxed),
            other => other.moment().map(Moments::boxed),
        };
        accumulator.ok_or_else(|| self.function.type_error(&[arg]))
    }

    /// Whether [`super::GroupedRows::positions`] must be right; the other functions ignore them.
    pub fn needs_positions(&self) -> bool {
        use AggregateFunction::{AnyValue, ArgMax, ArgMin, First, Last, User};
        let gathered = self.gather.as_ref().is_some_and(Gather::needs_positions);
        gathered || matches!(self.function, First | Last | AnyValue | ArgMin | ArgMax | User(_))
    }
}

fn sum_accumulator(arg: &DataType, sum: &DataType) -> Option<Box<dyn Accumulator>> {
    Some(match arg {
        DataType::Int8 => IntSum::<Int8Type>::boxed(sum),
        DataType::Int16 => IntSum::<Int16Type>::boxed(sum),
        DataType::Int32 => IntSum::<Int32Type>::boxed(sum),
        DataType::Int64 | DataType::Duration(_) => IntSum::<Int64Type>::boxed(sum),
        DataType::UInt8 => IntSum::<UInt8Type>::boxed(sum),
        DataType::UInt16 => IntSum::<UInt16Type>::boxed(sum),
        DataType::UInt32 => IntSum::<UInt32Type>::boxed(sum),
        DataType::UInt64 => IntSum::<UInt64Type>::boxed(sum),
        DataType::Decimal128(digits, _) if *digits <= DIGITS_128 => {
            IntSum::<Decimal128Type>::boxed(sum)
        }
        DataType::Float64 => Box::new(FloatSum::default()),
        DataType::Decimal128(..) => DecimalSum::<Decimal128Type>::boxed(sum),
        DataType::Decimal256(..) => DecimalSum::<Decimal256Type>::boxed(sum),
        _ => return None,
    })
}

fn mean_accumulator(arg: &DataType, mean: &DataType) -> Option<Box<dyn Accumulator>> {
    Some(match arg {
        DataType::Int8 => IntMean::<Int8Type>::boxed(arg, mean),
        DataType::Int16 => IntMean::<Int16Type>::boxed(arg, mean),
        DataType::Int32 => IntMean::<Int32Type>::boxed(arg, mean),
        DataType::Int64 | DataType::Timestamp(..) | DataType::Duration(_) => {
            IntMean::<Int64Type>::boxed(arg, mean)
        }
        DataType::UInt8 => IntMean::<UInt8Type>::boxed(arg, mean),
        DataType::UInt16 => IntMean::<UInt16Type>::boxed(arg, mean),
        DataType::UInt32 => IntMean::<UInt32Type>::boxed(arg, mean),
        DataType::UInt64 => IntMean::<UInt64Type>::boxed(arg, mean),
        DataType::Decimal128(..) => IntMean::<Decimal128Type>::boxed(arg, mean),
        DataType::Float64 => Box::new(FloatMean::default()),
        _ => return None,
    })
}

fn extreme_accumulator<E: End>(arg: &DataType) -> Option<Box<dyn Accumulator>> {
    use arrow::datatypes::{Decimal32Type, Decimal64Type, Float32Type, Float64Type};
    Some(match arg {
        DataType::Int8 => Extreme::<Int8Type, E>::boxed(arg),
        DataType::Int16 => Extreme::<Int16Type, E>::boxed(arg),
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => {
            Extreme::<Int32Type, E>::boxed(arg)
        }
        DataType::Int64
        | DataType::Date64
        | DataType::Time64(_)
        | DataType::Timestamp(..)
        | DataType::Duration(_) => Extreme::<Int64Type, E>::boxed(arg),
        DataType::UInt8 => Extreme::<UInt8Type, E>::boxed(arg),
        DataType::UInt16 => Extreme::<UInt16Type, E>::boxed(arg),
        DataType::UInt32 => Extreme::<UInt32Type, E>::boxed(arg),
        DataType::UInt64 => Extreme::<UInt64Type, E>::boxed(arg),
        DataType::Float16 | DataType::Float32 => Extreme::<Float32Type, E>::boxed(arg),
        DataType::Float64 => Extreme::<Float64Type, E>::boxed(arg),
        DataType::Decimal32(..) => Extreme::<Decimal32Type, E>::boxed(arg),
        DataType::Decimal64(..) => Extreme::<Decimal64Type, E>::boxed(arg),
        DataType::Decimal128(..) => Extreme::<Decimal128Type, E>::boxed(arg),
        DataType::Decimal256(..) => Extreme::<Decimal256Type, E>::boxed(arg),
        DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => ExtremeBytes::<E>::boxed(arg),
        _ => return None,
    })
}
