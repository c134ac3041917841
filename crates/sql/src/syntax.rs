//! Runs the parser over a comma-separated list or a query, and says its errors in the user's terms.

use dframe_core::{Error, Result};
use sqlparser::ast;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token};

use crate::dialect::DuckDb;
use crate::text::{Text, lower_first};

/// Levels of the parser, about two for each pair of parentheses.
const RECURSION_MAX: usize = 250;

/// Everything in `text`, item by item.
pub(crate) fn parse_list<T>(
    text: &Text<'_>,
    mut item: impl FnMut(&mut Parser<'_>) -> Result<T, ParserError>,
) -> Result<Vec<T>> {
    let parser = Parser::new(&DuckDb).with_recursion_limit(RECURSION_MAX);
    let mut parser = parser.with_tokens_with_locations(text.tokens());
    let mut items = vec![];
    loop {
        items.push(item(&mut parser).map_err(|error| explain(text, error))?);
        let next = parser.next_token();
        match next.token {
            Token::Comma => {}
            Token::EOF => return Ok(items),
            _ => return Err(unexpected(text, "',' or the end", text.lexeme_at(next.span.start))),
        }
    }
}

/// The one query in `text`, with or without a semicolon behind it.
pub(crate) fn parse_query(text: &Text<'_>) -> Result<ast::Query> {
    let parser = Parser::new(&DuckDb).with_recursion_limit(RECURSION_MAX);
    let mut parser = parser.with_tokens_with_locations(text.query_tokens());
    let query = parser.parse_query().map_err(|error| explain(text, error))?;
    while parser.consume_token(&Token::SemiColon) {}
    let next = parser.next_token();
    match next.token {
        Token::EOF => Ok(*query),
        _ => Err(unexpected(text, "the end of the query", text.lexeme_at(next.span.start))),
    }
}

fn explain(text: &Text<'_>, error: ParserError) -> Error {
    let message = match error {
        ParserError::RecursionLimitExceeded => {
            return Error::invalid_input("the expression is nested too deeply")
                .span(text.whole())
                .remedy("split it into several columns");
        }
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => message,
    };
    let (message, location) = split_location(&message);
    let index = location.and_then(|location| text.lexeme_at(location));
    match message.strip_prefix("Expected: ").and_then(|rest| rest.rsplit_once(", found: ")) {
        Some((expected, _)) => unexpected(text, &readable(expected), index),
        None if message.starts_with("No infix parser") => unexpected(text, "an operator", index),
        None => Error::invalid_input(lower_first(message)).span(place(text, index)),
    }
}

/// `expected` in place of the token at `index`; none is the end.
fn unexpected(text: &Text<'_>, expected: &str, index: Option<usize>) -> Error {
    let show = |index: usize| text.slice(text.lexemes[index].range.clone());
    let before = index.unwrap_or(text.lexemes.len()).checked_sub(1);
    let after = before.map_or(String::new(), |before| format!(" after '{}'", show(before)));
    let found = index.map_or("the end".to_string(), |index| format!("'{}'", show(index)));
    Error::invalid_input(format!("expected {expected}{after}, found {found}"))
        .span(place(text, index))
}

fn place(text: &Text<'_>, index: Option<usize>) -> std::ops::Range<usize> {
    index.map_or(text.end(), |index| text.lexemes[index].range.clone())
}

/// What the parser expected: symbols in quotes, words as they are, and not after what.
fn readable(expected: &str) -> String {
    match expected.split(" after ").next().unwrap_or(expected) {
        "end of statement" => "the end".to_string(),
        symbol if !symbol.contains(char::is_alphanumeric) => format!("'{symbol}'"),
        tests if tests.starts_with("[NOT] NULL |") => {
            "[NOT] NULL, TRUE, FALSE or DISTINCT FROM".to_string()
        }
        words => words.to_string(),
    }
}

/// The message, and the place that the parser writes behind it: ` at Line: 1, Column: 5`.
fn split_location(message: &str) -> (&str, Option<Location>) {
    let Some((head, tail)) = message.rsplit_once(" at Line: ") else { return (message, None) };
    let location = tail.split_once(", Column: ").and_then(|(line, column)| {
        Some(Location { line: line.parse().ok()?, column: column.parse().ok()? })
    });
    (head, location)
}
