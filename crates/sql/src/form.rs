//! Forms with a syntax of their own: casts, `EXTRACT(.. FROM ..)`, `TRIM(BOTH ..)`, `INTERVAL ..`, `[..]`.

use dframe_core::{Error, Result};
use dframe_expr::{Expr, Span, lit};
use sqlparser::ast::{
    self, AccessExpr, CastKind, CeilFloorKind, DateTimeField, Interval, Subscript, TrimWhereField,
    TypedString,
};

use crate::call::call;
use crate::convert::{Converter, Located};
use crate::data_type::data_type;
use crate::interval::interval;
use crate::literal::{number, string, typed};
use crate::place::at;

impl Converter<'_> {
    /// `CAST(operand AS to)` and its kin.
    pub fn cast(&self, kind: CastKind, operand: ast::Expr, to: &ast::DataType) -> Result<Located> {
        let operand = self.expr(operand)?;
        let span = match kind {
            CastKind::DoubleColon => self.text.with_cast(operand.span),
            _ => self.text.in_call(operand.span),
        };
        let to = data_type(to).map_err(|error| at(error, span))?;
        let strict = matches!(kind, CastKind::Cast | CastKind::DoubleColon);
        Ok(Located { expr: Expr::Cast { expr: Box::new(operand.expr), to, strict, span }, span })
    }

    /// `DATE '2024-02-29'`.
    pub fn typed_string(&self, node: TypedString) -> Result<Located> {
        let span = self.text.with_type_before(self.text.span(node.value.span));
        let text = node.value.value.into_string().unwrap_or_default();
        let expr = data_type(&node.data_type)
            .and_then(|to| typed(&text, to, span))
            .map_err(|error| at(error, span))?;
        Ok(Located { expr, span })
    }

    /// `INTERVAL '1' DAY`.
    pub fn interval(&self, node: Interval) -> Result<Located> {
        let value = self.expr(*node.value)?;
        let mut span = self.text.with_before(value.span);
        if node.leading_field.is_some() {
            span = self.text.with_next(span);
        }
        let unit = node.leading_field.as_ref().map(field_name);
        let expr = interval(value.expr, unit.as_deref(), span).map_err(|error| at(error, span))?;
        Ok(Located { expr, span })
    }

    /// `EXTRACT(part FROM operand)`.
    pub fn extract(&self, part: &DateTimeField, operand: ast::Expr) -> Result<Located> {
        let operand = self.expr(operand)?;
        let span = self.text.in_call(operand.span);
        self.call("date_part", vec![string(&field_name(part)), operand.expr], span)
    }

    /// `FLOOR(operand)` and `CEIL(operand)`.
    pub fn round(&self, name: &str, operand: ast::Expr, kind: CeilFloorKind) -> Result<Located> {
        let operand = self.expr(operand)?;
        let span = self.text.in_call(operand.span);
        let args = match kind {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => vec![operand.expr],
            CeilFloorKind::Scale(scale) => match scale.value {
                ast::Value::Number(digits, false) => vec![operand.expr, number(&digits, "")?],
                _ => return Err(self.unsupported("this scale", span)),
            },
            CeilFloorKind::DateTimeField(_) => return Err(self.unsupported("a time unit", span)),
        };
        self.call(name, args, span)
    }

    /// `SUBSTRING(operand FROM start FOR length)`, or with commas.
    pub fn substring(
        &self,
        operand: ast::Expr,
        start: Option<Box<ast::Expr>>,
        length: Option<Box<ast::Expr>>,
    ) -> Result<Located> {
        let operand = self.expr(operand)?;
        let span = self.text.in_call(operand.span);
        let start = match start {
            Some(start) => self.expr(*start)?.expr,
            None => number("1", "")?,
        };
        let mut args = vec![operand.expr, start];
        if let Some(length) = length {
            args.push(self.expr(*length)?.expr);
        }
        self.call("substring", args, span)
    }

    /// `TRIM(BOTH what FROM operand)`, or `TRIM(operand, what)`.
    pub fn trim(
        &self,
        side: Option<TrimWhereField>,
        operand: ast::Expr,
        what: Vec<ast::Expr>,
    ) -> Result<Located> {
        let operand = self.expr(operand)?;
        let span = self.text.in_call(operand.span);
        let mut args = vec![operand.expr];
        for what in what {
            args.push(self.expr(what)?.expr);
        }
        let name = match side {
            None | Some(TrimWhereField::Both) => "trim",
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
        };
        self.call(name, args, span)
    }

    /// `POSITION(needle IN text)`.
    pub fn position(&self, needle: ast::Expr, text: ast::Expr) -> Result<Located> {
        let (needle, text) = (self.expr(needle)?, self.expr(text)?);
        let span = self.text.in_call(needle.span);
        self.call("strpos", vec![text.expr, needle.expr], span)
    }

    /// `[item, ...]`.
    pub fn list(&self, items: Vec<ast::Expr>) -> Result<Located> {
        let items = items.into_iter().map(|item| self.expr(item)).collect::<Result<Vec<_>>>()?;
        let span = items.first().map_or(Span::NONE, |first| self.text.in_parentheses(first.span));
        self.call("list_value", items.into_iter().map(|item| item.expr).collect(), span)
    }

    /// `list[index]`, `list[begin:end]`, and subscripts of those.
    pub fn subscripts(&self, root: ast::Expr, chain: Vec<AccessExpr>) -> Result<Located> {
        let mut list = self.expr(root)?;
        for access in chain {
            let span = self.text.with_subscript(list.span);
            let AccessExpr::Subscript(subscript) = access else {
                return Err(self.unsupported("a field of a struct", span));
            };
            list = self.subscript(list, subscript, span)?;
        }
        Ok(list)
    }

    fn subscript(&self, list: Located, subscript: Subscript, span: Span) -> Result<Located> {
        let bound = |bound: Option<ast::Expr>, absent: i64| match bound {
            Some(bound) => Ok::<_, Error>(self.expr(bound)?.expr),
            None => Ok(lit(absent)),
        };
        match subscript {
            Subscript::Index { index } => {
                let index = self.expr(index)?.expr;
                self.call("list_extract", vec![list.expr, index], span)
            }
            Subscript::Slice { lower_bound, upper_bound, stride: None } => {
                let (begin, end) = (bound(lower_bound, 1)?, bound(upper_bound, -1)?);
                self.call("list_slice", vec![list.expr, begin, end], span)
            }
            Subscript::Slice { .. } => Err(self.unsupported("a step of a slice", span)),
        }
    }

    /// A call that a form stands for.
    pub fn call(&self, name: &str, args: Vec<Expr>, span: Span) -> Result<Located> {
        Ok(Located { expr: call(name, args, span)?, span })
    }

    /// What is understood and not done.
    pub fn unsupported(&self, what: &str, span: Span) -> Error {
        at(Error::unsupported(format!("{what} is not supported here")), span)
    }
}

/// The unit or part of a date in lower case.
fn field_name(field: &DateTimeField) -> String {
    match field {
        DateTimeField::Custom(name) => name.value.to_lowercase(),
        known => known.to_string().to_lowercase(),
    }
}
