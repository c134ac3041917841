//! JOIN: which of a condition's parts are keys, and what USING makes of columns that both sides have.

use dframe_core::{Error, Result};
use dframe_expr::{BinaryOp, Column, Expr, Span, coalesce, conjunction, split_conjunction};
use dframe_plan::LogicalPlan;
use dframe_plan::node::{Asof, AsofDirection, JoinKind, JoinOn};
use sqlparser::ast::{self, JoinConstraint, JoinOperator};

use super::Planner;
use super::from::{From, Taken};
use super::scope::{Scope, ScopeColumn};
use super::select::table_name;
use crate::place::at;

/// Keys of a join: an expression over the left, and one over the right.
type Keys = Vec<(Expr, Expr)>;

/// A join as it is written.
struct Written {
    kind: JoinKind,
    asof: bool,
    constraint: JoinConstraint,
}

impl Planner<'_, '_> {
    /// `left` with one more table.
    pub fn join(&mut self, left: From, mut node: ast::Join, taken: &mut Taken) -> Result<From> {
        let place = self.converter().place(&node.relation);
        if let Some(unnest) = self.unnest_of(&mut node.relation)? {
            let Written { kind, asof, constraint } = self.written(node.join_operator, place)?;
            let always = matches!(&constraint, JoinConstraint::On(ast::Expr::Value(value)) if value.value == ast::Value::Boolean(true));
            let outer = match (kind, &constraint) {
                (JoinKind::Cross, JoinConstraint::None) => false,
                (JoinKind::Inner | JoinKind::Left, _) if always && !asof => kind == JoinKind::Left,
                _ => {
                    let error = self.unsupported("this kind of join with unnest", place);
                    return Err(
                        error.remedy("write CROSS JOIN unnest(x), or LEFT JOIN unnest(x) ON true")
                    );
                }
            };
            let list = self.list_of(&unnest, &left.scope)?;
            let From { plan, mut scope } = left;
            let (plan, column) = self.unnested(plan, list, unnest, outer, taken)?;
            scope.columns.push(column);
            return Ok(From { plan, scope });
        }
        let right = self.table(node.relation, taken)?;
        let Written { kind, asof, constraint } = self.written(node.join_operator, place)?;
        let sides = Sides { left, right, kind };
        match constraint {
            JoinConstraint::On(node) => {
                let converted = self.converter().expr(node)?;
                sides.on(converted.expr, asof, converted.span)
            }
            JoinConstraint::Using(names) => {
                let column = |name: &ast::ObjectName| {
                    let span = self.converter().place(name);
                    Column { relation: None, name: table_name(name), span }
                };
                sides.using(names.iter().map(column).collect(), asof)
            }
            JoinConstraint::Natural => {
                let names = sides.shared_names();
                if names.is_empty() {
                    let error =
                        Error::invalid_input("a natural join of tables without a common column");
                    return Err(at(error.remedy("write ON, or CROSS JOIN"), place));
                }
                sides.using(names, asof)
            }
            JoinConstraint::None if kind == JoinKind::Cross => sides.cross(),
            JoinConstraint::None => {
                let error = Error::invalid_input("a join needs ON or USING");
                Err(at(error.remedy("write ON a.x = b.x, USING (x), or CROSS JOIN"), place))
            }
        }
    }

    fn written(&self, operator: JoinOperator, place: Span) -> Result<Written> {
        use JoinOperator as Op;
        let asof = matches!(operator, Op::StraightJoin(_) | Op::RightSemi(_));
        let (kind, constraint) = match operator {
            Op::Join(on) | Op::Inner(on) | Op::StraightJoin(on) => (JoinKind::Inner, on),
            Op::Left(on) | Op::LeftOuter(on) | Op::RightSemi(on) => (JoinKind::Left, on),
            Op::Right(on) | Op::RightOuter(on) => (JoinKind::Right, on),
            Op::FullOuter(on) => (JoinKind::Full, on),
            Op::Semi(on) | Op::LeftSemi(on) => (JoinKind::Semi, on),
            Op::Anti(on) | Op::LeftAnti(on) => (JoinKind::Anti, on),
            Op::CrossJoin(JoinConstraint::None) => (JoinKind::Cross, JoinConstraint::None),
            _ => return Err(self.unsupported("this kind of join", place)),
        };
        Ok(Written { kind, asof, constraint })
    }
}

