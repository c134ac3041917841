//! Calls: aggregate functions, scalar functions, and what to say about names that are neither.

use std::sync::Arc;

use arrow::array::AsArray;
use dframe_core::{Error, Result};
use dframe_expr::aggregate::AggregateFunction;
use dframe_expr::window::WindowFunction;
use dframe_expr::{AggregateCall, Expr, SortKey, Span, function};
use sqlparser::ast::{
    DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, NullTreatment,
};

use crate::convert::{Converter, Located};
use crate::literal::string;
use crate::place::at;
use crate::query::{excluded, table_name};
use crate::sort_key;
use crate::window::Clauses;

/// What says of a group whether it is without a key, which only a query with GROUP BY can tell.
pub(crate) const GROUPING: &str = "grouping";

/// What makes a row of each element of a list, which only the select list of a query can.
pub(crate) const UNNEST: &str = "unnest";

/// What stands for an expression of each of some columns, which only the select list of a query can have.
pub(crate) const COLUMNS: &str = "columns";

/// The text that a constant is.
pub(crate) fn text_of(expr: &Expr) -> Option<String> {
    let Expr::Literal(literal) = expr else { return None };
    literal.0.as_string_opt::<i32>().map(|texts| texts.value(0).to_string())
}

/// Whether a call of `grouping` is in `expr`.
pub(crate) fn has_grouping(expr: &Expr) -> bool {
    expr.any_node(|node| matches!(node, Expr::Call { name, .. } if name == GROUPING))
}

/// The arguments of a call as converted.
#[derive(Default)]
pub(crate) struct Args {
    pub args: Vec<Expr>,
    pub distinct: bool,
    /// The only argument is `*`.
    pub all: bool,
    pub order_by: Vec<SortKey>,
    /// `IGNORE NULLS` behind the arguments.
    pub ignore_nulls: bool,
}

impl Converter<'_> {
    /// A call by name.
    pub fn function(&self, node: Function) -> Result<Located> {
        let span = self.text.call_of(self.place(&node.name));
        self.refuse_clauses(&node, span)?;
        let name = match node.name.0.as_slice() {
            [part] => part.as_ident().map(|ident| ident.value.to_lowercase()),
            _ => None,
        };
        let name = name.ok_or_else(|| self.unsupported("a qualified function name", span))?;
        if self.in_query && name == COLUMNS && node.over.is_none() && node.filter.is_none() {
            return self.columns(node.args, span);
        }
        let args = match node.args {
            FunctionArguments::List(list) => self.args(list, span)?,
            _ => Args::default(),
        };
        let filter = node.filter.map(|filter| self.expr(*filter)).transpose()?;
        let filter = filter.map(|filter| Box::new(filter.expr));
        let ignore_nulls =
            args.ignore_nulls || node.null_treatment == Some(NullTreatment::IgnoreNulls);
        let is_window = |name: &str| {
            WindowFunction::parse(name).is_some()
                || aggregate(name, !args.args.is_empty()).is_some()
        };
        if node.over.is_some() || (self.over.is_some() && is_window(&name)) {
            let (over, clauses) = (node.over, Clauses { filter, ignore_nulls });
            return Ok(Located { expr: self.window(&name, args, clauses, over, span)?, span });
        }
        if ignore_nulls || node.null_treatment.is_some() {
            return Err(self.unsupported("IGNORE or RESPECT NULLS", span));
        }
        if WindowFunction::parse(&name).is_some() && AggregateFunction::parse(&name).is_none() {
            let error = Error::invalid_input(format!("{name} is a window function"));
            let remedy = format!("write {name}(...) OVER (PARTITION BY ... ORDER BY ...)");
            return Err(at(error.remedy(remedy), span));
        }
        let plain = !args.distinct && !args.all && args.order_by.is_empty() && filter.is_none();
        let known = match name.as_str() {
            "grouping" | "grouping_id" => Some(GROUPING),
            UNNEST => Some(UNNEST),
            _ => None,
        };
        if let Some(name) = known.filter(|_| self.in_query && plain) {
            let name = name.to_string();
            return Ok(Located { expr: Expr::Call { name, args: args.args, span }, span });
        }
        let expr = match aggregate(&name, !args.args.is_empty()) {
            Some((function, distinct)) => {
                let distinct = distinct || args.distinct;
                check_all(&function, &args, distinct, span)?;
                let Args { args, order_by, .. } = args;
                let call = AggregateCall { function, args, distinct, order_by, filter, span };
                Expr::Aggregate(Arc::new(call))
            }
            None => scalar(name, args, filter.is_some(), span)?,
        };
        Ok(Located { expr, span })
    }

    /// `COLUMNS(*)`, with the names that it excludes as further arguments, or `COLUMNS('pattern')`.
    fn columns(&self, args: FunctionArguments, span: Span) -> Result<Located> {
        let list = match args {
            FunctionArguments::List(list) => list.args,
            _ => vec![],
        };
        let mut args = vec![];
        for arg in list {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(node)) => {
                    args.push(self.expr(node)?.expr)
                }
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => args.push(Expr::Wildcard),
                FunctionArg::Unnamed(FunctionArgExpr::WildcardWithOptions(options))
                    if options.opt_replace.is_none() && options.opt_rename.is_none() =>
                {
                    args.push(Expr::Wildcard);
                    let excluded = options.opt_exclude.into_iter().flat_map(excluded);
                    args.extend(excluded.map(|name| string(&table_name(&name))));
                }
                _ => return Err(self.unsupported("this argument of COLUMNS", span)),
            }
        }
        let name = COLUMNS.to_string();
        Ok(Located { expr: Expr::Call { name, args, span }, span })
    }

    fn refuse_clauses(&self, node: &Function, span: Span) -> Result<()> {
        let what = if !node.within_group.is_empty() {
            "WITHIN GROUP"
        } else if node.parameters != FunctionArguments::None {
            "a call of a call"
        } else if matches!(node.args, FunctionArguments::Subquery(_)) {
            "a subquery"
        } else {
            return Ok(());
        };
        Err(self.unsupported(what, span))
    }

    fn args(&self, list: FunctionArgumentList, span: Span) -> Result<Args> {
        let nulls = |clause: &FunctionArgumentClause| match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => Some(*treatment),
            _ => None,
        };
        let ignore_nulls =
            list.clauses.iter().filter_map(nulls).any(|nulls| nulls == NullTreatment::IgnoreNulls);
        let clauses = list.clauses.into_iter().filter(|clause| nulls(clause).is_none());
        let order_by = self.order_within(clauses.collect(), span)?;
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let mut args = vec![];
        let mut all = false;
        for arg in list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(node)) => {
                    args.push(self.expr(node)?.expr)
                }
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => all = true,
                other => {
                    let what = format!("the argument '{other}'");
                    return Err(self.unsupported(&what, span));
                }
            }
        }
        match all && !args.is_empty() {
            true => Err(at(Error::invalid_input("'*' must be the only argument"), span)),
            false => Ok(Args { args, distinct, all, order_by, ignore_nulls }),
        }
    }
}

