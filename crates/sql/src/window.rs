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
            Some(WindowType::NamedWindow(name)) => self.window_named(&name, span)?,
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
        let base = spec.window_name.as_ref();
        let base = base.map(|name| self.window_named(name, span)).transpose()?;
        let partition_by = spec.partition_by.into_iter().map(|node| Ok(self.expr(node)?.expr));
        let order_by = spec.order_by.into_iter().map(|node| sort_key(self, node));
        let partition_by = partition_by.collect::<Result<Vec<_>>>()?;
        let order_by = order_by.collect::<Result<Vec<_>>>()?;
        let frame = spec.window_frame.map(|frame| self.frame(frame)).transpose()?;
        Ok(match &self.over {
            Some(over) if frame.is_some() && partition_by.is_empty() && order_by.is_empty() => {
                Over { frame, ..over.clone() }
            }
            _ => extended(base, Over { partition_by, order_by, frame }),
        })
    }

    /// What the WINDOW clause says of `name`.
    fn window_named(&self, name: &ast::Ident, span: Span) -> Result<Over> {
        self.windows.get(&name.value.to_lowercase()).cloned().ok_or_else(|| {
            let error = Error::invalid_input(format!("there is no window '{}'", name.value));
            at(error.remedy("define it behind the query: WINDOW w AS (...)"), span)
        })
    }

    /// This converter, which knows the windows that `definitions` name.
    pub fn with_windows(mut self, definitions: Vec<ast::NamedWindowDefinition>) -> Result<Self> {
        for ast::NamedWindowDefinition(name, window) in definitions {
            let span = self.text.span(name.span);
            let over = match window {
                ast::NamedWindowExpr::NamedWindow(other) => self.window_named(&other, span)?,
                ast::NamedWindowExpr::WindowSpec(spec) => self.over_of(spec, span)?,
            };
            self.windows.insert(name.value.to_lowercase(), over);
        }
        Ok(self)
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

/// `over` with what it leaves unsaid as in `base`.
fn extended(base: Option<Over>, over: Over) -> Over {
    let Some(base) = base else { return over };
    Over {
        partition_by: if over.partition_by.is_empty() {
            base.partition_by
        } else {
            over.partition_by
        },
        order_by: if over.order_by.is_empty() { base.order_by } else { over.order_by },
        frame: over.frame.or(base.frame),
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
