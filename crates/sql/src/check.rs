//! What is refused before parsing: unmatched parentheses and brackets, subqueries, and depth without end.
//!
//! The parser builds `a + b + c + ...` as a tree as deep as it is long, and drops it recursively; so
//! does everybody downstream. A bound on the depth that tokens can make keeps all stacks small.

use dframe_core::{Error, Result};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use crate::text::Lexeme;

/// The deepest tree an expression may be, as in DuckDB.
pub(crate) const DEPTH_MAX: usize = 1000;
/// The most parentheses inside each other.
pub(crate) const PARENTHESES_MAX: usize = 100;

/// What a text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    /// Expressions; no queries inside.
    Expressions,
    /// One query.
    Query,
}

/// Checks the tokens, and links each parenthesis with its partner.
pub(crate) fn check(lexemes: &mut [Lexeme], grammar: Grammar) -> Result<()> {
    match grammar {
        Grammar::Expressions => refuse_unsupported(lexemes)?,
        Grammar::Query => refuse_in_queries(lexemes)?,
    }
    match_parentheses(lexemes)?;
    check_depth(lexemes)
}

fn refuse_unsupported(lexemes: &[Lexeme]) -> Result<()> {
    for (index, lexeme) in lexemes.iter().enumerate() {
        let what = match lexeme.token {
            Token::LBrace => "structs are",
            _ if excludes(&lexemes[index..]) => "EXCLUDE in a window's frame is",
            Token::LParen if is_query(&lexemes[index + 1..]) => "a subquery is",
            _ => continue,
        };
        return Err(Error::unsupported(format!("{what} not supported in an expression"))
            .span(lexeme.range.clone()));
    }
    if is_query(lexemes) {
        return Err(Error::unsupported("a whole query is not an expression")
            .span(lexemes[0].range.clone())
            .remedy("write the expressions alone, without SELECT and FROM"));
    }
    Ok(())
}

fn refuse_in_queries(lexemes: &[Lexeme]) -> Result<()> {
    if let Some((what, remedy)) = lexemes.first().and_then(|first| statement(&first.token)) {
        return Err(Error::unsupported(format!("{what} is not supported: it is no query"))
            .span(lexemes[0].range.clone())
            .remedy(remedy));
    }
    for (index, lexeme) in lexemes.iter().enumerate() {
        let what = match lexeme.token {
            Token::LBrace => "structs are",
            _ if excludes(&lexemes[index..]) => "EXCLUDE in a window's frame is",
            // The parser knows these joins, and as-of joins are written as them for it.
            _ if matches!(lexeme.keyword(), Keyword::STRAIGHT_JOIN) => "STRAIGHT_JOIN is",
            _ if is_right_semi(&lexemes[index..]) => "RIGHT SEMI JOIN is",
            _ => continue,
        };
        return Err(Error::unsupported(format!("{what} not supported")).span(lexeme.range.clone()));
    }
    Ok(())
}

/// What a statement that begins with this word is called, and what there is instead.
fn statement(first: &Token) -> Option<(&'static str, &'static str)> {
    let Token::Word(word) = first else { return None };
    Some(match word.value.to_ascii_uppercase().as_str() {
        "PIVOT" | "PIVOT_WIDER" => {
            ("PIVOT", "use dframe pivot, or aggregates with FILTER (WHERE ..)")
        }
        "UNPIVOT" | "PIVOT_LONGER" => ("UNPIVOT", "use dframe unpivot, or UNION ALL"),
        "DESCRIBE" | "DESC" | "SHOW" => ("DESCRIBE", "use dframe schema"),
        "SUMMARIZE" => ("SUMMARIZE", "use dframe describe"),
        "EXPLAIN" => ("EXPLAIN", "add the flag --explain"),
        "COPY" | "EXPORT" => ("COPY", "write the query alone, and name a file with -o"),
        "CREATE" | "INSERT" | "UPDATE" | "DELETE" | "DROP" | "ALTER" | "MERGE" | "TRUNCATE" => {
            ("a statement that changes tables", "select rows, and write them to a file with -o")
        }
        "SET" | "PRAGMA" | "ATTACH" | "USE" | "INSTALL" | "LOAD" | "CALL" => {
            ("a command", "settings are flags of dframe and keys of its settings file")
        }
        _ => return None,
    })
}

fn is_right_semi(lexemes: &[Lexeme]) -> bool {
    let [first, second, ..] = lexemes else { return false };
    first.keyword() == Keyword::RIGHT && second.keyword() == Keyword::SEMI
}

