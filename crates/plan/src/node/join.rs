//! Join: pairs of rows of two inputs whose keys are equal and for which a condition holds.
//!
//! ```text
//!   left (k, x, y)    right (k, x, z)     join on k
//!
//!   the node's columns    k, x, y, k_right, x_right, z     every column of both, each under a name of its own
//!   above it, projected   k, x, y, x_right, z              a key of one name comes out once
//! ```
//!
//! In expressions `left.x` and `right.x` say which side is meant. A semi or an anti join has the left's
//! columns only. How pairs are found is not known here.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use dframe_core::{Error, Result};
use dframe_expr::{Column, Expr, bind, coalesce, col, key_type};

use super::asof::Asof;
use super::{MapExpr, Names, Node, Operator, PruneInput, Pushed};
use crate::build::resolve::{condition as checked_condition, scalar};
use crate::logical::LogicalPlan;

/// Which rows come out of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// The pairs.
    Inner,
    /// The pairs, and left rows without one.
    Left,
    /// The pairs, and right rows without one.
    Right,
    /// The pairs, and rows of either side without one.
    Full,
    /// Left rows that are in a pair, each once.
    Semi,
    /// Left rows that are in none.
    Anti,
    /// The pairs; there are no keys.
    Cross,
}

impl JoinKind {
    /// The name in plans.
    pub fn name(self) -> &'static str {
        match self {
            JoinKind::Inner => "inner",
            JoinKind::Left => "left",
            JoinKind::Right => "right",
            JoinKind::Full => "full",
            JoinKind::Semi => "semi",
            JoinKind::Anti => "anti",
            JoinKind::Cross => "cross",
        }
    }

    /// Whether left rows without a pair come out.
    pub fn keeps_left(self) -> bool {
        matches!(self, JoinKind::Left | JoinKind::Full | JoinKind::Anti)
    }

    /// Whether right rows without a pair come out.
    pub fn keeps_right(self) -> bool {
        matches!(self, JoinKind::Right | JoinKind::Full)
    }

    /// Whether only the left's columns come out.
    pub fn is_left_only(self) -> bool {
        matches!(self, JoinKind::Semi | JoinKind::Anti)
    }
}

/// How rows are paired.
#[derive(Clone, Debug)]
pub struct JoinOn {
    /// Which rows come out.
    pub kind: JoinKind,
    /// Keys: an expression over the left, and one over the right.
    pub keys: Vec<(Expr, Expr)>,
    /// Whether NULL equals NULL.
    pub nulls_equal: bool,
    /// A further condition over the columns of both.
    pub condition: Option<Expr>,
    /// The last key is not equal but near: each left row has one partner at most.
    pub asof: Option<Asof>,
}

/// A join.
#[derive(Clone, Debug)]
pub struct Join {
    /// The left rows.
    pub left: Arc<LogicalPlan>,
    /// The right rows.
    pub right: Arc<LogicalPlan>,
    /// How they are paired: keys over the inputs, the two of a pair of one type; the condition over
    /// [`Join::pair_schema`].
    pub on: JoinOn,
    names: Arc<PairNames>,
    pairs: SchemaRef,
    schema: SchemaRef,
}

impl LogicalPlan {
    /// The join of this plan, the left, with `right`: all columns of both, under the names of
    /// [`PairNames`].
    ///
    /// # Errors
    /// Unknown columns, keys that cannot be compared, no keys, or keys of a cross join.
    pub fn join(self, right: LogicalPlan, on: JoinOn) -> Result<Self> {
        match (on.kind, on.keys.is_empty(), &on.condition) {
            (JoinKind::Cross, false, _) | (JoinKind::Cross, _, Some(_)) => {
                return Err(Error::invalid_input("a cross join has no keys")
                    .remedy("leave the keys out, or make it an inner join"));
            }
            (JoinKind::Cross, ..) | (_, false, _) | (_, _, Some(_)) => {}
            _ => {
                return Err(Error::invalid_input("a join has no keys")
                    .remedy("name the columns to join on, or make it a cross join"));
            }
        }
        let (left_schema, right_schema) = (self.schema(), right.schema());
        let key = |(left, right)| comparable(left, &left_schema, right, &right_schema);
        let keys = on.keys.into_iter().map(key).collect::<Result<_>>()?;
        let names = Arc::new(PairNames::new(&left_schema, &right_schema));
        let pairs = names.schema(&left_schema, &right_schema);
        let condition = on.condition.map(|condition| {
            checked_condition(names.qualify(condition)?, &pairs, "in a join's condition")
        });
        let on = JoinOn { keys, condition: condition.transpose()?, ..on };
        Ok(Join::node(Arc::new(self), Arc::new(right), on, names))
    }

