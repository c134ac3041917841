//! SQL text to expressions, what users type after `--agg`, `--where`, `--by` and `--sort`; and queries to plans.
//!
//! ```text
//!   text --(tokens, byte ranges)--> Text --(sqlparser)--> syntax tree --(convert)--> Expr with spans
//!                                                              |
//!                                                              +-------(query)--> LogicalPlan
//! ```
//!
//! The dialect is DuckDB's. For expressions this crate knows functions by name but no schemas: whether a column
//! exists and whether types fit is found out when an expression is bound. A query asks whoever calls for its
//! tables, and gives a plan that is bound. Every error carries the byte range
//! of the text at fault, so that the command line can draw a caret under it.
//!
//! Where it differs from DuckDB: `1.5` is a `DOUBLE`, and a `DECIMAL` only if it has more digits than a
//! `DOUBLE` keeps; integer literals are `BIGINT`, or `DECIMAL(38, 0)` beyond it; a trailing comma is an error, because it is mostly an empty shell variable.
//!
//! ```
//! let exprs = dframe_sql::parse_exprs("sum(price * size) / sum(size) AS vwap, count(*)")?;
//! assert_eq!(exprs[0].output_name(), "vwap");
//! assert_eq!(exprs[1].to_string(), "count(*)");
//! # Ok::<(), dframe_core::Error>(())
//! ```

mod call;
mod check;
mod convert;
mod data_type;
mod dialect;
mod form;
mod inner;
mod interval;
mod literal;
mod place;
mod query;
mod syntax;
mod text;
mod window;

use arrow::datatypes::DataType;
use dframe_core::{Error, Result};
use dframe_expr::window::Over;
use dframe_expr::{Expr, SortKey};
use sqlparser::ast::{self, OrderBySort, SelectItem};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use crate::check::Grammar;
use crate::convert::{Converter, Located};
use crate::data_type::data_type;
use crate::syntax::parse_list;
use crate::text::Text;

pub use crate::query::{Table, Tables, plan_query};

/// A select list: expressions with or without a name, and `*`.
///
/// The names are given by `AS name`, or just `name`; a `*` becomes [`Expr::Wildcard`].
pub fn parse_exprs(text: &str) -> Result<Vec<Expr>> {
    parse_items(text).map(|items| items.into_iter().map(|item| item.expr).collect())
}

/// As [`parse_exprs`], where aggregates and window functions without OVER are about the rows of `over`, and
/// an OVER that has a frame alone adds it.
pub fn parse_exprs_over(text: &str, over: &Over) -> Result<Vec<Expr>> {
    let items = with_text(text, |text| items_of(text, &Converter::over_rows(text, over)))?;
    Ok(items.into_iter().map(|item| item.expr).collect())
}

/// Exactly one expression without a name, such as a predicate.
pub fn parse_expr(text: &str) -> Result<Expr> {
    with_text(text, |text| {
        let nodes = parse_list(text, |parser| parser.parse_expr())?;
        let [node] = <[ast::Expr; 1]>::try_from(nodes).map_err(|nodes| {
            Error::invalid_input(format!("expected one expression, found {}", nodes.len()))
                .span(text.whole())
                .remedy("join conditions with AND")
        })?;
        Ok(Converter::new(text).expr(node)?.expr)
    })
}

/// Columns to group by or join on: names, or expressions with a name.
pub fn parse_columns(text: &str) -> Result<Vec<Expr>> {
    let items = parse_items(text)?;
    items.into_iter().map(|item| named(item, text)).collect()
}

/// Keys to sort by: `expr [ASC | DESC] [NULLS FIRST | NULLS LAST]`. NULLs come last unless told.
pub fn parse_keys(text: &str) -> Result<Vec<SortKey>> {
    with_text(text, |text| {
        let nodes = parse_list(text, |parser| parser.parse_order_by_expr())?;
        let converter = Converter::new(text);
        nodes.into_iter().map(|node| sort_key(&converter, node)).collect()
    })
}