/// Two tables to be joined.
struct Sides {
    left: From,
    right: From,
    kind: JoinKind,
}

impl Sides {
    /// The pairs for which `condition` is true.
    fn on(self, condition: Expr, asof: bool, place: Span) -> Result<From> {
        let scope = self.left.scope.clone().with(self.right.scope.clone());
        let condition = scope.resolve(condition, &[])?;
        let parts: Vec<Expr> = split_conjunction(&condition).into_iter().cloned().collect();
        let (left, right) = (&self.left.plan, &self.right.plan);
        if asof {
            let (keys, asof) = asof_keys(parts, left, right, place)?;
            let scope = self.scope();
            return self.asof(keys, asof, scope);
        }
        let nulls_equal = parts.iter().all(|part| is_not_distinct(part, left, right));
        let (keys, rest) = match nulls_equal {
            true => {
                (parts.iter().filter_map(|part| null_pair(part, left, right)).collect(), vec![])
            }
            false => keys_of(parts, left, right),
        };
        let scope = self.scope();
        self.joined(keys, nulls_equal, conjunction(rest), scope)
    }

    /// The pairs whose columns of these names are equal.
    fn using(self, names: Vec<Column>, asof: bool) -> Result<From> {
        let key = |name: &Column| -> Result<(Expr, Expr)> {
            let of = |scope: &Scope| {
                scope.column(name).map(|c| c.expr.clone()).map_err(|error| at(error, name.span))
            };
            Ok((of(&self.left.scope)?, of(&self.right.scope)?))
        };
        let keys = names.iter().map(key).collect::<Result<Keys>>()?;
        let scope = self.merged(&names, &keys);
        match asof {
            true => {
                let asof = Asof { direction: AsofDirection::Backward, exact: true };
                self.asof(keys, asof, scope)
            }
            false => self.joined(keys, false, None, scope),
        }
    }

    fn cross(self) -> Result<From> {
        let scope = self.scope();
        self.joined(vec![], false, None, scope)
    }

    fn joined(
        self,
        keys: Keys,
        nulls_equal: bool,
        condition: Option<Expr>,
        scope: Scope,
    ) -> Result<From> {
        let on = JoinOn { kind: self.kind, keys, nulls_equal, condition, asof: None };
        Ok(From { plan: self.left.plan.join(self.right.plan, on)?, scope })
    }

    fn asof(self, keys: Keys, asof: Asof, scope: Scope) -> Result<From> {
        let on = JoinOn { kind: self.kind, keys, nulls_equal: false, condition: None, asof: None };
        let plan = self.left.plan.join_asof_all(self.right.plan, on, asof, None)?;
        Ok(From { plan, scope })
    }

    fn scope(&self) -> Scope {
        let left = self.left.scope.clone();
        if self.kind.is_left_only() { left } else { left.with(self.right.scope.clone()) }
    }

    /// The scope in which each of `names` is one column: the left's where every row has one.
    fn merged(&self, names: &[Column], keys: &[(Expr, Expr)]) -> Scope {
        if self.kind.is_left_only() {
            return self.scope();
        }
        let (mut left, mut right) = (self.left.scope.clone(), self.right.scope.clone());
        for (name, (of_left, of_right)) in names.iter().zip(keys) {
            hide(&mut right, of_right);
            if self.kind.keeps_right() {
                let index = left.columns.iter().position(|c| !c.merged && c.expr == *of_left);
                hide(&mut left, of_left);
                let expr = coalesce([of_left.clone(), of_right.clone()]);
                let column =
                    ScopeColumn { table: None, name: name.name.clone(), expr, merged: false };
                left.columns.insert(index.unwrap_or(0), column);
            }
        }
        left.with(right)
    }