    /// As [`LogicalPlan::join`], with the columns that most people want: keys that have one name on both
    /// sides come out once, from the side that has a row.
    ///
    /// # Errors
    /// As [`LogicalPlan::join`].
    pub fn join_columns(self, right: LogicalPlan, on: JoinOn) -> Result<Self> {
        let (left_schema, right_schema) = (self.schema(), right.schema());
        let kind = on.kind;
        let plan = self.join(right, on)?;
        if kind.is_left_only() {
            return Ok(plan);
        }
        let LogicalPlan::Operator(Operator::Join(join)) = &plan else {
            return Err(Error::internal("a join is no join"));
        };
        let exprs = join.usual_columns(&left_schema, &right_schema);
        plan.project(exprs)
    }
}

/// The keys resolved, checked, and brought to one type.
fn comparable(left: Expr, over: &Schema, right: Expr, other: &Schema) -> Result<(Expr, Expr)> {
    let left = scalar(unqualified(left), over, "as a join key")?;
    let right = scalar(unqualified(right), other, "as a join key")?;
    let types = [bind(&left, over)?, bind(&right, other)?]
        .map(|bound| dframe_expr::plain_type(bound.data_type()).clone());
    for (data_type, key) in types.iter().zip([&left, &right]) {
        crate::build::refuse_nested_key(key, &key.output_name(), data_type)?;
    }
    let common = key_type(&types[0], &types[1]).map_err(|error| {
        error.remedy(format!("cast one of the keys {left} and {right} to the type of the other"))
    })?;
    // Nothing but NULL on both sides: of any type.
    let common = if common == DataType::Null { DataType::Boolean } else { common };
    let cast = |key: Expr, is: &DataType| match *is == common {
        true => key,
        false => key.cast(common.clone()),
    };
    Ok((cast(left, &types[0]), cast(right, &types[1])))
}

/// A key is over one side, so that a side before its name says nothing.
pub(super) fn unqualified(expr: Expr) -> Expr {
    let plain = |node| match node {
        Expr::Column(Column { relation: Some(side), name, span })
            if side == "left" || side == "right" =>
        {
            Expr::Column(Column { relation: None, name, span })
        }
        other => other,
    };
    expr.clone().rewrite(&mut |node| Ok(plain(node))).unwrap_or(expr)
}

/// The names of both sides' columns in one schema: the left's as they are; the right's with `_right` behind
/// them where the left has the name.
#[derive(Clone, Debug, PartialEq)]
pub struct PairNames {
    left: Vec<String>,
    /// As in the right input, and in the pair.
    right: Vec<(String, String)>,
}

impl PairNames {
    /// The names for inputs of these columns.
    pub fn new(left: &Schema, right: &Schema) -> Self {
        let left: Vec<String> = left.fields().iter().map(|field| field.name().clone()).collect();
        let mut taken: Names = left.iter().cloned().collect();
        taken.extend(right.fields().iter().map(|field| field.name().clone()));
        let mut names = Vec::with_capacity(right.fields().len());
        for field in right.fields() {
            let mut name = field.name().clone();
            if left.contains(&name) {
                while taken.contains(&name) {
                    name.push_str("_right");
                }
                taken.insert(name.clone());
            }
            names.push((field.name().clone(), name));
        }
        Self { left, right: names }
    }

    /// The name in the pair of the right's column `name`.
    pub fn of_right(&self, name: &str) -> Option<&str> {
        self.right.iter().find(|(own, _)| own == name).map(|(_, paired)| paired.as_str())
    }

    /// The name in the right input of the pair's column `name`.
    pub fn in_right(&self, name: &str) -> Option<&str> {
        self.right.iter().find(|(_, paired)| paired == name).map(|(own, _)| own.as_str())
    }

    /// `expr` with `left.x` and `right.x` as the names that they have in the pair.
    ///
    /// # Errors
    /// A side that does not have the column.
    pub fn qualify(&self, expr: Expr) -> Result<Expr> {
        expr.rewrite(&mut |node| match node {
            Expr::Column(column) => self.qualify_column(column).map(Expr::Column),
            other => Ok(other),
        })
    }

