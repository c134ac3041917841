//! The parser's dialect: its DuckDB with DuckDB's own precedences and without what backtracks.
//!
//! The parser tries some constructs twice when the first try fails, which doubles the work at each level
//! of nesting; those are parsed here once, or left out.

use std::any::TypeId;

use sqlparser::ast::{
    self, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, Interval, ObjectName, TypedString, UnaryOperator,
};
use sqlparser::dialect::{Dialect, DuckDbDialect, Precedence};
use sqlparser::keywords::{Keyword, RESERVED_FOR_COLUMN_ALIAS};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

/// DuckDB as this crate reads it.
#[derive(Debug)]
pub(crate) struct DuckDb;

/// Binds tighter than `*`, as in DuckDB.
const POWER: u8 = 45;
/// Binds tighter than `^`: `-2 ^ 2` is 4 in DuckDB.
const SIGN: u8 = 48;
/// Binds tighter than all operators.
const OPERAND: u8 = 99;
/// All operators without a rank of their own, such as `||`.
const OTHER: u8 = 25;

impl Dialect for DuckDb {
    fn dialect(&self) -> TypeId {
        DuckDbDialect.dialect()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_part(ch)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        matches!(
            keyword,
            Keyword::CASE
                | Keyword::CAST
                | Keyword::EXISTS
                | Keyword::INTERVAL
                | Keyword::NOT
                | Keyword::TRIM
                | Keyword::TRY_CAST
        )
    }

    fn is_column_alias(&self, keyword: &Keyword, _: &mut Parser) -> bool {
        !is_operator_word(*keyword)
            && *keyword != Keyword::NOT
            && !RESERVED_FOR_COLUMN_ALIAS.contains(keyword)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        false
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_select_wildcard_replace(&self) -> bool {
        true
    }

    fn supports_select_wildcard_rename(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_from_first_select(&self) -> bool {
        true
    }

    fn supports_order_by_all(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Or => 5,
            Precedence::And => 10,
            Precedence::UnaryNot => 15,
            Precedence::Is => 17,
            Precedence::Eq => 20,
            Precedence::Between | Precedence::Like => 22,
            Precedence::Xor
            | Precedence::Ampersand
            | Precedence::Pipe
            | Precedence::Colon
            | Precedence::PgOther => OTHER,
            Precedence::PlusMinus => 30,
            Precedence::MulDivModOp => 40,
            Precedence::Caret => POWER,
            Precedence::AtTz => 47,
            Precedence::DoubleColon => 50,
            Precedence::Period => 100,
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::StringConcat | Token::ShiftLeft | Token::ShiftRight | Token::Tilde => {
                Some(Ok(OTHER))
            }
            Token::ExclamationMarkTilde | Token::DoubleTilde => Some(Ok(OTHER)),
            _ => None,
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let (first, second) = (parser.peek_nth_token_ref(0), parser.peek_nth_token_ref(1));
        match (&first.token, &second.token) {
            (Token::Minus, _) => Some(signed(parser, UnaryOperator::Minus)),
            (Token::Plus, _) => Some(signed(parser, UnaryOperator::Plus)),
            (Token::EscapedStringLiteral(text), _) => {
                let text = text.clone();
                Some(escaped_string(parser, text))
            }
            (Token::Word(word), Token::LParen) if word.keyword == Keyword::POSITION => {
                Some(position(parser))
            }
            (Token::Word(word), _) if word.keyword == Keyword::INTERVAL => Some(interval(parser)),
            (Token::Word(word), _) if is_operator_word(word.keyword) => {
                Some(parser.expected_ref("an expression", first))
            }
            (Token::Word(word), Token::SingleQuotedString(_)) => {
                let name = word.value.to_ascii_uppercase();
                let name = name.starts_with("TIMESTAMP_").then_some(name)?;
                Some(typed_string(parser, name))
            }
            _ => None,
        }
    }
}

/// Words that are no names without quotes: read as names, they would turn typing errors into other
/// expressions (`a AND AND b`).
fn is_operator_word(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::AND
            | Keyword::AS
            | Keyword::BETWEEN
            | Keyword::ELSE
            | Keyword::FROM
            | Keyword::ILIKE
            | Keyword::IN
            | Keyword::IS
            | Keyword::LIKE
            | Keyword::OR
            | Keyword::SELECT
            | Keyword::THEN
            | Keyword::WHEN
            | Keyword::WHERE
    )
}

fn signed(parser: &mut Parser, op: UnaryOperator) -> Result<Expr, ParserError> {
    parser.advance_token();
    Ok(Expr::UnaryOp { op, expr: Box::new(parser.parse_subexpr(SIGN)?) })
}

/// `TIMESTAMP_NS '...'`: the parser takes only the standard's types before a string.
fn typed_string(parser: &mut Parser, name: String) -> Result<Expr, ParserError> {
    parser.advance_token();
    let data_type = ast::DataType::Custom(ObjectName::from(vec![Ident::new(name)]), vec![]);
    let value = parser.parse_value()?;
    Ok(Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false }))
}

/// `INTERVAL value [unit]`.
fn interval(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.advance_token();
    let value = Box::new(parser.parse_subexpr(OPERAND)?);
    let unit = match &parser.peek_token_ref().token {
        Token::Word(word) if word.quote_style.is_none() && is_unit(&word.value) => {
            Some(DateTimeField::Custom(parser.parse_identifier()?))
        }
        _ => None,
    };
    Ok(Expr::Interval(Interval {
        value,
        leading_field: unit,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }))
}

/// The units in full, one or many. Their abbreviations could be names of columns.
fn is_unit(word: &str) -> bool {
    const UNITS: [&str; 13] = [
        "millennium",
        "century",
        "decade",
        "year",
        "quarter",
        "month",
        "week",
        "day",
        "hour",
        "minute",
        "second",
        "millisecond",
        "microsecond",
    ];
    let word = word.to_ascii_lowercase();
    let one = word.strip_suffix('s').unwrap_or(&word);
    UNITS.contains(&one) || matches!(one, "centurie" | "millennia")
}

/// `POSITION(needle IN text)`, or a call with commas.
fn position(parser: &mut Parser) -> Result<Expr, ParserError> {
    let name = parser.parse_identifier()?;
    parser.expect_token(&Token::LParen)?;
    let first = parser.parse_subexpr(DuckDb.prec_value(Precedence::Between))?;
    if parser.consume_token(&Token::Comma) {
        let mut args = vec![first];
        args.extend(parser.parse_comma_separated(Parser::parse_expr)?);
        parser.expect_token(&Token::RParen)?;
        return Ok(call(name, args));
    }
    parser.expect_keyword(Keyword::IN)?;
    let text = parser.parse_expr()?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Position { expr: Box::new(first), r#in: Box::new(text) })
}

fn call(name: Ident, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)));
    let list =
        FunctionArgumentList { duplicate_treatment: None, args: args.collect(), clauses: vec![] };
    Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// `E'...'`: the parser takes it for PostgreSQL only.
fn escaped_string(parser: &mut Parser, text: String) -> Result<Expr, ParserError> {
    let span = parser.next_token().span;
    Ok(Expr::Value(ast::Value::EscapedStringLiteral(text).with_span(span)))
}
