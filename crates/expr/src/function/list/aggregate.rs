//! Aggregates of each list's items, by the accumulators that group-bys use: a list is a group.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use dframe_core::{Error, Result};

use super::super::argument::{Argument, check_count, wrong_type};
use super::super::{Call, Function, Signature};
use super::{Lists, items_of, list_target};
use crate::aggregate::{AggregateFunction, GroupedRows, Positions};
use crate::kernel::cast::cast;
use crate::value::Value;

pub(super) const LIST_MIN: Function = Function {
    names: &["list_min", "array_min"],
    usage: "list_min(list)",
    signature: |args| one_list(args, AggregateFunction::Min),
    evaluate: |call| aggregate(call, &AggregateFunction::Min),
};

pub(super) const LIST_MAX: Function = Function {
    names: &["list_max", "array_max"],
    usage: "list_max(list)",
    signature: |args| one_list(args, AggregateFunction::Max),
    evaluate: |call| aggregate(call, &AggregateFunction::Max),
};

pub(super) const LIST_SUM: Function = Function {
    names: &["list_sum", "array_sum"],
    usage: "list_sum(list)",
    signature: |args| one_list(args, AggregateFunction::Sum),
    evaluate: |call| aggregate(call, &AggregateFunction::Sum),
};

pub(super) const LIST_MEAN: Function = Function {
    names: &["list_mean", "list_avg", "array_avg"],
    usage: "list_mean(list)",
    signature: |args| one_list(args, AggregateFunction::Mean),
    evaluate: |call| aggregate(call, &AggregateFunction::Mean),
};

pub(super) const LIST_COUNT: Function = Function {
    names: &["list_count", "array_count"],
    usage: "list_count(list): the items that are not NULL",
    signature: |args| one_list(args, AggregateFunction::Count),
    evaluate: |call| aggregate(call, &AggregateFunction::Count),
};

pub(super) const LIST_STD: Function = Function {
    names: &["list_std", "list_stddev_samp"],
    usage: "list_std(list): of a sample",
    signature: |args| one_list(args, AggregateFunction::StdSample),
    evaluate: |call| aggregate(call, &AggregateFunction::StdSample),
};

pub(super) const LIST_VAR: Function = Function {
    names: &["list_var", "list_var_samp"],
    usage: "list_var(list): of a sample",
    signature: |args| one_list(args, AggregateFunction::VarSample),
    evaluate: |call| aggregate(call, &AggregateFunction::VarSample),
};

pub(super) const LIST_BOOL_AND: Function = Function {
    names: &["list_bool_and", "list_all"],
    usage: "list_bool_and(list): whether all are true",
    signature: |args| one_list(args, AggregateFunction::BoolAnd),
    evaluate: |call| aggregate(call, &AggregateFunction::BoolAnd),
};

pub(super) const LIST_BOOL_OR: Function = Function {
    names: &["list_bool_or", "list_any"],
    usage: "list_bool_or(list): whether any is true",
    signature: |args| one_list(args, AggregateFunction::BoolOr),
    evaluate: |call| aggregate(call, &AggregateFunction::BoolOr),
};

pub(super) const LIST_ANY_VALUE: Function = Function {
    names: &["list_any_value"],
    usage: "list_any_value(list): the first item that is not NULL",
    signature: |args| one_list(args, AggregateFunction::AnyValue),
    evaluate: |call| aggregate(call, &AggregateFunction::AnyValue),
};

pub(super) const LIST_AGGREGATE: Function = Function {
    names: &["list_aggregate", "list_aggr", "array_aggregate"],
    usage: "list_aggregate(list, 'aggregate'): by the name of an aggregate of one argument",
    signature: |args| {
        check_count(args, 2, 2)?;
        let name = args[1].constant_text();
        let name = name.ok_or_else(|| wrong_type(1, &args[1], "a constant name, as 'sum'"))?;
        let mut signature = one_list(&args[..1], parse(&name)?)?;
        signature.args.push(DataType::Utf8);
        Ok(signature)
    },
    evaluate: |call| {
        let name = call.text(1)?;
        aggregate(call, &parse(name.get(0).unwrap_or_default())?)
    },
};

fn parse(name: &str) -> Result<AggregateFunction> {
    AggregateFunction::parse(name).ok_or_else(|| {
        Error::invalid_input(format!("there is no aggregate '{name}'"))
            .remedy("name one such as sum, mean, min, max, count, std or any_value")
    })
}

fn one_list(args: &[Argument], function: AggregateFunction) -> Result<Signature> {
    check_count(args, 1, 1)?;
    let item = items_of(0, &args[0])?;
    let returns = function.bind(&[item])?.signature().return_type.clone();
    Ok(Signature { args: vec![list_target(&args[0])], returns })
}

/// The aggregate of each list's items; NULL for NULL.
fn aggregate(call: &Call<'_>, function: &AggregateFunction) -> Result<Value> {
    let lists = Lists::new(&call.array(0)?)?;
    let bound = function.bind(&[lists.items.data_type().clone()])?;
    let offsets = lists.array.value_offsets();
    let (start, end) = (offsets[0] as usize, offsets[lists.len()] as usize);
    let items =
        cast(&lists.items.slice(start, end - start), &bound.signature().arg_types[0], true)?;
    let mut groups = vec![0; items.len()];
    for (row, pair) in offsets.windows(2).enumerate() {
        groups[pair[0] as usize - start..pair[1] as usize - start].fill(row as u32);
    }
    let mut accumulator = bound.accumulator()?;
    let positions = Positions::From(0);
    let rows = GroupedRows { groups: &groups, group_count: lists.len(), positions };
    accumulator.update(&rows, &[items])?;
    let results = accumulator.finish()?;
    Ok(call.value(null_where_null(&results, &lists)?))
}

fn null_where_null(results: &ArrayRef, lists: &Lists) -> Result<ArrayRef> {
    use arrow::array::Array;
    match lists.array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => Ok(results.clone()),
        Some(nulls) => {
            let missing = arrow::array::BooleanArray::new(!nulls.inner(), None);
            Ok(arrow::compute::nullif(results, &missing)?)
        }
    }
}