    fn qualify_column(&self, column: Column) -> Result<Column> {
        let names: Vec<(&String, &String)> = match column.relation.as_deref() {
            Some("left") => self.left.iter().map(|name| (name, name)).collect(),
            Some("right") => self.right.iter().map(|(own, paired)| (own, paired)).collect(),
            _ => return Ok(column),
        };
        let field = |(own, _): &(&String, &String)| Field::new(own.as_str(), DataType::Null, true);
        let side = Schema::new(names.iter().map(field).collect::<Vec<_>>());
        let plain = Column { relation: None, ..column };
        let index = dframe_expr::resolve_column(&side, &plain)?;
        Ok(Column { name: names[index].1.clone(), ..plain })
    }

    /// The columns of pairs of inputs that have these columns, or some of them.
    fn schema(&self, left: &Schema, right: &Schema) -> SchemaRef {
        let nullable = |field: &Field, name: &str| {
            Field::new(name, field.data_type().clone(), true)
                .with_metadata(field.metadata().clone())
        };
        let left = left.fields().iter().map(|field| nullable(field, field.name()));
        let right = right
            .fields()
            .iter()
            .map(|field| nullable(field, self.of_right(field.name()).unwrap_or(field.name())));
        Arc::new(Schema::new(left.chain(right).collect::<Vec<_>>()))
    }
}

impl Join {
    fn node(
        left: Arc<LogicalPlan>,
        right: Arc<LogicalPlan>,
        on: JoinOn,
        names: Arc<PairNames>,
    ) -> LogicalPlan {
        let pairs = names.schema(&left.schema(), &right.schema());
        let schema = if on.kind.is_left_only() { left.schema() } else { pairs.clone() };
        LogicalPlan::Operator(Operator::Join(Join { left, right, on, names, pairs, schema }))
    }

    /// The columns of a pair of rows, over which the condition is: the left's, then the right's.
    pub fn pair_schema(&self) -> &SchemaRef {
        &self.pairs
    }

    /// The left's columns, and the right's without keys of the left's names.
    fn usual_columns(&self, left: &Schema, right: &Schema) -> Vec<Expr> {
        let shared: Vec<&str> = (self.on.keys.iter())
            .filter_map(|(left, right)| Some((key_column(left)?, key_column(right)?)))
            .filter_map(|(left, right)| (left == right).then_some(left))
            .collect();
        let of_left = left.fields().iter().map(|field| {
            let name = field.name();
            let paired = self.names.of_right(name).filter(|_| shared.contains(&name.as_str()));
            match paired.filter(|_| self.on.kind.keeps_right()) {
                Some(paired) => coalesce([col(name), col(paired)]).alias(name),
                None => col(name),
            }
        });
        let of_right = (right.fields().iter())
            .filter(|field| !shared.contains(&field.name().as_str()))
            .filter_map(|field| self.names.of_right(field.name()).map(col));
        of_left.chain(of_right).collect()
    }

    fn needs(&self, wanted: &Names) -> (Names, Names) {
        let mut pairs = wanted.clone();
        pairs.extend(self.on.condition.iter().flat_map(Expr::columns).map(|column| column.name));
        let mut left: Names =
            pairs.iter().filter(|name| self.names.left.contains(name)).cloned().collect();
        let mut right: Names =
            pairs.iter().filter_map(|name| self.names.in_right(name)).map(str::to_string).collect();
        for (left_key, right_key) in &self.on.keys {
            left.extend(left_key.columns().into_iter().map(|column| column.name));
            right.extend(right_key.columns().into_iter().map(|column| column.name));
        }
        (left, right)
    }

    /// Whether all columns of `condition` are of the left, or all of the right.
    fn side_of(&self, condition: &Expr) -> Option<Side> {
        let columns = condition.columns();
        let all = |test: &dyn Fn(&str) -> bool| columns.iter().all(|column| test(&column.name));
        if columns.is_empty() {
            None
        } else if all(&|name| self.names.left.iter().any(|left| left == name)) {
            Some(Side::Left)
        } else if all(&|name| self.names.in_right(name).is_some()) {
            Some(Side::Right)
        } else {
            None
        }
    }
}

enum Side {
    Left,
    Right,
}

