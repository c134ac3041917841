//! Syntax trees to expressions.
//!
//! Chains of operators (`a + b + c`) are walked in a loop, since they are as deep as they are long; all
//! other nesting is bounded, and recursive. Each node's place is joined from its parts' on the way up.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use dframe_core::{Error, Result};
use dframe_expr::window::Over;
use dframe_expr::{BinaryOp, Column, Expr, Like, Span, UnaryOp};
use sqlparser::ast::{
    self, BinaryOperator, CaseWhen, Ident, Spanned, UnaryOperator, WildcardAdditionalOptions,
};

use crate::call::call;
use crate::inner::Inner;
use crate::literal::{literal, number};
use crate::place::{at, join};
use crate::text::Text;

/// The deepest recursion. The parser's own limit is below it; chains of `IS`, `::` and so on are not.
const DEPTH_MAX: usize = 300;
/// `BETWEEN` repeats its operand, so each level of them doubles the expression.
const BETWEEN_MAX: usize = 6;
/// The most characters of the user's text to repeat in a message.
const QUOTE_MAX: usize = 40;

/// An expression and where it was written, parentheses included.
pub(crate) struct Located {
    pub expr: Expr,
    pub span: Span,
}

/// Converts the nodes of one text.
pub(crate) struct Converter<'a> {
    pub text: &'a Text<'a>,
    /// The rows that functions without OVER are about, where they are window functions all.
    pub over: Option<Over>,
    /// The windows that a WINDOW clause names, by their names in lower case.
    pub windows: HashMap<String, Over>,
    /// Whether the nodes are of a whole query, where more calls have a meaning.
    pub in_query: bool,
    /// The queries inside expressions, where a whole query is converted.
    pub queries: Option<RefCell<Vec<Inner>>>,
    /// How many queries inside expressions the text has had until now.
    pub count: Rc<Cell<usize>>,
    depth: Cell<usize>,
    betweens: Cell<usize>,
}

impl<'a> Converter<'a> {
    /// A converter of nodes parsed from `text`.
    pub fn new(text: &'a Text<'a>) -> Self {
        Self {
            text,
            over: None,
            windows: HashMap::new(),
            in_query: false,
            queries: None,
            count: Rc::default(),
            depth: Cell::new(0),
            betweens: Cell::new(0),
        }
    }

    /// As [`Converter::new`], of nodes in which functions without OVER are about the rows of `over`.
    pub fn over_rows(text: &'a Text<'a>, over: &Over) -> Self {
        Self { over: Some(over.clone()), ..Self::new(text) }
    }

    /// A converter of nodes of a whole query.
    pub fn of_query(text: &'a Text<'a>) -> Self {
        Self { in_query: true, ..Self::new(text) }
    }

    /// This converter, which keeps queries inside expressions and goes on counting from `count`.
    pub fn with_queries(self, count: Rc<Cell<usize>>) -> Self {
        Self { queries: Some(RefCell::default()), count, ..self }
    }

