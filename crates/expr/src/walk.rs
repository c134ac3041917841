//! Walking expression trees: children, bottom-up rewriting, and what rules ask about a tree.
//!
//! Every variant's children are listed in two places only, [`Expr::children`] and
//! [`Expr::map_children`]; all else is made of them.

use std::sync::Arc;

use dframe_core::Result;

use crate::expr::{AggregateCall, BinaryOp, Column, Expr, Like, Span};
use crate::sort_key::SortKey;
use crate::window::{Over, WindowCall};

impl Expr {
    /// The direct sub-expressions, in the order of the text.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Column(_) | Expr::Literal(_) | Expr::Wildcard => vec![],
            Expr::Alias(expr, _) | Expr::Unary { expr, .. } | Expr::Cast { expr, .. } => vec![expr],
            Expr::Binary { left, right, .. } => vec![left, right],
            Expr::Like(like) => vec![&like.expr, &like.pattern],
            Expr::InList { expr, list, .. } => {
                std::iter::once(expr.as_ref()).chain(list.iter()).collect()
            }
            Expr::Case { operand, branches, otherwise, .. } => (operand.as_deref().into_iter())
                .chain(branches.iter().flat_map(|(when, then)| [when, then]))
                .chain(otherwise.as_deref())
                .collect(),
            Expr::Call { args, .. } => args.iter().collect(),
            Expr::Aggregate(call) => {
                let keys = call.order_by.iter().map(|key| &key.expr);
                call.args.iter().chain(keys).chain(call.filter.as_deref()).collect()
            }
            Expr::Window(call) => (call.args.iter())
                .chain(call.filter.as_deref())
                .chain(&call.over.partition_by)
                .chain(call.over.order_by.iter().map(|key| &key.expr))
                .collect(),
        }
    }

    /// This expression with each direct sub-expression replaced by what `f` makes of it.
    pub fn map_children(self, f: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Expr> {
        Ok(match self {
            leaf @ (Expr::Column(_) | Expr::Literal(_) | Expr::Wildcard) => leaf,
            Expr::Alias(expr, name) => Expr::Alias(map_box(*expr, f)?, name),
            Expr::Unary { op, expr, span } => Expr::Unary { op, expr: map_box(*expr, f)?, span },
            Expr::Binary { left, op, right, span } => {
                Expr::Binary { left: map_box(*left, f)?, op, right: map_box(*right, f)?, span }
            }
            Expr::Like(like) => Expr::Like(Like {
                expr: map_box(*like.expr, f)?,
                pattern: map_box(*like.pattern, f)?,
                ..like
            }),
            Expr::InList { expr, list, negated, span } => {
                let expr = map_box(*expr, f)?;
                Expr::InList { expr, list: map_all(list, f)?, negated, span }
            }
            Expr::Case { operand, branches, otherwise, span } => Expr::Case {
                operand: map_option(operand, f)?,
                branches: branches
                    .into_iter()
                    .map(|(when, then)| Ok((f(when)?, f(then)?)))
                    .collect::<Result<_>>()?,
                otherwise: map_option(otherwise, f)?,
                span,
            },
            Expr::Cast { expr, to, strict, span } => {
                Expr::Cast { expr: map_box(*expr, f)?, to, strict, span }
            }
            Expr::Call { name, args, span } => Expr::Call { name, args: map_all(args, f)?, span },
            Expr::Window(call) => {
                Expr::Window(Arc::new(map_window(Arc::unwrap_or_clone(call), f)?))
            }
            Expr::Aggregate(call) => {
                let call = Arc::unwrap_or_clone(call);
                let args = map_all(call.args, f)?;
                let key = |key: SortKey| Ok(SortKey { expr: f(key.expr)?, ..key });
                let order_by = call.order_by.into_iter().map(key).collect::<Result<_>>()?;
                let filter = map_option(call.filter, f)?;
                Expr::Aggregate(Arc::new(AggregateCall { args, order_by, filter, ..call }))
            }
        })
    }

    /// Rewrites bottom-up: `f` sees each node after its children have been replaced.
    pub fn rewrite(self, f: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Expr> {
        let node = self.map_children(&mut |child| child.rewrite(f))?;
        f(node)
    }

    /// Calls `f` on this node and all below it, top-down, while `f` says to go deeper.
    pub fn visit<'a>(&'a self, f: &mut dyn FnMut(&'a Expr) -> bool) {
        if f(self) {
            for child in self.children() {
                child.visit(f);
            }
        }
    }

    /// Whether `test` holds for this node or one below it.
    pub fn any_node(&self, test: impl Fn(&Expr) -> bool) -> bool {
        let mut found = false;
        self.visit(&mut |node| {
            found = found || test(node);
            !found
        });
        found
    }

    /// The columns referred to, each once, in the order of the text.
    pub fn columns(&self) -> Vec<Column> {
        let mut columns: Vec<Column> = vec![];
        self.visit(&mut |node| {
            if let Expr::Column(column) = node
                && !columns.contains(column)
            {
                columns.push(column.clone());
            }
            true
        });
        columns
    }

    /// Whether there is an aggregate function somewhere.
    pub fn contains_aggregate(&self) -> bool {
        self.any_node(|node| matches!(node, Expr::Aggregate(_)))
    }

    /// Whether there is a window function somewhere.
    pub fn contains_window(&self) -> bool {
        self.any_node(|node| matches!(node, Expr::Window(_)))
    }

    /// The aggregate calls, each once, in the order of the text; not those inside others.
    pub fn aggregates(&self) -> Vec<Arc<AggregateCall>> {
        let mut calls: Vec<Arc<AggregateCall>> = vec![];
        self.visit(&mut |node| match node {
            Expr::Aggregate(call) => {
                if !calls.contains(call) {
                    calls.push(call.clone());
                }
                false
            }
            _ => true,
        });
        calls
    }

    /// This expression without the alias around it.
    pub fn unaliased(&self) -> &Expr {
        match self {
            Expr::Alias(expr, _) => expr.unaliased(),
            other => other,
        }
    }

    /// Where it was written: its own span, or all of its parts' together.
    pub fn span(&self) -> Span {
        match self {
            Expr::Column(column) => column.span,
            Expr::Unary { span, .. }
            | Expr::Binary { span, .. }
            | Expr::InList { span, .. }
            | Expr::Case { span, .. }
            | Expr::Cast { span, .. }
            | Expr::Call { span, .. } => *span,
            Expr::Like(like) => like.span,
            Expr::Aggregate(call) => call.span,
            Expr::Window(call) => call.span,
            Expr::Alias(expr, _) => expr.span(),
            Expr::Literal(_) | Expr::Wildcard => Span::NONE,
        }
    }
}

fn map_window(call: WindowCall, f: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<WindowCall> {
    let (args, filter) = (map_all(call.args, f)?, map_option(call.filter, f)?);
    let partition_by = map_all(call.over.partition_by, f)?;
    let keys = call.over.order_by.into_iter();
    let order_by =
        keys.map(|key| Ok(SortKey { expr: f(key.expr)?, ..key })).collect::<Result<_>>()?;
    let over = Over { partition_by, order_by, frame: call.over.frame };
    Ok(WindowCall { args, filter, over, ..call })
}

fn map_box(expr: Expr, f: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Box<Expr>> {
    Ok(Box::new(f(expr)?))
}

fn map_option(
    expr: Option<Box<Expr>>,
    f: &mut dyn FnMut(Expr) -> Result<Expr>,
) -> Result<Option<Box<Expr>>> {
    expr.map(|expr| map_box(*expr, f)).transpose()
}

fn map_all(exprs: Vec<Expr>, f: &mut dyn FnMut(Expr) -> Result<Expr>) -> Result<Vec<Expr>> {
    exprs.into_iter().map(f).collect()
}

/// The parts of `a AND b AND c`; an expression that is no conjunction is its only part.
pub fn split_conjunction(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Binary { left, op: BinaryOp::And, right, .. } => {
            let mut parts = split_conjunction(left);
            parts.extend(split_conjunction(right));
            parts
        }
        Expr::Alias(expr, _) => split_conjunction(expr),
        other => vec![other],
    }
}

/// All of `exprs` joined by AND; none if there are none.
pub fn conjunction(exprs: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    exprs.into_iter().reduce(Expr::and)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{col, lit, when};

    #[test]
    fn columns_come_once_in_order() {
        let expr = when(col("b").gt(lit(1))).then(col("a")).otherwise(col("b") + col("c").sum());
        let names: Vec<String> = expr.columns().into_iter().map(|column| column.name).collect();
        assert_eq!(names, ["b", "a", "c"]);
        assert!(expr.contains_aggregate());
        assert_eq!(expr.aggregates().len(), 1);
    }

    #[test]
    fn rewrite_sees_rewritten_children() {
        let expr = (col("a") + col("a")).is_in([1, 2]);
        let rewritten = expr
            .rewrite(&mut |node| {
                Ok(match node {
                    Expr::Column(_) => lit(1),
                    Expr::Binary { .. } => col("sum"),
                    other => other,
                })
            })
            .unwrap();
        assert_eq!(rewritten, col("sum").is_in([1, 2]));
    }

    #[test]
    fn conjunctions_split_and_join() {
        let parts = [col("a"), col("b"), col("c")];
        let joined = conjunction(parts.clone()).unwrap();
        assert_eq!(split_conjunction(&joined), parts.iter().collect::<Vec<_>>());
        assert_eq!(conjunction([]), None);
    }
}
