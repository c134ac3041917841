//! Calls with `OVER (PARTITION BY .. ORDER BY .. frame)`.

use std::sync::Arc;

use arrow::datatypes::Schema;
use dframe_core::{Error, Result};
use dframe_expr::window::{Frame, FrameBound, FrameUnit, Over, WindowCall, WindowFunction};
use dframe_expr::{Expr, Literal, Span, simplify};
use sqlparser::ast::{
    self, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

use crate::call::{Args, aggregate};
use crate::convert::Converter;
use crate::place::at;
use crate::sort_key;

/// What stands between a call's arguments and its OVER.
pub(crate) struct Clauses {
    pub filter: Option<Box<Expr>>,
    pub ignore_nulls: bool,
}

impl Converter<'_> {
    /// The function `name` over the rows of `window`.
    pub fn window(
        &self,
        name: &str,
        args: Args,
        clauses: Clauses,
        window: Option<WindowType>,
        span: Span,
    ) -> Result<Expr> {
        let over = match window {
            Some(WindowType::WindowSpec(spec)) => self.over_of(spec, span)?,
            Some(WindowType::NamedWindow(_)) => {
                return Err(self.unsupported("a named window", span));
            }
            None => self.over.clone().unwrap_or_default(),
        };
        let (function, distinct) = match WindowFunction::parse(name) {
            Some(function) => (function, false),
            None => {
                let (function, distinct) =
                    aggregate(name, false).ok_or_else(|| unknown(name, span))?;
                (WindowFunction::Aggregate(function), distinct)
            }
        };
        if !args.order_by.is_empty() {
            return Err(self.unsupported("ORDER BY inside a window function's call", span));
        }
        if args.all && name != "count" {
            let error = Error::invalid_input(format!("{name}(*) has no meaning"));
            return Err(at(error.remedy("name a column"), span));
        }
        Ok(Expr::Window(Arc::new(WindowCall {
            function,
            distinct: distinct || args.distinct,
            args: args.args,
            filter: clauses.filter,
            ignore_nulls: clauses.ignore_nulls,
            over,
            span,
        })))
    }

    /// What a frame alone is added to is given elsewhere.
    fn over_of(&self, spec: WindowSpec, span: Span) -> Result<Over> {
        if spec.window_name.is_some() {
            return Err(self.unsupported("a named window", span));
        }
        let partition_by = spec.partition_by.into_iter().map(|node| Ok(self.expr(node)?.expr));
        let order_by = spec.order_by.into_iter().map(|node| sort_key(self, node));
        let partition_by = partition_by.collect::<Result<Vec<_>>>()?;
        let order_by = order_by.collect::<Result<Vec<_>>>()?;
        let frame = spec.window_frame.map(|frame| self.frame(frame)).transpose()?;
        Ok(match &self.over {
            Some(over) if frame.is_some() && partition_by.is_empty() && order_by.is_empty() => {
                Over { frame, ..over.clone() }
            }
            _ => Over { partition_by, order_by, frame },
        })
    }

    fn frame(&self, frame: WindowFrame) -> Result<Frame> {
        let unit = match frame.units {
            WindowFrameUnits::Rows => FrameUnit::Rows,
            WindowFrameUnits::Range => FrameUnit::Range,
            WindowFrameUnits::Groups => FrameUnit::Groups,
        };
        let start = self.frame_bound(frame.start_bound)?;
        let end = match frame.end_bound {
            Some(end) => self.frame_bound(end)?,
            None => FrameBound::CurrentRow,
        };
        Ok(Frame { unit, start, end })
    }

    fn frame_bound(&self, bound: WindowFrameBound) -> Result<FrameBound> {
        Ok(match bound {
            WindowFrameBound::CurrentRow => FrameBound::CurrentRow,
            WindowFrameBound::Preceding(None) => FrameBound::UnboundedPreceding,
            WindowFrameBound::Following(None) => FrameBound::UnboundedFollowing,
            WindowFrameBound::Preceding(Some(offset)) => {
                FrameBound::Preceding(self.offset(*offset)?)
            }
            WindowFrameBound::Following(Some(offset)) => {
                FrameBound::Following(self.offset(*offset)?)
            }
        })
    }

    fn offset(&self, node: ast::Expr) -> Result<Literal> {
        let located = self.expr(node)?;
        match simplify(located.expr, &Schema::empty()) {
            Expr::Literal(literal) => Ok(literal),
            other => {
                let message = format!("a frame's offset must be a constant, not {other}");
                Err(at(Error::invalid_input(message), located.span))
            }
        }
    }
}

fn unknown(name: &str, span: Span) -> Error {
    let error = match dframe_expr::function::exists(name) {
        true => {
            Error::invalid_input(format!("{name} is neither an aggregate nor a window function"))
                .remedy("leave out OVER, or put the window function inside of it")
        }
        false => crate::call::unknown(name, Span::NONE),
    };
    at(error, span)
}