    /// The queries kept until now.
    pub fn take_queries(&self) -> Vec<Inner> {
        self.queries.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// The expression that `node` means.
    pub fn expr(&self, node: ast::Expr) -> Result<Located> {
        if self.depth.get() == DEPTH_MAX {
            let error = Error::invalid_input("the expression is nested too deeply");
            return Err(error.span(self.text.whole()).remedy("split it into several columns"));
        }
        self.depth.set(self.depth.get() + 1);
        let expr = self.node(node);
        self.depth.set(self.depth.get() - 1);
        expr
    }

    /// Where the parser says that `node` is.
    pub fn place(&self, node: &impl Spanned) -> Span {
        self.text.span(node.span())
    }

    /// `*`; its options are not supported.
    pub fn wildcard(&self, options: WildcardAdditionalOptions) -> Result<Located> {
        let span = self.text.span(options.wildcard_token.0.span);
        let plain = WildcardAdditionalOptions {
            wildcard_token: options.wildcard_token.clone(),
            ..Default::default()
        };
        match options == plain {
            true => Ok(Located { expr: Expr::Wildcard, span }),
            false => Err(self.unsupported(&format!("'*{options}'"), span)),
        }
    }

    /// What the user wrote at `span`, short enough for a message.
    pub fn quote(&self, span: Span) -> String {
        let source = self.text.slice(span.range().unwrap_or_default());
        match source.char_indices().nth(QUOTE_MAX) {
            _ if source.is_empty() => "this expression".to_string(),
            Some((end, _)) => format!("'{}...'", &source[..end]),
            None => format!("'{source}'"),
        }
    }

    fn node(&self, node: ast::Expr) -> Result<Located> {
        use ast::Expr as Node;
        match node {
            Node::Identifier(name) => Ok(self.column(None, name)),
            Node::CompoundIdentifier(parts) => self.qualified(parts),
            Node::Value(value) => {
                let span = self.text.span(value.span);
                let source = self.text.slice(span.range().unwrap_or_default());
                let expr = literal(value.value, source).map_err(|error| at(error, span))?;
                Ok(Located { expr, span })
            }
            Node::Nested(inner) => {
                let Located { expr, span } = self.expr(*inner)?;
                Ok(Located { expr, span: self.text.in_parentheses(span) })
            }
            Node::BinaryOp { .. } => self.chain(node),
            Node::UnaryOp { op, expr } => self.unary(op, *expr),
            Node::Function(call) => self.function(call),
            Node::Wildcard(token) => {
                let error = Error::invalid_input("'*' stands for columns only in a list of them");
                Err(at(error, self.text.span(token.0.span)))
            }
            other => self.predicate(other),
        }
    }

    fn predicate(&self, node: ast::Expr) -> Result<Located> {
        use ast::Expr as Node;
        match node {
            Node::IsNull(expr) | Node::IsUnknown(expr) => self.test(UnaryOp::IsNull, *expr),
            Node::IsNotNull(expr) | Node::IsNotUnknown(expr) => {
                self.test(UnaryOp::IsNotNull, *expr)
            }
            Node::IsTrue(expr) => self.test(UnaryOp::IsTrue, *expr),
            Node::IsFalse(expr) => self.test(UnaryOp::IsFalse, *expr),
            Node::IsNotTrue(expr) => self.test(UnaryOp::IsNotTrue, *expr),
            Node::IsNotFalse(expr) => self.test(UnaryOp::IsNotFalse, *expr),
            Node::IsDistinctFrom(left, right) => {
                Ok(binary(self.expr(*left)?, BinaryOp::IsDistinctFrom, self.expr(*right)?))
            }
            Node::IsNotDistinctFrom(left, right) => {
                Ok(binary(self.expr(*left)?, BinaryOp::IsNotDistinctFrom, self.expr(*right)?))
            }
            Node::InList { expr, list, negated } => self.in_list(*expr, list, negated),
            Node::Between { expr, negated, low, high } => self.between(*expr, negated, *low, *high),
            Node::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like([*expr, *pattern], escape_char, negated, false)
            }
            Node::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like([*expr, *pattern], escape_char, negated, true)
            }
            other => self.form(other),
        }
    }

    fn form(&self, node: ast::Expr) -> Result<Located> {
        use ast::Expr as Node;
        match node {
            Node::Case { case_token, end_token, operand, conditions, else_result } => {
                let ends = case_token.0.span.union(&end_token.0.span);
                self.case(operand, conditions, else_result, self.text.span(ends))
            }
            Node::Cast { kind, expr, data_type, format: None } => {
                self.cast(kind, *expr, &data_type)
            }
            Node::TypedString(node) => self.typed_string(node),
            Node::Interval(node) => self.interval(node),
            Node::Extract { field, expr, .. } => self.extract(&field, *expr),
            Node::Ceil { expr, field } => self.round("ceil", *expr, field),
            Node::Floor { expr, field } => self.round("floor", *expr, field),
            Node::Position { expr, r#in } => self.position(*expr, *r#in),
            Node::Substring { expr, substring_from, substring_for, .. } => {
                self.substring(*expr, substring_from, substring_for)
            }
            Node::Trim { expr, trim_where, trim_what, trim_characters } => {
                let what = trim_what.map(|what| vec![*what]).or(trim_characters);
                self.trim(trim_where, *expr, what.unwrap_or_default())
            }
            Node::AtTimeZone { timestamp, time_zone } => {
                let (instant, zone) = (self.expr(*timestamp)?, self.expr(*time_zone)?);
                let span = join(instant.span, zone.span);
                self.call("timezone", vec![zone.expr, instant.expr], span)
            }
            Node::Array(list) => self.list(list.elem),
            Node::CompoundFieldAccess { root, access_chain } => {
                self.subscripts(*root, access_chain)
            }
            Node::Subquery(_)
            | Node::InSubquery { .. }
            | Node::Exists { .. }
            | Node::AnyOp { .. }
            | Node::AllOp { .. } => self.inner(node),
            Node::Tuple(_) => {
                let span = self.place(&node);
                let error = self.unsupported("a row of several values", span);
                Err(error.remedy("compare them one by one with AND between; for IN, write EXISTS"))
            }
            other => {
                let span = self.place(&other);
                Err(self.unsupported(&self.quote(span), span))
            }
        }
    }

    fn column(&self, relation: Option<String>, name: Ident) -> Located {
        let span = self.text.span(name.span);
        Located { expr: Expr::Column(Column { relation, name: name.value, span }), span }
    }

    fn qualified(&self, parts: Vec<Ident>) -> Result<Located> {
        let span = parts.iter().map(|part| self.text.span(part.span)).fold(Span::NONE, join);
        let [relation, name] = <[Ident; 2]>::try_from(parts).map_err(|_| {
            let error = Error::unsupported("a name of more than two parts is not supported");
            at(error, span).remedy("quote a column whose name has dots: \"a.b.c\"")
        })?;
        let relation = Some(relation.value);
        Ok(Located { expr: Expr::Column(Column { relation, name: name.value, span }), span })
    }

    /// `a + b - c`: the parser nests to the left.
    fn chain(&self, node: ast::Expr) -> Result<Located> {
        let mut links = vec![];
        let mut first = node;
        while let ast::Expr::BinaryOp { left, op, right } = first {
            links.push((op, right));
            first = *left;
        }
        let mut chain = self.expr(first)?;
        let mut compared = false;
        for (op, right) in links.into_iter().rev() {
            let right = self.expr(*right)?;
            if compared && is_comparison(&op) {
                let error = Error::invalid_input("comparisons cannot be chained");
                let error = at(error, join(chain.span, right.span));
                return Err(error.remedy("join them with AND, or add parentheses"));
            }
            compared = is_comparison(&op);
            chain = self.operate(chain, &op, right)?;
        }
        Ok(chain)
    }

    fn operate(&self, left: Located, op: &BinaryOperator, right: Located) -> Result<Located> {
        if let Some(op) = binary_op(op) {
            return Ok(binary(left, op, right));
        }
        let span = join(left.span, right.span);
        let args = vec![left.expr, right.expr];
        let expr = match op {
            BinaryOperator::BitwiseXor => call("pow", args, span)?,
            BinaryOperator::PGRegexMatch => call("regexp_full_match", args, span)?,
            BinaryOperator::PGRegexNotMatch => {
                let matches = call("regexp_full_match", args, span)?;
                Expr::Unary { op: UnaryOp::Not, expr: Box::new(matches), span }
            }
            other => return Err(self.unsupported(&format!("the operator '{other}'"), span)),
        };
        Ok(Located { expr, span })
    }

    fn unary(&self, op: UnaryOperator, operand: ast::Expr) -> Result<Located> {
        let negative = match (&op, &operand) {
            (UnaryOperator::Minus, ast::Expr::Value(value)) => match &value.value {
                ast::Value::Number(digits, false) => Some(digits.clone()),
                _ => None,
            },
            _ => None,
        };
        if let Some(digits) = negative {
            // -9223372036854775808 is a BIGINT, though its digits alone are none.
            let span = self.text.with_before(self.place(&operand));
            let expr = number(&digits, "-").map_err(|error| at(error, span))?;
            return Ok(Located { expr, span });
        }
        let Located { expr, span } = self.expr(operand)?;
        let span = self.text.with_before(span);
        let op = match op {
            UnaryOperator::Plus => return Ok(Located { expr, span }),
            UnaryOperator::Minus => UnaryOp::Negate,
            UnaryOperator::Not => UnaryOp::Not,
            other => return Err(self.unsupported(&format!("the operator '{other}'"), span)),
        };
        Ok(Located { expr: Expr::Unary { op, expr: Box::new(expr), span }, span })
    }

    fn test(&self, op: UnaryOp, operand: ast::Expr) -> Result<Located> {
        let Located { expr, span } = self.expr(operand)?;
        let span = self.text.with_test(span);
        Ok(Located { expr: Expr::Unary { op, expr: Box::new(expr), span }, span })
    }

    fn in_list(&self, needle: ast::Expr, list: Vec<ast::Expr>, negated: bool) -> Result<Located> {
        let needle = self.expr(needle)?;
        let mut span = needle.span;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            let item = self.expr(item)?;
            if items.is_empty() {
                span = join(span, self.text.in_parentheses(item.span));
            }
            items.push(item.expr);
        }
        let expr = Expr::InList { expr: Box::new(needle.expr), list: items, negated, span };
        Ok(Located { expr, span })
    }

    /// `x BETWEEN low AND high` is `x >= low AND x <= high`.
    fn between(
        &self,
        operand: ast::Expr,
        negated: bool,
        low: ast::Expr,
        high: ast::Expr,
    ) -> Result<Located> {
        self.betweens.set(self.betweens.get() + 1);
        if self.betweens.get() > BETWEEN_MAX {
            let error = Error::unsupported("BETWEEN inside BETWEEN is nested too deeply");
            return Err(error.span(self.text.whole()));
        }
        let operand = self.expr(operand)?;
        self.betweens.set(self.betweens.get() - 1);
        let (low, high) = (self.expr(low)?, self.expr(high)?);
        let span = join(operand.span, high.span);
        let copy = Located { expr: operand.expr.clone(), span: operand.span };
        let above = binary(copy, BinaryOp::GtEq, low);
        let below = binary(operand, BinaryOp::LtEq, high);
        let mut both = binary(above, BinaryOp::And, below);
        if negated {
            both.expr = Expr::Unary { op: UnaryOp::Not, expr: Box::new(both.expr), span };
        }
        Ok(Located { expr: both.expr, span })
    }

    fn like(
        &self,
        [operand, pattern]: [ast::Expr; 2],
        escape: Option<Box<ast::Expr>>,
        negated: bool,
        case_insensitive: bool,
    ) -> Result<Located> {
        let (operand, pattern) = (self.expr(operand)?, self.expr(pattern)?);
        let mut span = join(operand.span, pattern.span);
        let mut character = None;
        if let Some(escape) = escape {
            let place = self.place(&*escape);
            character = escape_character(*escape).map_err(|error| at(error, place))?;
            span = join(span, place);
        }
        let (expr, pattern) = (Box::new(operand.expr), Box::new(pattern.expr));
        let escape = character;
        let like = Like { expr, pattern, negated, case_insensitive, escape, span };
        Ok(Located { expr: Expr::Like(like), span })
    }

    fn case(
        &self,
        operand: Option<Box<ast::Expr>>,
        conditions: Vec<CaseWhen>,
        otherwise: Option<Box<ast::Expr>>,
        span: Span,
    ) -> Result<Located> {
        let optional = |node: Option<Box<ast::Expr>>| -> Result<Option<Box<Expr>>> {
            Ok(node.map(|node| self.expr(*node)).transpose()?.map(|part| Box::new(part.expr)))
        };
        let operand = optional(operand)?;
        let branches = conditions
            .into_iter()
            .map(|branch| Ok((self.expr(branch.condition)?.expr, self.expr(branch.result)?.expr)));
        let branches = branches.collect::<Result<_>>()?;
        let otherwise = optional(otherwise)?;
        Ok(Located { expr: Expr::Case { operand, branches, otherwise, span }, span })
    }
}