    /// The names that both sides have, in the order of the left.
    fn shared_names(&self) -> Vec<Column> {
        let of_right: Vec<&str> = self.right.scope.visible().map(|c| c.name.as_str()).collect();
        let shared = self.left.scope.visible().filter(|c| of_right.contains(&c.name.as_str()));
        let name = |column: &ScopeColumn| Column {
            relation: None,
            name: column.name.clone(),
            span: Span::NONE,
        };
        shared.map(name).collect()
    }
}

/// From now on only its table's name in front names the column.
fn hide(scope: &mut Scope, expr: &Expr) {
    for column in scope.columns.iter_mut().filter(|column| column.expr == *expr) {
        column.merged = true;
    }
}

/// Those of `conditions` that are equalities of the two sides, and the others.
pub(super) fn keys_of(
    conditions: Vec<Expr>,
    left: &LogicalPlan,
    right: &LogicalPlan,
) -> (Keys, Vec<Expr>) {
    let (mut keys, mut rest) = (vec![], vec![]);
    for condition in conditions {
        match pair(&condition, left, right) {
            Some(key) => keys.push(key),
            None => rest.push(condition),
        }
    }
    (keys, rest)
}

/// The two sides of an equality, the left's first.
pub(super) fn pair(
    condition: &Expr,
    left: &LogicalPlan,
    right: &LogicalPlan,
) -> Option<(Expr, Expr)> {
    compared(condition, &[BinaryOp::Eq], left, right).map(|(_, left, right)| (left, right))
}

fn null_pair(condition: &Expr, left: &LogicalPlan, right: &LogicalPlan) -> Option<(Expr, Expr)> {
    let compared = compared(condition, &[BinaryOp::IsNotDistinctFrom], left, right);
    compared.map(|(_, left, right)| (left, right))
}

fn is_not_distinct(condition: &Expr, left: &LogicalPlan, right: &LogicalPlan) -> bool {
    null_pair(condition, left, right).is_some()
}

/// A comparison of the two sides by one of `ops`, the left's first.
fn compared(
    condition: &Expr,
    ops: &[BinaryOp],
    left: &LogicalPlan,
    right: &LogicalPlan,
) -> Option<(BinaryOp, Expr, Expr)> {
    let Expr::Binary { left: first, op, right: second, .. } = condition else { return None };
    if !ops.contains(op) {
        return None;
    }
    if is_over(first, left) && is_over(second, right) {
        return Some((*op, first.as_ref().clone(), second.as_ref().clone()));
    }
    let swapped = is_over(first, right) && is_over(second, left);
    swapped.then(|| (op.mirrored(), second.as_ref().clone(), first.as_ref().clone()))
}

/// Whether `expr` has columns, and all are of `plan`.
fn is_over(expr: &Expr, plan: &LogicalPlan) -> bool {
    let schema = plan.schema();
    let columns = expr.columns();
    !columns.is_empty() && columns.iter().all(|column| schema.index_of(&column.name).is_ok())
}

/// The keys of an as-of join, the ordered one last.
fn asof_keys(
    conditions: Vec<Expr>,
    left: &LogicalPlan,
    right: &LogicalPlan,
    place: Span,
) -> Result<(Keys, Asof)> {
    const NEAR: [BinaryOp; 4] = [BinaryOp::Lt, BinaryOp::LtEq, BinaryOp::Gt, BinaryOp::GtEq];
    let wrong = || {
        let error = Error::invalid_input("an ASOF join needs equalities and one inequality");
        at(error.remedy("write ON a.key = b.key AND a.ts >= b.ts"), place)
    };
    let (mut keys, rest) = keys_of(conditions, left, right);
    let [near] = <[Expr; 1]>::try_from(rest).map_err(|_| wrong())?;
    let (op, first, second) = compared(&near, &NEAR, left, right).ok_or_else(wrong)?;
    keys.push((first, second));
    let direction = match op {
        BinaryOp::Gt | BinaryOp::GtEq => AsofDirection::Backward,
        _ => AsofDirection::Forward,
    };
    Ok((keys, Asof { direction, exact: matches!(op, BinaryOp::GtEq | BinaryOp::LtEq) }))
}
