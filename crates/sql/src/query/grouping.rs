//! GROUP BY: one set of keys, or the several that `ROLLUP`, `CUBE` and `GROUPING SETS` stand for.
//!
//! ```text
//!   GROUP BY a, b                   {a, b}
//!   ROLLUP (a, b)                   {a, b} {a} {}
//!   CUBE (a, b)                     {a, b} {a} {b} {}
//!   GROUPING SETS ((a, b), c, ())   {a, b} {c} {}
//!   GROUP BY x, ROLLUP (a)          {x, a} {x}          each of the one with each of the other
//! ```
//!
//! What is done with the sets is not known here.

use dframe_core::{Error, Result};
use dframe_expr::{Expr, Span};
use sqlparser::ast::{
    self, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr,
};

use super::Planner;
use super::order::{no_position, position};
use super::scope::{Aliases, Scope};
use super::select::Item;
use super::unnest::refuse_in_groups;
use crate::convert::Converter;
use crate::place::at;

/// The most sets that one GROUP BY may stand for: the rows are read once for each.
const SETS_MAX: usize = 256;

/// The sets of keys that rows are grouped by, each by itself.
pub(super) struct Grouping {
    pub sets: Vec<Vec<Expr>>,
}

impl Grouping {
    /// Each key once, in the order of the text.
    pub fn keys(&self) -> Vec<Expr> {
        self.sets.iter().flatten().cloned().fold(vec![], with_key)
    }
}

/// What the keys of a GROUP BY may name.
pub(super) struct Names<'n, 'a> {
    pub converter: &'n Converter<'a>,
    pub scope: &'n Scope,
    pub items: &'n [Item],
    pub aliases: Aliases<'n>,
}

impl Planner<'_, '_> {
    /// What rows are grouped by; none if they are not.
    pub fn grouping(&self, node: GroupByExpr, names: &Names<'_, '_>) -> Result<Option<Grouping>> {
        let (nodes, modifiers) = match node {
            GroupByExpr::All(modifiers) if modifiers.is_empty() => {
                let plain = names.items.iter().filter(|item| !item.is_over_groups());
                let keys = plain.map(|item| item.expr.clone()).collect();
                return Ok(Some(Grouping { sets: vec![keys] }));
            }
            GroupByExpr::All(modifiers) => (vec![], modifiers),
            GroupByExpr::Expressions(nodes, modifiers) => (nodes, modifiers),
        };
        if !modifiers.is_empty() {
            let error = self.unsupported("GROUP BY with a modifier", Span::NONE);
            return Err(
                error.remedy("write GROUP BY ROLLUP (...), CUBE (...) or GROUPING SETS (...)")
            );
        }
        if nodes.is_empty() {
            return Ok(None);
        }
        let mut sets = vec![vec![]];
        for node in nodes {
            let place = names.converter.place(&node);
            sets = product(&sets, &names.sets(node)?).ok_or_else(|| too_many(place))?;
        }
        Ok(Some(Grouping { sets }))
    }
}

impl Names<'_, '_> {
    /// The sets that one item of a GROUP BY stands for.
    fn sets(&self, node: ast::Expr) -> Result<Vec<Vec<Expr>>> {
        let place = self.converter.place(&node);
        match node {
            ast::Expr::Rollup(parts) => rollup(self.each(parts)?, place),
            ast::Expr::Cube(parts) => cube(self.each(parts)?, place),
            ast::Expr::GroupingSets(parts) => {
                let mut sets = vec![];
                for part in parts {
                    match nested(&part) {
                        Some(node) => sets.extend(self.sets(node)?),
                        None => sets.push(self.set(part)?),
                    }
                }
                if sets.len() > SETS_MAX { Err(too_many(place)) } else { Ok(sets) }
            }
            ast::Expr::Tuple(parts) => Ok(vec![self.set(parts)?]),
            key => Ok(vec![vec![self.key(key)?]]),
        }
    }

