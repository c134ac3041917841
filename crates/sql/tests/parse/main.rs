//! What users type, against the expressions it means and the messages it earns.

mod calls;
mod constants;
mod items;
mod limits;
mod operators;
mod places;

use dframe_core::Error;
use dframe_expr::{Expr, Literal};
use dframe_sql::{parse_expr, parse_exprs};

fn parsed(text: &str) -> Expr {
    parse_expr(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn literal(text: &str) -> Literal {
    match parsed(text) {
        Expr::Literal(literal) => literal,
        other => panic!("{text} is no constant: {other:?}"),
    }
}

fn failed(text: &str) -> Error {
    parse_exprs(text).expect_err(text)
}

fn marked(error: &Error) -> Option<String> {
    let snippet = error.snippet()?;
    Some(snippet.text[snippet.range.clone()].to_string())
}

/// `text` and its fully parenthesised form mean the same.
fn assert_groups(text: &str, grouped: &str) {
    assert_eq!(parsed(text), parsed(grouped), "{text} against {grouped}");
}
