//! `COLUMNS(..)`: an item of a select list that stands for one of each column that it names.
//!
//! ```text
//!   max(COLUMNS(*))                 max(a), max(b), ..
//!   COLUMNS('price_.*')             the columns whose names match
//!   COLUMNS(* EXCLUDE (id)) * 2     a * 2, b * 2, ..
//! ```

use arrow::array::AsArray;
use arrow::datatypes::Schema;
use dframe_core::{Error, Result};
use dframe_expr::{Column, Expr, Span, call, simplify};

use super::scope::{Aliases, Scope, ScopeColumn};
use crate::call::{COLUMNS, text_of};
use crate::literal::string;
use crate::place::at;

/// `expr` for each column that a COLUMNS in it stands for, over the columns of the plan, and how it is called; none if
/// there is no COLUMNS.
pub(super) fn each_column(
    expr: &Expr,
    scope: &Scope,
    aliases: Aliases<'_>,
) -> Result<Option<Vec<(String, Expr)>>> {
    let mut found: Vec<&Expr> = vec![];
    expr.visit(&mut |node| {
        if is_columns(node) && !found.contains(&node) {
            found.push(node);
        }
        true
    });
    let Some(first) = found.first() else { return Ok(None) };
    let Expr::Call { args, span, .. } = first else { return Ok(None) };
    if let Some(second) = found.get(1) {
        let error = Error::unsupported("two different COLUMNS in one expression are not supported");
        return Err(at(error.remedy("write one item for each"), second.span()));
    }
    let columns = matching(args, scope, *span)?;
    if columns.is_empty() {
        let error = Error::invalid_input("no column matches");
        let names: Vec<&str> = scope.visible().map(|column| column.name.as_str()).collect();
        return Err(at(error.remedy(format!("the columns are {}", names.join(", "))), *span));
    }
    let resolved = scope.resolve(expr.clone(), aliases)?;
    let item = |column: &ScopeColumn| {
        let plain = Column { relation: None, name: column.name.clone(), span: *span };
        let named = replaced(expr, &Expr::Column(plain))?;
        Ok((named.output_name(), replaced(&resolved, &column.expr)?))
    };
    columns.into_iter().map(item).collect::<Result<_>>().map(Some)
}

/// Whether `expr` has a COLUMNS.
pub(super) fn has_columns(expr: &Expr) -> bool {
    expr.any_node(is_columns)
}

fn is_columns(node: &Expr) -> bool {
    matches!(node, Expr::Call { name, .. } if name == COLUMNS)
}

fn replaced(expr: &Expr, column: &Expr) -> Result<Expr> {
    expr.clone().rewrite(&mut |node| Ok(if is_columns(&node) { column.clone() } else { node }))
}

/// The columns of a pattern, or all but those that are excluded.
fn matching<'s>(args: &[Expr], scope: &'s Scope, span: Span) -> Result<Vec<&'s ScopeColumn>> {
    let Some((pattern, excluded)) = args.split_first() else {
        return Err(at(Error::invalid_input("COLUMNS takes a pattern or *"), span));
    };
    let mut columns: Vec<&ScopeColumn> = scope.visible().collect();
    for name in excluded.iter().filter_map(text_of) {
        let count = columns.len();
        columns.retain(|column| !column.name.eq_ignore_ascii_case(&name));
        if columns.len() == count {
            return Err(at(
                Error::invalid_input(format!("there is no column '{name}' to exclude")),
                span,
            ));
        }
    }
    if *pattern == Expr::Wildcard {
        return Ok(columns);
    }
    let Some(pattern) = text_of(pattern) else {
        let error = Error::unsupported("COLUMNS of anything but a pattern or * is not supported");
        return Err(at(error.remedy("write COLUMNS('price_.*') or COLUMNS(* EXCLUDE (id))"), span));
    };
    let mut matched = vec![];
    for column in columns {
        if matches(&column.name, &pattern).map_err(|error| at(error, span))? {
            matched.push(column);
        }
    }
    Ok(matched)
}

fn matches(name: &str, pattern: &str) -> Result<bool> {
    let test = call("regexp_matches", [string(name), string(pattern)]);
    test.to_field(&Schema::empty())?;
    match simplify(test, &Schema::empty()) {
        Expr::Literal(literal) => {
            Ok(literal.0.as_boolean_opt().is_some_and(|found| found.value(0)))
        }
        _ => Err(Error::invalid_input(format!("'{pattern}' is no regular expression"))),
    }
}
