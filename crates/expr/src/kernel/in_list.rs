//! `IN` a list of constants: a few comparisons, or a hash set.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::{is_not_null, not};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use arrow::row::{RowConverter, SortField};
use dframe_core::Result;
use foldhash::{HashSet, HashSetExt};

use super::comparison::{compare, normalize};
use crate::expr::BinaryOp;
use crate::value::Value;

/// The constants of an `IN` list, ready for look-ups. NULL among them makes a miss NULL.
pub struct InSet {
    members: Members,
    count: usize,
    has_null: bool,
}

enum Members {
    /// Each of length one.
    Few(Vec<ArrayRef>),
    /// The bits of values that are four or eight bytes wide.
    Narrow(HashSet<u32>),
    Wide(HashSet<u64>),
    /// UTF-8 of `Utf8`.
    Text(HashSet<Box<[u8]>>),
    /// Everything else, in arrow's row encoding.
    Rows(RowConverter, HashSet<Box<[u8]>>),
}

/// Up to here comparing with each is quicker than hashing.
const FEW: usize = 6;

impl InSet {
    /// The set of the values in `list`, which is of the needle's type.
    pub fn new(list: &ArrayRef) -> Result<Self> {
        let has_null = list.logical_null_count() > 0;
        let values = arrow::compute::filter(list, &is_not_null(list)?)?;
        let values = normalize(&values);
        let members = if values.len() <= FEW {
            Members::Few((0..values.len()).map(|index| values.slice(index, 1)).collect())
        } else {
            Members::hashed(&values)?
        };
        Ok(Self { members, count: list.len(), has_null })
    }

    /// The number of constants.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether each value is in the set (or is not, if `negated`).
    pub fn contains(&self, needles: &ArrayRef, negated: bool) -> Result<BooleanArray> {
        let found = self.members.contains(needles)?;
        let mut valid = needles.logical_nulls();
        if self.has_null {
            valid = NullBuffer::union(valid.as_ref(), Some(&NullBuffer::new(found.clone())));
        }
        let result = BooleanArray::new(found, valid);
        if negated { Ok(not(&result)?) } else { Ok(result) }
    }
}

impl Members {
    fn hashed(values: &ArrayRef) -> Result<Self> {
        Ok(match values.data_type().primitive_width() {
            Some(4) => Members::Narrow(bits::<u32, Int32Type>(values).iter().copied().collect()),
            Some(8) => Members::Wide(bits::<u64, Int64Type>(values).iter().copied().collect()),
            _ if *values.data_type() == DataType::Utf8 => {
                let texts = values.as_string::<i32>().iter().flatten();
                Members::Text(texts.map(|text| text.as_bytes().into()).collect())
            }
            _ => {
                let field = SortField::new(values.data_type().clone());
                let converter = RowConverter::new(vec![field])?;
                let rows = converter.convert_columns(std::slice::from_ref(values))?;
                let mut members = HashSet::with_capacity(rows.num_rows());
                members.extend(rows.iter().map(|row| Box::from(row.as_ref())));
                Members::Rows(converter, members)
            }
        })
    }

    /// The rows whose value is a member; what is said of NULL does not matter.
    fn contains(&self, needles: &ArrayRef) -> Result<BooleanBuffer> {
        let rows = needles.len();
        Ok(match self {
            Members::Few(members) => few(needles, members)?,
            Members::Narrow(members) => {
                let needles = bits::<u32, Int32Type>(&normalize(needles));
                BooleanBuffer::collect_bool(rows, |row| members.contains(&needles[row]))
            }
            Members::Wide(members) => {
                let needles = bits::<u64, Int64Type>(&normalize(needles));
                BooleanBuffer::collect_bool(rows, |row| members.contains(&needles[row]))
            }
            Members::Text(members) => {
                let needles = needles.as_string::<i32>();
                BooleanBuffer::collect_bool(rows, |row| {
                    members.contains(needles.value(row).as_bytes())
                })
            }
            Members::Rows(converter, members) => {
                let needles = converter.convert_columns(&[normalize(needles)])?;
                BooleanBuffer::collect_bool(rows, |row| members.contains(needles.row(row).as_ref()))
            }
        })
    }
}

fn few(needles: &ArrayRef, members: &[ArrayRef]) -> Result<BooleanBuffer> {
    let needles = Value::Array(needles.clone());
    let mut found: Option<BooleanBuffer> = None;
    for member in members {
        let equal = compare(BinaryOp::Eq, &needles, &Value::Scalar(member.clone()))?;
        let equal = super::logic::is(&equal, true);
        found = Some(found.map_or(equal.clone(), |found| &found | &equal));
    }
    let Value::Array(needles) = needles else { unreachable!("made above") };
    Ok(found.unwrap_or_else(|| BooleanBuffer::new_unset(needles.len())))
}

/// The values as integers of the same width.
fn bits<B, T>(array: &ArrayRef) -> ScalarBuffer<B>
where
    B: arrow::datatypes::ArrowNativeType,
    T: ArrowPrimitiveType,
{
    debug_assert_eq!(std::mem::size_of::<B>(), std::mem::size_of::<T::Native>());
    let data = array.to_data();
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

impl std::fmt::Debug for InSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", self.count)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use arrow::array::{Decimal128Array, Float64Array, Int64Array, StringArray};

    fn check(list: ArrayRef, needles: ArrayRef, expected: Vec<Option<bool>>) {
        let set = InSet::new(&list).unwrap();
        let result = set.contains(&needles, false).unwrap();
        assert_eq!(result, BooleanArray::from(expected.clone()));
        let negated = set.contains(&needles, true).unwrap();
        let expected: Vec<_> = expected.into_iter().map(|found| found.map(|f| !f)).collect();
        assert_eq!(negated, BooleanArray::from(expected));
    }

    #[test]
    fn few_and_many_agree_and_null_makes_a_miss_null() {
        for count in [2, 20] {
            let some = vec![Some(true), Some(false), None];
            let with_null = vec![Some(true), None, None];
            let ints = || (0..count).map(Some);
            let needles = Arc::new(Int64Array::from(vec![Some(1), Some(99), None]));
            check(Arc::new(ints().collect::<Int64Array>()), needles.clone(), some.clone());
            check(Arc::new(ints().chain([None]).collect::<Int64Array>()), needles, with_null);
            let texts: StringArray = (0..count).map(|i| Some(i.to_string())).collect();
            let needles = Arc::new(StringArray::from(vec![Some("1"), Some("x"), None]));
            check(Arc::new(texts), needles, some.clone());
            let decimals: Decimal128Array = (0..i128::from(count)).map(Some).collect();
            let needles = Arc::new(Decimal128Array::from(vec![Some(1), Some(99), None]));
            check(Arc::new(decimals), needles, some);
            let floats = (0..count).map(|i| i as f64).chain([f64::NAN]).collect::<Float64Array>();
            let needles = Arc::new(Float64Array::from(vec![-0.0, -f64::NAN, 0.5]));
            check(Arc::new(floats), needles, vec![Some(true), Some(true), Some(false)]);
        }
    }
}