/// Whether a frame's `EXCLUDE` begins here, which the parser does not know.
fn excludes(lexemes: &[Lexeme]) -> bool {
    let [first, second, ..] = lexemes else { return false };
    let words = [Keyword::CURRENT, Keyword::GROUP, Keyword::TIES, Keyword::NO];
    first.keyword() == Keyword::EXCLUDE && words.contains(&second.keyword())
}

/// Whether a query begins here. Its words may also be names of columns.
fn is_query(lexemes: &[Lexeme]) -> bool {
    let [first, second, ..] = lexemes else { return false };
    match first.keyword() {
        Keyword::SELECT => second.token != Token::Period,
        Keyword::WITH => matches!(second.token, Token::Word(_)),
        Keyword::VALUES => second.token == Token::LParen,
        _ => false,
    }
}

fn match_parentheses(lexemes: &mut [Lexeme]) -> Result<()> {
    let mut open: Vec<usize> = vec![];
    for index in 0..lexemes.len() {
        let range = lexemes[index].range.clone();
        match lexemes[index].token {
            Token::LParen | Token::LBracket => {
                lexemes[index].enclosing = open.last().copied();
                open.push(index);
                if open.len() > PARENTHESES_MAX {
                    return Err(too_deep(format!("{PARENTHESES_MAX} parentheses")).span(range));
                }
                continue;
            }
            Token::RParen | Token::RBracket => {
                let (this, other) = closing(&lexemes[index].token);
                let partner = open.pop().filter(|open| lexemes[*open].token == other);
                let partner = partner.ok_or_else(|| {
                    let error = Error::invalid_input(format!("'{this}' closes nothing"));
                    error.span(range).remedy("remove it")
                })?;
                lexemes[index].partner = Some(partner);
                lexemes[partner].partner = Some(index);
            }
            _ => {}
        }
        lexemes[index].enclosing = open.last().copied();
    }
    let Some(index) = open.last() else { return Ok(()) };
    let (open, close) =
        if lexemes[*index].token == Token::LParen { ('(', ')') } else { ('[', ']') };
    Err(Error::invalid_input(format!("'{open}' is never closed"))
        .span(lexemes[*index].range.clone())
        .remedy(format!("add the missing '{close}'")))
}

/// How it is written, and what it closes.
fn closing(token: &Token) -> (char, Token) {
    match token {
        Token::RParen => (')', Token::LParen),
        _ => (']', Token::LBracket),
    }
}

/// What a stretch of text between parentheses can make: each operator in a row between commas may
/// be a level, on top of the deepest parenthesis in that row.
#[derive(Clone, Copy, Default)]
struct Frame {
    operators: usize,
    inner: usize,
    deepest: usize,
}

impl Frame {
    fn next_item(&mut self) {
        self.deepest = self.depth();
        (self.operators, self.inner) = (0, 0);
    }

    fn depth(&self) -> usize {
        self.deepest.max(self.operators + self.inner)
    }
}

fn check_depth(lexemes: &[Lexeme]) -> Result<()> {
    let mut outer: Vec<Frame> = vec![];
    let mut frame = Frame::default();
    for lexeme in lexemes {
        match lexeme.token {
            Token::LParen | Token::LBracket => {
                // A subscript is around what it is behind.
                frame.operators += usize::from(lexeme.token == Token::LBracket);
                outer.push(std::mem::take(&mut frame));
            }
            Token::RParen | Token::RBracket => {
                let depth = frame.depth() + 1;
                frame = outer.pop().unwrap_or_default();
                frame.inner = frame.inner.max(depth);
            }
            Token::Comma => frame.next_item(),
            _ => frame.operators += usize::from(may_nest(lexeme)),
        }
        if frame.depth() > DEPTH_MAX {
            return Err(too_deep(format!("{DEPTH_MAX} operators")).span(lexeme.range.clone()));
        }
    }
    Ok(())
}

/// Whether a level can come of it. Names and constants make none, nor do the inner words of `CASE`.
fn may_nest(lexeme: &Lexeme) -> bool {
    match &lexeme.token {
        Token::Word(_) => !matches!(
            lexeme.keyword(),
            Keyword::NoKeyword
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE
                | Keyword::END
                | Keyword::NULL
                | Keyword::TRUE
                | Keyword::FALSE
        ),
        Token::Number(..) | Token::SingleQuotedString(_) => false,
        _ => true,
    }
}

fn too_deep(limit: String) -> Error {
    Error::invalid_input(format!("the expression is nested deeper than {limit}"))
        .remedy("split it into several columns, or write x IN (...) instead of many ORs")
}
