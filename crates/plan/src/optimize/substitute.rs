//! Replacing columns by what computes them, and whether that is worth it.

use dframe_expr::{Expr, UnaryOp};

/// The definitions of a projection's, or of an aggregation's, output columns.
pub(super) struct Definitions<'a>(&'a [Expr]);

impl<'a> Definitions<'a> {
    /// The columns that `exprs` make.
    pub(super) fn new(exprs: &'a [Expr]) -> Self {
        Self(exprs)
    }

    /// What makes the column `name`.
    pub(super) fn get(&self, name: &str) -> Option<&'a Expr> {
        self.0.iter().find(|expr| is_named(expr, name)).map(Expr::unaliased)
    }

    /// `expr` over the input of the definitions.
    pub(super) fn replace_in(&self, expr: Expr) -> Expr {
        let name = expr.output_name();
        let replaced = self.replace(expr);
        with_name(replaced, &name)
    }

    /// As [`Definitions::replace_in`], not caring for the name of the result.
    pub(super) fn replace(&self, expr: Expr) -> Expr {
        let fallback = expr.clone();
        let replaced = expr.rewrite(&mut |node| {
            let definition = match &node {
                Expr::Column(column) => self.get(&column.name).cloned(),
                _ => None,
            };
            Ok(definition.unwrap_or(node))
        });
        replaced.unwrap_or(fallback)
    }

    /// Whether `exprs` can be computed from the input of the definitions without computing anything
    /// dear twice.
    pub(super) fn can_replace_in<'e>(&self, exprs: impl Iterator<Item = &'e Expr>) -> bool {
        let mut uses = vec![0_usize; self.0.len()];
        for expr in exprs {
            expr.visit(&mut |node| {
                if let Expr::Column(column) = node
                    && let Some(index) = self.0.iter().position(|e| is_named(e, &column.name))
                {
                    uses[index] += 1;
                }
                true
            });
        }
        self.0.iter().zip(uses).all(|(expr, uses)| uses < 2 || is_trivial(expr))
    }
}

fn is_named(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Alias(_, alias) => alias == name,
        Expr::Column(column) => column.name == name,
        other => other.output_name() == name,
    }
}

/// `expr` under `name`, with an alias only where it takes one.
pub(super) fn with_name(expr: Expr, name: &str) -> Expr {
    if expr.output_name() == name {
        return expr;
    }
    match expr {
        Expr::Alias(inner, _) => with_name(*inner, name),
        other => other.alias(name),
    }
}

/// Whether `expr` costs nothing to compute: a column or a constant.
pub(super) fn is_trivial(expr: &Expr) -> bool {
    matches!(expr.unaliased(), Expr::Column(_) | Expr::Literal(_))
}

/// Whether `expr` is so cheap that computing it twice for a filter is worth it: a few operators on
/// columns and constants, no functions, no text.
pub(super) fn is_cheap(expr: &Expr) -> bool {
    let mut nodes = 0;
    let mut dear = false;
    expr.visit(&mut |node| {
        nodes += 1;
        dear |= !matches!(
            node,
            Expr::Column(_)
                | Expr::Literal(_)
                | Expr::Alias(..)
                | Expr::Binary { .. }
                | Expr::Cast { .. }
                | Expr::Unary {
                    op: UnaryOp::Not | UnaryOp::Negate | UnaryOp::IsNull | UnaryOp::IsNotNull,
                    ..
                }
        );
        !dear
    });
    !dear && nodes <= CHEAP_NODES
}

/// The size of an expression that is still cheap.
const CHEAP_NODES: usize = 8;
