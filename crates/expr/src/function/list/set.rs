//! Two lists as sets, and lists of lists as one: `list_has_any`, `list_has_all`, `list_intersect`, `flatten`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::concat;
use arrow::datatypes::DataType;
use dframe_core::Result;

use super::super::argument::{Argument, check_count, wrong_type};
use super::super::{Call, Function, Signature};
use super::order::Order;
use super::{Lists, gather, item_type, items_of, list_of, list_target};
use crate::coerce::{Operand, unify};
use crate::kernel::cast::cast;
use crate::value::Value;

pub(super) const LIST_HAS_ANY: Function = Function {
    names: &["list_has_any", "array_has_any"],
    usage: "list_has_any(list, list): whether an item of the second is in the first; NULLs are in none",
    signature: |args| Ok(Signature { returns: DataType::Boolean, ..two_lists(args)? }),
    evaluate: |call| test(call, |found, _| found > 0),
};

pub(super) const LIST_HAS_ALL: Function = Function {
    names: &["list_has_all", "array_has_all"],
    usage: "list_has_all(list, list): whether all items of the second but NULLs are in the first",
    signature: |args| Ok(Signature { returns: DataType::Boolean, ..two_lists(args)? }),
    evaluate: |call| test(call, |found, wanted| found == wanted),
};

pub(super) const LIST_INTERSECT: Function = Function {
    names: &["list_intersect", "array_intersect"],
    usage: "list_intersect(list, list): the different items of the first that are in the second",
    signature: two_lists,
    evaluate: |call| {
        let both = Both::new(call, 0, 1)?;
        gather(call, &both.items, |row, indices| {
            let (distinct, is_in_other) = both.matches(row)?;
            indices.extend(distinct.into_iter().filter(|item| is_in_other(*item)));
            Some(())
        })
    },
};

pub(super) const FLATTEN: Function = Function {
    names: &["flatten"],
    usage: "flatten(list of lists): their items in one list; NULL lists are left out",
    signature: |args| {
        check_count(args, 1, 1)?;
        let inner = match items_of(0, &args[0])? {
            DataType::Null => DataType::Null,
            list => match item_type(&list) {
                Some(item) => item.clone(),
                None => return Err(wrong_type(0, &args[0], "a list of lists")),
            },
        };
        Ok(Signature { args: vec![list_target(&args[0])], returns: list_of(&inner) })
    },
    evaluate: |call| {
        let outer = Lists::new(&call.array(0)?)?;
        if outer.items.data_type().is_null() {
            return gather(call, &outer.items, |row, _| outer.range(row).map(drop));
        }
        let inner = Lists::new(&outer.items)?;
        gather(call, &inner.items, |row, indices| {
            let lists = outer.range(row)?.filter_map(|list| inner.range(list));
            lists.for_each(|items| indices.extend(items.map(|item| item as u32)));
            Some(())
        })
    },
};

fn two_lists(args: &[Argument]) -> Result<Signature> {
    check_count(args, 2, 2)?;
    let items = [items_of(0, &args[0])?, items_of(1, &args[1])?];
    let operand = |item| Operand { data_type: item, constant: None };
    let common = unify(&[operand(&items[0]), operand(&items[1])])?;
    Ok(Signature { args: args.iter().map(list_target).collect(), returns: list_of(&common) })
}

/// `answer` of how many different items of the second list are in the first, and how many there are.
fn test(call: &Call<'_>, answer: fn(usize, usize) -> bool) -> Result<Value> {
    let both = Both::new(call, 1, 0)?;
    let test = |row| {
        let (distinct, is_in_other) = both.matches(row)?;
        let found = distinct.iter().filter(|item| is_in_other(**item)).count();
        Some(answer(found, distinct.len()))
    };
    Ok(call.value(Arc::new((0..call.len()).map(test).collect::<BooleanArray>())))
}

/// Two columns of lists, whose items can be compared.
struct Both {
    these: Lists,
    others: Lists,
    /// Those of these, then of the others.
    items: ArrayRef,
    order: Order,
}

impl Both {
    /// The lists of argument `these` and those of argument `others`.
    fn new(call: &Call<'_>, these: usize, others: usize) -> Result<Self> {
        let (these, others) = (Lists::new(&call.array(these)?)?, Lists::new(&call.array(others)?)?);
        let operand = |list: &Lists| list.items.data_type().clone();
        let (left, right) = (operand(&these), operand(&others));
        let common = unify(&[
            Operand { data_type: &left, constant: None },
            Operand { data_type: &right, constant: None },
        ])?;
        let items = [cast(&these.items, &common, true)?, cast(&others.items, &common, true)?];
        let items = concat(&[items[0].as_ref(), items[1].as_ref()])?;
        let order = Order::new(&items)?;
        Ok(Self { these, others, items, order })
    }

    /// The different items of the list of `row`, and what tells whether one is in the other list.
    fn matches(&self, row: usize) -> Option<(Vec<u32>, impl Fn(u32) -> bool)> {
        let (these, others) = (self.these.range(row)?, self.others.range(row)?);
        let base = self.these.items.len();
        let others = self.order.sorted(base + others.start..base + others.end);
        let is_in = move |item: u32| {
            others.binary_search_by(|other| self.order.compare(*other, item)).is_ok()
        };
        Some((self.order.distinct(these), is_in))
    }
}