impl Converter<'_> {
    /// The keys of an ORDER BY within a call.
    fn order_within(
        &self,
        clauses: Vec<FunctionArgumentClause>,
        span: Span,
    ) -> Result<Vec<SortKey>> {
        let mut keys = Vec::new();
        for clause in clauses {
            match clause {
                FunctionArgumentClause::OrderBy(nodes) => {
                    for node in nodes {
                        keys.push(sort_key(self, node)?);
                    }
                }
                other => {
                    return Err(self.unsupported(&format!("'{other}' inside a call"), span));
                }
            }
        }
        Ok(keys)
    }
}

/// The aggregate function called `name`, and whether its name says `DISTINCT`. A name of both kinds,
/// such as `len`, is the scalar function where it has arguments, as in DuckDB.
pub(crate) fn aggregate(name: &str, has_args: bool) -> Option<(AggregateFunction, bool)> {
    match name {
        "n_unique" | "nunique" => Some((AggregateFunction::Count, true)),
        _ if has_args && function::exists(name) => None,
        _ => AggregateFunction::parse(name).map(|function| (function, false)),
    }
}

fn check_all(function: &AggregateFunction, args: &Args, distinct: bool, span: Span) -> Result<()> {
    let error = if args.all && *function != AggregateFunction::Count {
        Error::invalid_input(format!("{}(*) has no meaning", function.name()))
            .remedy("name a column")
    } else if args.args.is_empty() && distinct {
        Error::invalid_input("DISTINCT needs an argument").remedy("write count(DISTINCT x)")
    } else {
        return Ok(());
    };
    Err(at(error, span))
}

fn scalar(name: String, args: Args, filtered: bool, span: Span) -> Result<Expr> {
    if name != "if" && !function::exists(&name) {
        return Err(unknown(&name, span));
    }
    let error = if args.distinct || filtered || !args.order_by.is_empty() {
        Error::invalid_input(format!("{name} is not an aggregate function"))
            .remedy("leave out DISTINCT, ORDER BY and FILTER")
    } else if args.all {
        Error::invalid_input(format!("{name}(*) has no meaning")).remedy("name a column")
    } else if name == "if" {
        return choice(args.args, span);
    } else {
        return Ok(Expr::Call { name, args: args.args, span });
    };
    Err(at(error, span))
}

/// `if(condition, yes, no)` is a `CASE` of one branch.
fn choice(args: Vec<Expr>, span: Span) -> Result<Expr> {
    let count = args.len();
    let [condition, yes, no] = <[Expr; 3]>::try_from(args).map_err(|_| {
        let error = Error::invalid_input(format!("if: takes 3 arguments, not {count}"));
        at(error.remedy("usage: if(condition, value, other)"), span)
    })?;
    let branches = vec![(condition, yes)];
    Ok(Expr::Case { operand: None, branches, otherwise: Some(Box::new(no)), span })
}

/// The scalar function `name` of `args`, if there is one.
pub(crate) fn call(name: &str, args: Vec<Expr>, span: Span) -> Result<Expr> {
    scalar(name.to_string(), Args { args, ..Args::default() }, false, span)
}

pub(crate) fn unknown(name: &str, span: Span) -> Error {
    let error = Error::invalid_input(format!("there is no function '{name}'"));
    let nearest = nearest(name);
    let error = match nearest.as_slice() {
        [] => error,
        names => {
            let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
            error.remedy(format!("did you mean {}?", quoted.join(" or ")))
        }
    };
    at(error, span)
}

/// Up to three names that are written much like `name`, the nearest first.
fn nearest(name: &str) -> Vec<&'static str> {
    let names = function::names()
        .chain(AggregateFunction::names())
        .chain(WindowFunction::names())
        .chain(["n_unique"]);
    let mut scored: Vec<(f64, &str)> = names
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    scored.dedup_by_key(|(_, candidate)| *candidate);
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}
