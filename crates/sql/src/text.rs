//! The user's text as tokens with byte ranges, checked for what would trip or drown the parser.
//!
//! `sqlparser` counts lines and characters; everything else here counts bytes. The two meet in
//! [`Text::span`], and nowhere else.

use std::collections::HashMap;
use std::ops::Range;

use dframe_core::{Error, Result};
use dframe_expr::Span;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span as Lines, Token, TokenWithSpan, Tokenizer};

use crate::check::{Grammar, check};
use crate::dialect::DuckDb;

/// A token that is not white space.
pub(crate) struct Lexeme {
    pub token: Token,
    pub range: Range<usize>,
    /// The other parenthesis or bracket of the pair, if this is one.
    pub partner: Option<usize>,
    /// The innermost parenthesis or bracket that is open here.
    pub enclosing: Option<usize>,
    lines: Lines,
}

impl Lexeme {
    /// The keyword, if it is an unquoted word that is one.
    pub fn keyword(&self) -> Keyword {
        match &self.token {
            Token::Word(word) if word.quote_style.is_none() => word.keyword,
            _ => Keyword::NoKeyword,
        }
    }
}

/// Text that is worth parsing: it has tokens, its parentheses match, and its depth is bounded.
pub(crate) struct Text<'a> {
    text: &'a str,
    pub lexemes: Vec<Lexeme>,
    starts: HashMap<Location, usize>,
    ends: HashMap<Location, usize>,
}

impl<'a> Text<'a> {
    /// Splits `text` into tokens and checks them.
    pub fn new(text: &'a str, grammar: Grammar) -> Result<Self> {
        let tokens = Tokenizer::new(&DuckDb, text).tokenize_with_location().map_err(|error| {
            let place = offsets(text, [error.location])[0];
            Error::invalid_input(lower_first(&error.message))
                .span(token_range(text, place))
                .remedy("close what is opened; a quote inside quotes is doubled")
        })?;
        let mut lexemes = lexemes(text, tokens);
        if lexemes.is_empty() {
            let what = match grammar {
                Grammar::Expressions => "an expression",
                Grammar::Query => "a query",
            };
            return Err(Error::invalid_input(format!("expected {what}, found nothing"))
                .span(text.len()..text.len()));
        }
        check(&mut lexemes, grammar)?;
        let starts = lexemes.iter().map(|l| (l.lines.start, l.range.start)).collect();
        let ends = lexemes.iter().map(|l| (l.lines.end, l.range.end)).collect();
        Ok(Self { text, lexemes, starts, ends })
    }

    /// The tokens, for the parser, with the `WHERE` that DuckDB lets users leave out of `FILTER (...)`.
    pub fn tokens(&self) -> Vec<TokenWithSpan> {
        let mut tokens = Vec::with_capacity(self.lexemes.len());
        for (index, lexeme) in self.lexemes.iter().enumerate() {
            tokens.push(TokenWithSpan::new(lexeme.token.clone(), lexeme.lines));
            if self.opens_filter(index) && self.keyword(index + 1) != Keyword::WHERE {
                tokens.push(TokenWithSpan::new(Token::make_keyword("WHERE"), lexeme.lines));
            }
        }
        tokens
    }

    /// The tokens of a query: as [`Text::tokens`], with the as-of joins of DuckDB, which the parser does not know,
    /// as joins that it knows and DuckDB does not. `ASOF JOIN` is `STRAIGHT_JOIN`, `ASOF LEFT JOIN` is `RIGHT SEMI
    /// JOIN`.
    pub fn query_tokens(&self) -> Vec<TokenWithSpan> {
        let mut tokens: Vec<TokenWithSpan> = vec![];
        let keyword = |token: Option<&TokenWithSpan>| match token.map(|token| &token.token) {
            Some(Token::Word(word)) if word.quote_style.is_none() => word.keyword,
            _ => Keyword::NoKeyword,
        };
        for mut token in self.tokens() {
            let (this, before) = (keyword(Some(&token)), keyword(tokens.last()));
            if before == Keyword::ASOF && matches!(this, Keyword::JOIN | Keyword::INNER) {
                token.token = Token::make_keyword("STRAIGHT_JOIN");
                tokens.pop();
            } else if before == Keyword::ASOF && this == Keyword::LEFT {
                tokens.pop();
                tokens.push(TokenWithSpan::new(Token::make_keyword("RIGHT"), token.span));
                token.token = Token::make_keyword("SEMI");
            } else if (before, this) == (Keyword::STRAIGHT_JOIN, Keyword::JOIN)
                || (before, this) == (Keyword::SEMI, Keyword::OUTER)
            {
                continue;
            }
            tokens.push(token);
        }
        tokens
    }