/// Columns with their types: `id: bigint, "the day": date`.
pub fn parse_schema(text: &str) -> Result<Vec<(String, DataType)>> {
    with_text(text, |text| {
        let columns = parse_list(text, |parser| {
            let name = parser.parse_identifier()?;
            parser.expect_token(&Token::Colon)?;
            Ok((name.value, parser.parse_data_type()?))
        })?;
        let column = |(name, node): (String, ast::DataType)| Ok((name, data_type(&node)?));
        columns.into_iter().map(column).collect()
    })
}

fn with_text<T>(text: &str, parse: impl FnOnce(&Text<'_>) -> Result<T>) -> Result<T> {
    Text::new(text, Grammar::Expressions)
        .and_then(|text| parse(&text))
        .map_err(|error| error.in_text(text))
}

fn parse_items(text: &str) -> Result<Vec<Located>> {
    with_text(text, |text| items_of(text, &Converter::new(text)))
}

fn items_of(text: &Text<'_>, converter: &Converter<'_>) -> Result<Vec<Located>> {
    let nodes = parse_list(text, |parser| parser.parse_select_item())?;
    nodes.into_iter().map(|node| select_item(converter, node)).collect()
}

fn select_item(converter: &Converter<'_>, item: SelectItem) -> Result<Located> {
    match item {
        SelectItem::UnnamedExpr(node) => converter.expr(node),
        SelectItem::ExprWithAlias { alias, .. } if is_test(converter, &alias) => {
            let error = Error::unsupported("ISNULL is not supported").remedy("write IS NULL");
            Err(place::at(error, converter.text.span(alias.span)))
        }
        SelectItem::ExprWithAlias { expr, alias } => {
            let Located { expr, span } = converter.expr(expr)?;
            Ok(Located { expr: Expr::Alias(Box::new(expr), alias.value), span })
        }
        SelectItem::Wildcard(options) => converter.wildcard(options),
        SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) => {
            let span = converter.place(&item);
            Err(converter.unsupported(&converter.quote(span), span))
        }
    }
}

/// PostgreSQL's `x ISNULL` would read as `x AS isnull`.
pub(crate) fn is_test(converter: &Converter<'_>, alias: &ast::Ident) -> bool {
    let start = converter.text.span(alias.span).range().map_or(0, |range| range.start);
    alias.quote_style.is_none()
        && alias.value.eq_ignore_ascii_case("isnull")
        && converter.text.keyword_before(start) != Keyword::AS
}

/// An output column must be called something: the text of an expression is no name to join on.
fn named(item: Located, text: &str) -> Result<Expr> {
    let range = item.span.range().unwrap_or(0..text.len());
    let error = match &item.expr {
        Expr::Column(_) | Expr::Alias(..) => return Ok(item.expr),
        Expr::Wildcard => Error::invalid_input("'*' is not a column").remedy("name the columns"),
        _ => Error::invalid_input("an expression among columns needs a name")
            .remedy(format!("write {} AS name", &text[range.clone()])),
    };
    Err(error.span(range).in_text(text))
}

pub(crate) fn sort_key(converter: &Converter<'_>, node: ast::OrderByExpr) -> Result<SortKey> {
    let Located { expr, span } = converter.expr(node.expr)?;
    if matches!(expr, Expr::Literal(_)) {
        let error = Error::invalid_input("a constant does not order rows");
        return Err(place::at(error, span).remedy("sort by the name of a column"));
    }
    let descending = match node.options.sort {
        None | Some(OrderBySort::Asc) => false,
        Some(OrderBySort::Desc) => true,
        Some(OrderBySort::Using(_)) => return Err(converter.unsupported("USING", span)),
    };
    Ok(SortKey { expr, descending, nulls_first: node.options.nulls_first.unwrap_or(false) })
}
