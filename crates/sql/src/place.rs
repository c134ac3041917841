//! Where a syntax node was written, for the nodes whose own place the parser does not keep.
//!
//! Leaves have places. Everything else is found from them, by the tokens around: a cast is the
//! parentheses around its operand and the word before, `x IS NULL` ends at the next `NULL`.

use dframe_core::Error;
use dframe_expr::Span;
use sqlparser::ast::{self, Spanned};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use crate::text::{Lexeme, Text};

/// Marks the place of an error, if it is known.
pub(crate) fn at(error: Error, span: Span) -> Error {
    match span.range() {
        Some(range) => error.span(range),
        None => error,
    }
}

/// From the start of the first to the end of the last, of those that are known.
pub(crate) fn join(first: Span, last: Span) -> Span {
    match (first.0, last.0) {
        (Some((start, end)), Some((other, last))) => Span(Some((start.min(other), end.max(last)))),
        (Some(known), None) | (None, Some(known)) => Span(Some(known)),
        (None, None) => Span::NONE,
    }
}

impl Text<'_> {
    /// `span` and the token before it.
    pub fn with_before(&self, span: Span) -> Span {
        let Some(range) = span.range() else { return span };
        match self.index_from(range.start).checked_sub(1) {
            Some(index) => Span::new(self.lexemes[index].range.start, range.end),
            None => span,
        }
    }

    /// `span` with the parentheses around it.
    pub fn in_parentheses(&self, span: Span) -> Span {
        self.enclosing(span).map_or(span, |open| self.pair(open, open))
    }

    /// `span` with the parentheses around it and the word before them: `CAST(span AS DATE)`.
    pub fn in_call(&self, span: Span) -> Span {
        self.enclosing(span).map_or(span, |open| self.pair(open.saturating_sub(1), open))
    }

    /// A table's name. The parser keeps no place of one in single quotes: the first of that text behind FROM, JOIN,
    /// a comma or a parenthesis is taken for it.
    pub fn table(&self, name: &ast::ObjectName) -> Span {
        let known = self.span(name.span());
        let [part] = name.0.as_slice() else { return known };
        let Some(ident) = part.as_ident().filter(|_| known.range().is_none()) else { return known };
        let is_it = |(index, lexeme): &(usize, &Lexeme)| {
            let before = index.checked_sub(1).map(|before| &self.lexemes[before]);
            let opens = before.is_some_and(|before| {
                matches!(before.token, Token::Comma | Token::LParen)
                    || matches!(before.keyword(), Keyword::FROM | Keyword::JOIN)
            });
            opens && lexeme.token == Token::SingleQuotedString(ident.value.clone())
        };
        let found = self.lexemes.iter().enumerate().find(is_it);
        found.map_or(Span::NONE, |(_, lexeme)| Span::new(lexeme.range.start, lexeme.range.end))
    }

    /// The call whose name is at `span`, with its `FILTER (...)` or `OVER (...)`.
    pub fn call_of(&self, span: Span) -> Span {
        let Some(range) = span.range() else { return span };
        let mut last = self.index_from(range.end);
        let mut end = range.end;
        while let Some(close) = self
            .lexemes
            .get(last)
            .and_then(|lexeme| lexeme.partner.filter(|_| lexeme.token == Token::LParen))
        {
            end = self.lexemes[close].range.end;
            last = close + 1;
            let keyword = |index: usize| self.lexemes.get(index).map(|lexeme| lexeme.keyword());
            if matches!(keyword(last), Some(Keyword::IGNORE | Keyword::RESPECT)) {
                last += 2;
            }
            let next = keyword(last);
            if matches!(next, Some(Keyword::FILTER | Keyword::OVER)) {
                last += 1;
            }
        }
        Span::new(range.start, end)
    }

    /// `span` and the words behind it up to the one that ends a test: `IS NOT NULL`.
    pub fn with_test(&self, span: Span) -> Span {
        let Some(range) = span.range() else { return span };
        let tail = &self.lexemes[self.index_from(range.end)..];
        let end = tail.iter().take(4).find(|lexeme| {
            matches!(
                lexeme.keyword(),
                Keyword::NULL
                    | Keyword::NOTNULL
                    | Keyword::TRUE
                    | Keyword::FALSE
                    | Keyword::UNKNOWN
            )
        });
        Span::new(range.start, end.map_or(range.end, |lexeme| lexeme.range.end))
    }

    /// `span` with the `::` and the type behind it.
    pub fn with_cast(&self, span: Span) -> Span {
        let Some(range) = span.range() else { return span };
        let mut index = self.index_from(range.end) + 1;
        while self.lexemes.get(index + 1).is_some_and(|next| continues_type(next.keyword())) {
            index += 1;
        }
        if let Some(close) = self.lexemes.get(index + 1).and_then(|next| next.partner)
            && close > index
        {
            index = close;
        }
        let end = self.lexemes.get(index).map_or(range.end, |last| last.range.end);
        Span::new(range.start, end)
    }

    /// `span`, a string, with the name of the type before it.
    pub fn with_type_before(&self, span: Span) -> Span {
        let Some(range) = span.range() else { return span };
        let mut index = self.index_from(range.start).saturating_sub(1);
        if self.lexemes[index].token == Token::RParen {
            index = self.lexemes[index].partner.unwrap_or(index).saturating_sub(1);
        }
        index = match self.lexemes[index].keyword() {
            Keyword::ZONE => index.saturating_sub(3),
            Keyword::PRECISION | Keyword::VARYING => index.saturating_sub(1),
            _ => index,
        };
        Span::new(self.lexemes[index].range.start, range.end)
    }

    /// `span` with the brackets behind it.
    pub fn with_subscript(&self, span: Span) -> Span {
        let Some(range) = span.range() else { return span };
        let open = self.lexemes.get(self.index_from(range.end));
        let close = open.filter(|open| open.token == Token::LBracket).and_then(|open| open.partner);
        Span::new(range.start, close.map_or(range.end, |close| self.lexemes[close].range.end))
    }

    /// `span` and the token behind it.
    pub fn with_next(&self, span: Span) -> Span {
        let Some(range) = span.range() else { return span };
        let next = self.lexemes.get(self.index_from(range.end));
        Span::new(range.start, next.map_or(range.end, |next| next.range.end))
    }

    fn enclosing(&self, span: Span) -> Option<usize> {
        let index = self.index_from(span.range()?.start);
        self.lexemes.get(index)?.enclosing
    }

    /// From token `first` to the partner of the parenthesis `open`.
    fn pair(&self, first: usize, open: usize) -> Span {
        let close = self.lexemes[open].partner.unwrap_or(open);
        Span::new(self.lexemes[first].range.start, self.lexemes[close].range.end)
    }
}

/// The words of a type behind its first: `TIMESTAMP WITH TIME ZONE`.
fn continues_type(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::WITH
            | Keyword::WITHOUT
            | Keyword::TIME
            | Keyword::ZONE
            | Keyword::PRECISION
            | Keyword::VARYING
    )
}