    fn opens_filter(&self, index: usize) -> bool {
        let is = |index: usize, token| self.lexemes[index].token == token;
        index > 1
            && is(index, Token::LParen)
            && self.keyword(index - 1) == Keyword::FILTER
            && is(index - 2, Token::RParen)
    }

    /// The keyword before byte `start`.
    pub fn keyword_before(&self, start: usize) -> Keyword {
        let before = self.index_from(start).checked_sub(1);
        before.map_or(Keyword::NoKeyword, |index| self.keyword(index))
    }

    fn keyword(&self, index: usize) -> Keyword {
        self.lexemes.get(index).map_or(Keyword::NoKeyword, Lexeme::keyword)
    }

    /// The byte range of the parser's span.
    pub fn span(&self, lines: Lines) -> Span {
        match (self.starts.get(&lines.start), self.ends.get(&lines.end)) {
            (Some(start), Some(end)) if start <= end => Span::new(*start, *end),
            _ => Span::NONE,
        }
    }

    /// The token that begins at `location`.
    pub fn lexeme_at(&self, location: Location) -> Option<usize> {
        let start = *self.starts.get(&location)?;
        Some(self.index_from(start))
    }

    /// The index of the first token that begins at or after byte `start`.
    pub fn index_from(&self, start: usize) -> usize {
        self.lexemes.partition_point(|lexeme| lexeme.range.start < start)
    }

    /// What the user wrote there.
    pub fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    /// The range of all tokens.
    pub fn whole(&self) -> Range<usize> {
        let start = self.lexemes.first().map_or(0, |lexeme| lexeme.range.start);
        start..self.lexemes.last().map_or(self.text.len(), |lexeme| lexeme.range.end)
    }

    /// The empty range behind the last byte.
    pub fn end(&self) -> Range<usize> {
        self.text.len()..self.text.len()
    }
}

fn lexemes(text: &str, tokens: Vec<TokenWithSpan>) -> Vec<Lexeme> {
    let locations = tokens.iter().flat_map(|token| [token.span.start, token.span.end]);
    let offsets = offsets(text, locations);
    let lexemes = tokens.into_iter().zip(offsets.chunks_exact(2)).filter_map(|(token, range)| {
        let range = range[0]..range[1];
        let (token, lines) = (token.token, token.span);
        let blank = matches!(token, Token::Whitespace(_));
        (!blank).then_some(Lexeme { token, range, partner: None, enclosing: None, lines })
    });
    join_powers(lexemes.collect())
}

/// DuckDB's `**` is `^`, which the parser knows.
fn join_powers(lexemes: Vec<Lexeme>) -> Vec<Lexeme> {
    let mut joined: Vec<Lexeme> = Vec::with_capacity(lexemes.len());
    for lexeme in lexemes {
        match joined.last_mut() {
            Some(last)
                if last.token == Token::Mul
                    && lexeme.token == Token::Mul
                    && last.range.end == lexeme.range.start =>
            {
                last.token = Token::Caret;
                last.range.end = lexeme.range.end;
                last.lines.end = lexeme.lines.end;
            }
            _ => joined.push(lexeme),
        }
    }
    joined
}

/// The byte offsets of ascending `locations`, counting as the tokenizer does: a line ends at `\n`, and
/// a column is a character. Locations past the end are the end.
fn offsets(text: &str, locations: impl IntoIterator<Item = Location>) -> Vec<usize> {
    let mut chars = text.char_indices().peekable();
    let mut here = Location { line: 1, column: 1 };
    let mut offset_of = |location| {
        while here < location {
            match chars.next() {
                Some((_, '\n')) => here = Location { line: here.line + 1, column: 1 },
                Some(_) => here.column += 1,
                None => break,
            }
        }
        chars.peek().map_or(text.len(), |(offset, _)| *offset)
    };
    locations.into_iter().map(&mut offset_of).collect()
}

/// The character at `start`, or nothing at the end.
fn token_range(text: &str, start: usize) -> Range<usize> {
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    start..start + length
}

/// A message in lower case at its start, unless it begins with an abbreviation.
pub(crate) fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => message.to_string(),
    }
}
