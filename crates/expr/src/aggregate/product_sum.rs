//! Exact sums of products of two floats, for variances and covariances.
//!
//! A product has 106 bits, so a group's sum has 256, in units of `2^exponent` with one exponent for the
//! whole accumulator: products of a range of 63 binades, which is 31 for squares, fit. Others go to the
//! [`Wide`] number of their group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal256Array, Int16Array};
use arrow::datatypes::{DataType, Decimal256Type, Field, Int16Type, i256};
use dframe_core::Result;

use super::exact_sum::Wides;
use super::groups::Groups;
use super::sum_decimal::RAW_256;
use super::wide::{Wide, decompose};

/// The highest shift of a product within the sum: it then spans three words of 64 bits.
const SHIFT_MAX: u32 = 63;
/// The products that may be added before sums are checked.
const ADDS_MAX: usize = 1 << 30;
/// Sums at rest are smaller than 2 to this power.
const REST_BITS: u32 = 252;
/// Exponents are multiples of it, so that those of different partitions mostly agree.
const EXPONENT_STEP: i32 = 8;
/// The products that are looked at to choose the exponent.
const SAMPLE: usize = 4096;

/// An exact sum of products for each group.
#[derive(Default)]
pub(super) struct ProductSums {
    cells: Vec<i256>,
    /// None until there is a product other than zero.
    exponent: Option<i32>,
    adds: usize,
    wides: Wides,
}

/// The sums of all groups, at the end.
pub(super) struct TakenProducts {
    cells: Vec<i256>,
    exponent: i32,
    wides: Wides,
}

impl TakenProducts {
    /// The sum of a group.
    pub(super) fn exact(&self, group: usize) -> Wide {
        let mut sum = self.wides.get(group).cloned().unwrap_or_default();
        add_to_wide(&mut sum, self.cells[group], self.exponent);
        sum
    }
}

/// Adds `sum * 2^exponent`.
pub(super) fn add_to_wide(wide: &mut Wide, sum: i256, exponent: i32) {
    let (low, high) = sum.to_parts();
    for piece in 0..2 {
        let bits = (low >> (64 * piece)) as u64;
        wide.add(i128::from(bits), exponent + 64 * piece);
    }
    wide.add(high, exponent + 128);
}

impl ProductSums {
    /// The columns of the state.
    pub(super) fn fields(name: &str) -> Vec<Field> {
        vec![
            Field::new(name, RAW_256, false),
            Field::new(format!("{name}_exponent"), DataType::Int16, false),
            Field::new(format!("{name}_wide"), DataType::Binary, true),
        ]
    }

    /// Adds `x * y` of each row; rows to be skipped have zeros.
    pub(super) fn add(&mut self, groups: &Groups<'_>, x: &[f64], y: &[f64]) {
        self.grow(groups.count());
        for start in (0..x.len()).step_by(ADDS_MAX) {
            let range = start..x.len().min(start + ADDS_MAX);
            self.add_slice(&groups.slice(range.clone()), &x[range.clone()], &y[range]);
        }
    }

    fn add_slice(&mut self, groups: &Groups<'_>, x: &[f64], y: &[f64]) {
        if self.exponent.is_none() {
            self.exponent = choose_exponent(x, y);
        }
        if self.adds + x.len() > ADDS_MAX {
            self.settle();
        }
        self.adds += x.len();
        let offset = 2 * 1075 + self.exponent.unwrap_or(0);
        let ids = groups.ids();
        // Told that both are the same, the compiler drops the handling of signs.
        if std::ptr::eq(x, y) {
            self.add_products(ids, x.iter().map(|&x| (x, x)), offset);
        } else {
            self.add_products(ids, x.iter().copied().zip(y.iter().copied()), offset);
        }
    }

    #[inline(always)]
    fn add_products(&mut self, ids: &[u32], pairs: impl Iterator<Item = (f64, f64)>, offset: i32) {
        for (&group, (x, y)) in ids.iter().zip(pairs) {
            match product(x, y, offset) {
                Some(product) => add_product(&mut self.cells[group as usize], &product),
                None if (x == 0.0 && y.is_finite()) || (y == 0.0 && x.is_finite()) => {}
                None => self.wides.edit(group, |wide| add_wide_product(wide, x, y)),
            }
        }
    }

    /// Adds states as [`ProductSums::take_state`] gave them.
    pub(super) fn merge(&mut self, groups: &Groups<'_>, states: &[ArrayRef]) -> Result<()> {
        let sums = states[0].as_primitive::<Decimal256Type>().values();
        let exponents = states[1].as_primitive::<Int16Type>().values();
        let wides = states[2].as_binary::<i32>();
        self.grow(groups.count());
        self.settle();
        for (row, &group) in groups.ids().iter().enumerate() {
            self.add_sum(group, sums[row], i32::from(exponents[row]));
            if wides.is_valid(row) {
                let other = Wide::from_bytes(wides.value(row))?;
                self.wides.edit(group, |wide| wide.add_wide(&other));
            }
        }
        Ok(())
    }