    fn each(&self, parts: Vec<Vec<ast::Expr>>) -> Result<Vec<Vec<Expr>>> {
        parts.into_iter().map(|part| self.set(part)).collect()
    }

    /// Keys that are in a set together: `(a, b)`.
    fn set(&self, nodes: Vec<ast::Expr>) -> Result<Vec<Expr>> {
        let mut keys = vec![];
        for node in nodes {
            match node {
                ast::Expr::Tuple(parts) => keys = self.set(parts)?.into_iter().fold(keys, with_key),
                node => keys = with_key(keys, self.key(node)?),
            }
        }
        Ok(keys)
    }

    fn key(&self, node: ast::Expr) -> Result<Expr> {
        let span = self.converter.place(&node);
        let expr = match position(&node) {
            Some(number) => {
                let index = number.wrapping_sub(1);
                let item =
                    self.items.get(index).ok_or_else(|| no_position(index, self.items.len()));
                item.map_err(|error| at(error, span))?.expr.clone()
            }
            None => self.scope.resolve(self.converter.expr(node)?.expr, self.aliases)?,
        };
        refuse_in_groups(&expr)?;
        match expr.contains_aggregate() {
            true => Err(at(Error::invalid_input("GROUP BY cannot contain an aggregate"), span)
                .remedy("group by its argument, or group the result of a subquery")),
            false => Ok(expr),
        }
    }
}

fn with_key(mut keys: Vec<Expr>, key: Expr) -> Vec<Expr> {
    if !keys.contains(&key) {
        keys.push(key);
    }
    keys
}

/// Each of the one with each of the other, unless that is too many.
fn product(left: &[Vec<Expr>], right: &[Vec<Expr>]) -> Option<Vec<Vec<Expr>>> {
    let both =
        |one: &Vec<Expr>, other: &Vec<Expr>| other.iter().cloned().fold(one.clone(), with_key);
    let few = left.len().saturating_mul(right.len()) <= SETS_MAX;
    few.then(|| {
        left.iter().flat_map(|one| right.iter().map(move |other| both(one, other))).collect()
    })
}

/// All parts, and fewer and fewer from the end.
fn rollup(parts: Vec<Vec<Expr>>, place: Span) -> Result<Vec<Vec<Expr>>> {
    if parts.len() >= SETS_MAX {
        return Err(too_many(place));
    }
    let first = |count: usize| parts[..count].iter().flatten().cloned().fold(vec![], with_key);
    Ok((0..=parts.len()).rev().map(first).collect())
}

/// Every choice of parts.
fn cube(parts: Vec<Vec<Expr>>, place: Span) -> Result<Vec<Vec<Expr>>> {
    let with_or_without = |part: &Vec<Expr>| [part.clone(), vec![]];
    parts
        .iter()
        .try_fold(vec![vec![]], |sets, part| product(&sets, &with_or_without(part)))
        .ok_or_else(|| too_many(place))
}

fn too_many(place: Span) -> Error {
    let error =
        Error::invalid_input(format!("GROUP BY stands for more than {SETS_MAX} sets of keys"));
    at(error.remedy("name the sets that you need: GROUPING SETS ((a, b), (a), ())"), place)
}

/// `ROLLUP (..)` or `CUBE (..)` among GROUPING SETS, which the parser takes for a call.
fn nested(part: &[ast::Expr]) -> Option<ast::Expr> {
    let [ast::Expr::Function(Function { name, args: FunctionArguments::List(list), .. })] = part
    else {
        return None;
    };
    let args = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(ast::Expr::Tuple(parts))) => Some(parts.clone()),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(node)) => Some(vec![node.clone()]),
        _ => None,
    });
    let args = args.collect::<Option<Vec<_>>>()?;
    match name.to_string().to_ascii_lowercase().as_str() {
        "rollup" => Some(ast::Expr::Rollup(args)),
        "cube" => Some(ast::Expr::Cube(args)),
        _ => None,
    }
}