/// The column that a key is, also one that is cast for the comparison.
fn key_column(key: &Expr) -> Option<&str> {
    match key {
        Expr::Column(column) => Some(&column.name),
        Expr::Cast { expr, .. } => key_column(expr),
        _ => None,
    }
}

impl Node for Join {
    fn name(&self) -> &'static str {
        "Join"
    }

    fn details(&self) -> String {
        let last = self.on.keys.len().saturating_sub(1);
        let keys = self.on.keys.iter().enumerate().map(|(number, (left, right))| {
            let compared = match self.on.asof {
                Some(asof) if number == last => asof.operator(),
                _ if self.on.nulls_equal => "IS NOT DISTINCT FROM",
                _ => "=",
            };
            format!("left.{left} {compared} right.{right}")
        });
        let conditions = keys.chain(self.on.condition.iter().map(Expr::to_string));
        let conditions: Vec<String> = conditions.collect();
        let asof = self.on.asof.map(Asof::name).unwrap_or_default();
        format!(" {}{asof} on=[{}]", self.on.kind.name(), conditions.join(", "))
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn inputs(&self) -> Vec<&Arc<LogicalPlan>> {
        vec![&self.left, &self.right]
    }

    fn with_inputs(&self, inputs: Vec<Arc<LogicalPlan>>) -> Result<LogicalPlan> {
        let [left, right] = <[Arc<LogicalPlan>; 2]>::try_from(inputs)
            .map_err(|_| Error::internal("a join has two inputs"))?;
        Ok(Join::node(left, right, self.on.clone(), self.names.clone()))
    }

    fn map_exprs(&self, map: &mut MapExpr<'_>) -> Result<LogicalPlan> {
        let (left, right) = (self.left.schema(), self.right.schema());
        let mut on = self.on.clone();
        for (left_key, right_key) in &mut on.keys {
            *left_key = map(left_key.clone(), &left);
            *right_key = map(right_key.clone(), &right);
        }
        on.condition = on.condition.map(|condition| map(condition, &self.pairs));
        Ok(Join::node(self.left.clone(), self.right.clone(), on, self.names.clone()))
    }

    fn prune(&self, wanted: &Names, prune: &mut PruneInput<'_>) -> Result<LogicalPlan> {
        let (left, right) = self.needs(wanted);
        self.with_inputs(vec![prune(self.left.clone(), &left)?, prune(self.right.clone(), &right)?])
    }

    /// A side whose rows come out only in pairs can be filtered first; so can one whose rows come out once.
    fn push_condition(&self, condition: &Expr) -> Pushed {
        let kind = self.on.kind;
        let below = match self.side_of(condition) {
            Some(Side::Left) if !kind.keeps_right() => vec![Some(condition.clone()), None],
            // Without some rows others would be nearest.
            Some(Side::Right) if self.on.asof.is_some() => vec![None, None],
            Some(Side::Right) if !kind.keeps_left() && !kind.is_left_only() => {
                let own = |node| match node {
                    Expr::Column(column) => {
                        let name = self.names.in_right(&column.name).unwrap_or(&column.name);
                        Expr::Column(Column { name: name.to_string(), ..column })
                    }
                    other => other,
                };
                vec![None, condition.clone().rewrite(&mut |node| Ok(own(node))).ok()]
            }
            _ => vec![None, None],
        };
        let settled = below.iter().any(Option::is_some);
        Pushed { below, settled }
    }

    fn row_count(&self) -> Option<u64> {
        match self.on.kind {
            JoinKind::Left if self.on.asof.is_some() => self.left.row_count(),
            JoinKind::Cross => self.left.row_count()?.checked_mul(self.right.row_count()?),
            _ => None,
        }
    }

    fn row_count_max(&self) -> Option<u64> {
        let left = self.left.row_count_max();
        match self.on.kind {
            JoinKind::Semi | JoinKind::Anti => left,
            _ if self.on.asof.is_some() => left,
            _ => left?.checked_add(1)?.checked_mul(self.right.row_count_max()?.checked_add(1)?),
        }
    }
}

/// `expr`, written for the output of a join of `left` and `right`, in the names of that output.
///
/// # Errors
/// A side that does not have the column.
pub fn qualify(expr: Expr, left: &Schema, right: &Schema) -> Result<Expr> {
    PairNames::new(left, right).qualify(expr)
}