    fn add_sum(&mut self, group: u32, sum: i256, exponent: i32) {
        if sum == i256::ZERO {
            return;
        }
        let own = *self.exponent.get_or_insert(exponent);
        let cell = &mut self.cells[group as usize];
        let added = cell.wrapping_add(sum);
        if own == exponent && at_rest(sum) && at_rest(added) {
            *cell = added;
        } else {
            self.wides.edit(group, |wide| add_to_wide(wide, sum, exponent));
        }
    }

    /// Makes room for [`ADDS_MAX`] products: sums that leave none become wide.
    fn settle(&mut self) {
        let exponent = self.exponent.unwrap_or(0);
        for (group, cell) in self.cells.iter_mut().enumerate() {
            if !at_rest(*cell) {
                self.wides.edit(group as u32, |wide| add_to_wide(wide, *cell, exponent));
                *cell = i256::ZERO;
            }
        }
        self.adds = 0;
    }

    fn grow(&mut self, count: usize) {
        if self.cells.len() < count {
            self.cells.resize(count, i256::ZERO);
        }
    }

    /// The state, in [`ProductSums::fields`]; forgets it.
    pub(super) fn take_state(&mut self) -> Vec<ArrayRef> {
        let sums = self.take();
        let exponents = vec![sums.exponent as i16; sums.cells.len()];
        let wides = sums.wides.to_array(sums.cells.len());
        let cells = Decimal256Array::new(sums.cells.into(), None).with_data_type(RAW_256);
        vec![Arc::new(cells), Arc::new(Int16Array::from(exponents)), wides]
    }

    /// The sums; forgets them.
    pub(super) fn take(&mut self) -> TakenProducts {
        let taken = std::mem::take(self);
        let exponent = taken.exponent.unwrap_or(0);
        TakenProducts { cells: taken.cells, exponent, wides: taken.wides }
    }

    /// The bytes held.
    pub(super) fn memory(&self) -> usize {
        self.cells.capacity() * size_of::<i256>() + self.wides.memory()
    }
}

fn at_rest(sum: i256) -> bool {
    let (_, high) = sum.to_parts();
    high.unsigned_abs() < 1 << (REST_BITS - 128)
}

/// An exponent that puts most products into the middle of the sum.
fn choose_exponent(x: &[f64], y: &[f64]) -> Option<i32> {
    let mut exponents: Vec<i32> = Vec::new();
    let pairs = x.iter().zip(y).filter(|(x, y)| **x != 0.0 && **y != 0.0);
    for (&x, &y) in pairs.take(SAMPLE) {
        if let (Some((_, left)), Some((_, right))) = (decompose(x), decompose(y)) {
            exponents.push(left + right);
        }
    }
    exponents.sort_unstable();
    let middle = *exponents.get(exponents.len() / 2)?;
    let (low, high) = (exponents[0], exponents[exponents.len() - 1]);
    let center = if high - low <= SHIFT_MAX as i32 { (low + high) / 2 } else { middle };
    Some((center - SHIFT_MAX as i32 / 2).div_euclid(EXPONENT_STEP) * EXPONENT_STEP)
}

fn add_wide_product(wide: &mut Wide, x: f64, y: f64) {
    match (decompose(x), decompose(y)) {
        (Some((left, low)), Some((right, high))) => {
            wide.add(i128::from(left) * i128::from(right), low + high);
        }
        _ => wide.add_f64(x * y),
    }
}

/// A product in units of the sum, as limbs from the lowest. A negative one has them flipped and lacks one,
/// which is negation but for the one; [`add_product`] adds it.
struct Product {
    limbs: [u64; 3],
    sign: u64,
}

/// The product of two normal numbers whose biased exponents exceed `offset` by less than 64.
#[inline(always)]
fn product(x: f64, y: f64, offset: i32) -> Option<Product> {
    let (left, right) = (x.to_bits(), y.to_bits());
    let (e, f) = ((left >> 52) as i32 & 0x7ff, (right >> 52) as i32 & 0x7ff);
    let shift = (e + f - offset) as u32;
    // Biased exponents of 0 and 0x7ff are zeros, subnormals, infinities and NaN.
    let normal = |exponent: i32| (exponent as u32).wrapping_sub(1) < 0x7fe;
    if !(normal(e) & normal(f) & (shift <= SHIFT_MAX)) {
        return None;
    }
    let mantissa = |bits: u64| u128::from(bits & ((1 << 52) - 1) | 1 << 52);
    let product = mantissa(left) * mantissa(right);
    let sign = ((left ^ right) as i64 >> 63) as u64;
    let middle = ((product << shift) >> 64) as u64;
    let high = ((product >> 64) as u64 >> 1) >> (63 - shift);
    let limbs = [((product as u64) << shift) ^ sign, middle ^ sign, high ^ sign];
    Some(Product { limbs, sign })
}

/// Adds a product to a sum.
#[inline(always)]
fn add_product(sum: &mut i256, product: &Product) {
    let (low, high) = sum.to_parts();
    let [a, b, c] = product.limbs.map(u128::from);
    let (low, carry) = low.overflowing_add(a | b << 64);
    let (low, one) = low.overflowing_add(u128::from(product.sign & 1));
    let high = (high as u128)
        .wrapping_add(c | u128::from(product.sign) << 64)
        .wrapping_add(u128::from(carry))
        .wrapping_add(u128::from(one));
    *sum = i256::from_parts(low, high as i128);
}