fn binary(left: Located, op: BinaryOp, right: Located) -> Located {
    let span = join(left.span, right.span);
    let (left, right) = (Box::new(left.expr), Box::new(right.expr));
    Located { expr: Expr::Binary { left, op, right, span }, span }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn binary_op(op: &BinaryOperator) -> Option<BinaryOp> {
    Some(match op {
        BinaryOperator::Plus => BinaryOp::Add,
        BinaryOperator::Minus => BinaryOp::Subtract,
        BinaryOperator::Multiply => BinaryOp::Multiply,
        BinaryOperator::Divide => BinaryOp::Divide,
        BinaryOperator::DuckIntegerDivide => BinaryOp::IntegerDivide,
        BinaryOperator::Modulo => BinaryOp::Modulo,
        BinaryOperator::Eq => BinaryOp::Eq,
        BinaryOperator::NotEq => BinaryOp::NotEq,
        BinaryOperator::Lt => BinaryOp::Lt,
        BinaryOperator::LtEq => BinaryOp::LtEq,
        BinaryOperator::Gt => BinaryOp::Gt,
        BinaryOperator::GtEq => BinaryOp::GtEq,
        BinaryOperator::And => BinaryOp::And,
        BinaryOperator::Or => BinaryOp::Or,
        BinaryOperator::StringConcat => BinaryOp::Concat,
        _ => return None,
    })
}

/// One character, or none for the empty string.
fn escape_character(node: ast::Expr) -> Result<Option<char>> {
    let text = match node {
        ast::Expr::Value(value) => value.value.into_string(),
        _ => None,
    };
    let mut chars = text.as_deref().map(str::chars);
    match chars.as_mut().map(|chars| (chars.next(), chars.next())) {
        Some((first, None)) => Ok(first),
        _ => Err(Error::invalid_input("the escape of LIKE is not one character")
            .remedy("write it like ESCAPE '\\'")),
    }
}
