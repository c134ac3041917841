//! One SELECT: its columns, grouping, windows, DISTINCT and ORDER BY over the rows of FROM.
//!
//! ```text
//!   Project    the columns of the select list               without the hidden ones
//!     Sort       ORDER BY
//!       Aggregate  DISTINCT
//!         Filter     QUALIFY
//!           Project    select list, and hidden what QUALIFY and ORDER BY need     (Window below it)
//!             Filter     HAVING
//!               Aggregate  GROUP BY
//!                 ...        FROM, WHERE
//! ```

use std::sync::Arc;

use dframe_core::{Error, Result};
use dframe_expr::window::{partition_by, row_number};
use dframe_expr::{Expr, SortKey, col, conjunction, lit, split_conjunction};
use dframe_plan::LogicalPlan;
use sqlparser::ast::{
    self, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, WildcardAdditionalOptions,
};

use super::columns::{each_column, has_columns};
use super::from::From;
use super::grouping::{Grouping, Names};
use super::groups::{Groups, named, places_of_values};
use super::order::{OrderKey, Output, unused};
use super::scope::{Scope, ScopeColumn};
use super::subquery::{Membership, memberships};
use super::unnest::{has_unnest, refuse_in_groups, unnested};
use super::value::{Value, number_of, with_readable_values};
use super::{Planner, SUBQUERY};
use crate::call::has_grouping;
use crate::convert::Converter;
use crate::is_test;
use crate::place::at;

/// An item of a select list: its name, and what it computes of the rows of FROM.
pub(super) struct Item {
    pub name: String,
    pub expr: Expr,
    /// Whether the user gave the name, so that other expressions may use it.
    aliased: bool,
}

impl Item {
    /// Whether it is about groups or windows of rows, and not about each row.
    pub fn is_over_groups(&self) -> bool {
        self.expr.contains_aggregate() || self.expr.contains_window() || has_grouping(&self.expr)
    }
}

impl<'a> Planner<'a, '_> {
    /// The plan of one SELECT in the order of `order`.
    pub fn select(&mut self, node: ast::Select, order: Vec<OrderKey>) -> Result<LogicalPlan> {
        self.refuse_select_clauses(&node)?;
        let converter = self.converter().with_queries(self.queries.clone());
        let converter = converter.with_windows(node.named_window)?;
        let (tables, scope, mut taken) = self.tables_of(node.from)?;
        let projection = match node.flavor {
            SelectFlavor::FromFirstNoSelect => {
                vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())]
            }
            _ => node.projection,
        };
        let items = self.items(&converter, projection, &scope)?;
        let aliases = aliases(&items);
        let condition = |node: Option<ast::Expr>| -> Result<Option<Expr>> {
            let Some(node) = node else { return Ok(None) };
            scope.resolve(converter.expr(node)?.expr, &aliases).map(Some)
        };
        let (members, filter) = memberships(node.selection, &converter, &scope, &aliases)?;
        let filter = condition(filter)?;
        let having = condition(node.having)?;
        let qualify = condition(node.qualify)?;
        let distinct = node.distinct == Some(ast::Distinct::Distinct);
        let once = match node.distinct {
            Some(ast::Distinct::On(keys)) => {
                let keys = keys.into_iter().map(|key| condition(Some(key)));
                keys.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect()
            }
            _ => vec![],
        };
        refuse_grouped(filter.as_ref())?;
        let names =
            Names { converter: &converter, scope: &scope, items: &items, aliases: &aliases };
        let grouping = self.grouping(node.group_by, &names)?;
        self.around.push(Arc::new(scope.clone()));
        let values = self.values_of(&converter, &scope, &aliases, &mut taken)?;
        let (hidden, outputs) = (vec![], outputs(items));
        let mut selection = Selection { outputs, hidden, once, grouping, having, scope, values };
        let below = filter.iter().chain(members.iter().filter_map(Membership::needle));
        let values = selection.values_of_rows(below, qualify.as_ref());
        let mut from = with_values(tables, filter, values)?;
        for membership in members {
            from = self.member(from, membership, &selection.scope, &mut taken)?;
        }
        self.around.pop();
        selection.plan(from, qualify, distinct, order)
    }

    fn items(
        &self,
        converter: &Converter<'_>,
        nodes: Vec<SelectItem>,
        scope: &Scope,
    ) -> Result<Vec<Item>> {
        let mut items: Vec<Item> = vec![];
        for node in nodes {
            let more = match node {
                SelectItem::Wildcard(options) => {
                    wildcard(converter, options, scope.visible().collect(), scope)?
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    let span = converter.place(&name);
                    let columns = scope.of_table(&table_name(&name));
                    let columns = columns.map_err(|error| at(error, span))?;
                    wildcard(converter, options, columns, scope)?
                }
                SelectItem::UnnamedExpr(node) => {
                    expanded(converter.expr(node)?.expr, None, scope, &items)?
                }
                SelectItem::ExprWithAlias { expr, alias } if !is_test(converter, &alias) => {
                    expanded(converter.expr(expr)?.expr, Some(alias.value), scope, &items)?
                }
                other => {
                    let span = converter.place(&other);
                    return Err(converter.unsupported(&converter.quote(span), span));
                }
            };
            items.extend(more);
        }
        Ok(items)
    }

    fn refuse_select_clauses(&self, node: &ast::Select) -> Result<()> {
        let what = if node.top.is_some() {
            "TOP"
        } else if node.into.is_some() {
            "SELECT INTO"
        } else if node.exclude.is_some() {
            "EXCLUDE behind the select list"
        } else if !node.lateral_views.is_empty() {
            "LATERAL VIEW"
        } else if node.prewhere.is_some() || !node.connect_by.is_empty() {
            "PREWHERE and CONNECT BY"
        } else if !(node.cluster_by.is_empty()
            && node.distribute_by.is_empty()
            && node.sort_by.is_empty())
        {
            "CLUSTER BY, DISTRIBUTE BY and SORT BY"
        } else {
            return Ok(());
        };
        Err(self.unsupported(what, self.text.span(node.select_token.0.span)))
    }
}

/// The item `expr`, or one for each column that COLUMNS in it stands for.
fn expanded(
    expr: Expr,
    alias: Option<String>,
    scope: &Scope,
    earlier: &[Item],
) -> Result<Vec<Item>> {
    let Some(each) = each_column(&expr, scope, &aliases(earlier))? else {
        return Ok(vec![item(expr, alias, scope, earlier)?]);
    };
    let one = |(name, expr)| Item { name: alias.clone().unwrap_or(name), expr, aliased: false };
    Ok(each.into_iter().map(one).collect())
}

/// The item `expr`, which may use the names that the user gave to `earlier` ones.
fn item(expr: Expr, alias: Option<String>, scope: &Scope, earlier: &[Item]) -> Result<Item> {
    let aliased = alias.is_some();
    let name = match (alias, &expr) {
        (Some(alias), _) => alias,
        (None, Expr::Column(column)) if column.relation.as_deref() == Some(SUBQUERY) => {
            "subquery".to_string()
        }
        (None, Expr::Column(column)) => {
            scope.column(column).map_or(column.name.clone(), |found| found.name.clone())
        }
        (None, expr) => with_readable_values(expr.clone())?.output_name(),
    };
    let expr = scope.resolve(expr, &aliases(earlier))?;
    Ok(Item { name, expr, aliased })
}

/// What the user gave a name to.
fn aliases(items: &[Item]) -> Vec<(String, Expr)> {
    let aliased = items.iter().filter(|item| item.aliased);
    aliased.map(|item| (item.name.clone(), item.expr.clone())).collect()
}

/// The items that a `*` stands for.
fn wildcard(
    converter: &Converter<'_>,
    options: WildcardAdditionalOptions,
    columns: Vec<&ScopeColumn>,
    scope: &Scope,
) -> Result<Vec<Item>> {
    let span = converter.text.span(options.wildcard_token.0.span);
    let known = WildcardAdditionalOptions {
        wildcard_token: options.wildcard_token.clone(),
        opt_exclude: options.opt_exclude.clone(),
        opt_replace: options.opt_replace.clone(),
        opt_rename: options.opt_rename.clone(),
        ..Default::default()
    };
    if options != known {
        return Err(converter.unsupported(&format!("'*{options}'"), span));
    }
    if columns.is_empty() {
        let error = Error::invalid_input("'*' stands for the columns of tables, and there is none");
        return Err(at(error.remedy("add FROM 'file.parquet'"), span));
    }
    let item = |column: &ScopeColumn| Item {
        name: column.name.clone(),
        expr: column.expr.clone(),
        aliased: false,
    };
    let mut items: Vec<Item> = columns.into_iter().map(item).collect();
    for name in options.opt_exclude.into_iter().flat_map(excluded) {
        let place = converter.place(&name);
        let name = table_name(&name);
        let count = items.len();
        items.retain(|item| !item.name.eq_ignore_ascii_case(&name));
        if items.len() == count {
            return Err(at(no_column(&name), place));
        }
    }
    for replaced in options.opt_replace.into_iter().flat_map(|replace| replace.items) {
        let place = converter.text.span(replaced.column_name.span);
        let name = replaced.column_name.value;
        let expr = scope.resolve(converter.expr(replaced.expr)?.expr, &[])?;
        let item = items.iter_mut().find(|item| item.name.eq_ignore_ascii_case(&name));
        item.ok_or_else(|| at(no_column(&name), place))?.expr = expr;
    }
    for ast::IdentWithAlias { ident, alias } in options.opt_rename.into_iter().flat_map(renamed) {
        let item = items.iter_mut().find(|item| item.name.eq_ignore_ascii_case(&ident.value));
        let place = converter.text.span(ident.span);
        item.ok_or_else(|| at(no_column(&ident.value), place))?.name = alias.value;
    }
    Ok(items)
}

fn renamed(rename: ast::RenameSelectItem) -> Vec<ast::IdentWithAlias> {
    match rename {
        ast::RenameSelectItem::Single(name) => vec![name],
        ast::RenameSelectItem::Multiple(names) => names,
    }
}

/// The names that EXCLUDE has.
pub(crate) fn excluded(exclude: ast::ExcludeSelectItem) -> Vec<ast::ObjectName> {
    match exclude {
        ast::ExcludeSelectItem::Single(name) => vec![name],
        ast::ExcludeSelectItem::Multiple(names) => names,
    }
}

fn no_column(name: &str) -> Error {
    Error::invalid_input(format!("column '{name}' is not among those that '*' stands for"))
}

/// The name without quotes; of several parts, with dots between.
pub(crate) fn table_name(name: &ast::ObjectName) -> String {
    let part = |part: &ast::ObjectNamePart| match part.as_ident() {
        Some(ident) => ident.value.clone(),
        None => part.to_string(),
    };
    name.0.iter().map(part).collect::<Vec<_>>().join(".")
}

/// The items under names that are all different: the second `x` is `x_1`.
fn outputs(items: Vec<Item>) -> Vec<Output> {
    let labels: Vec<String> = items.iter().map(|item| item.name.clone()).collect();
    let mut outputs: Vec<Output> = Vec::with_capacity(items.len());
    for Item { name: label, expr, .. } in items {
        let mut taken: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
        let name = match taken.contains(&label.as_str()) {
            false => label.clone(),
            true => {
                taken.extend(labels.iter().map(String::as_str));
                unused(label.clone(), &taken)
            }
        };
        outputs.push(Output { label, name, expr });
    }
    outputs
}

/// The rows of `tables` for which `filter` is true, with `values` beside them.
fn with_values(
    mut tables: Vec<LogicalPlan>,
    filter: Option<Expr>,
    values: Vec<Value>,
) -> Result<LogicalPlan> {
    let (rows, lookups): (Vec<_>, Vec<_>) =
        values.into_iter().partition(|value| value.row.is_some());
    tables.extend(rows.into_iter().filter_map(|value| value.row));
    let needs = |part: &Expr| {
        let numbers: Vec<usize> = part.columns().iter().filter_map(number_of).collect();
        lookups.iter().any(|value| numbers.contains(&value.number))
    };
    let parts = filter.iter().flat_map(split_conjunction).cloned();
    let (late, early): (Vec<Expr>, Vec<Expr>) = parts.partition(needs);
    let from = From::joined(tables, conjunction(early))?;
    let from = lookups.into_iter().try_fold(from, |from, value| value.beside(from))?;
    match conjunction(late) {
        Some(late) => from.filter(late),
        None => Ok(from),
    }
}

/// A condition on rows, where neither aggregates nor windows are.
pub(super) fn refuse_grouped(filter: Option<&Expr>) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    let (what, remedy) = if filter.contains_window() {
        ("a window function", "filter on it with QUALIFY")
    } else if has_grouping(filter) {
        ("grouping()", "filter on it with HAVING")
    } else if has_columns(filter) {
        ("COLUMNS", "write a condition for each column")
    } else if has_unnest(filter) {
        ("unnest()", "filter the rows of a subquery that unnests")
    } else if let Some(call) = filter.aggregates().first() {
        let error = Error::invalid_input("WHERE cannot contain an aggregate");
        return Err(at(error.remedy("filter on it with HAVING"), call.span));
    } else {
        return Ok(());
    };
    let error = Error::invalid_input(format!("WHERE cannot contain {what}"));
    Err(at(error.remedy(remedy), filter.span()))
}

/// What a SELECT makes of the rows of its FROM.
struct Selection {
    outputs: Vec<Output>,
    /// Columns that only QUALIFY and ORDER BY need.
    hidden: Vec<Output>,
    /// Of rows with equal values of these, only the first in the order comes out.
    once: Vec<Expr>,
    grouping: Option<Grouping>,
    having: Option<Expr>,
    scope: Scope,
    /// Those of queries in expressions.
    values: Vec<Value>,
}

impl Selection {
    /// Whether it is of groups of rows.
    fn groups(&self, qualify: Option<&Expr>) -> bool {
        let mut exprs = self.exprs(qualify);
        self.grouping.is_some()
            || self.having.is_some()
            || exprs.any(|expr| expr.contains_aggregate())
    }

    fn exprs<'s>(&'s self, qualify: Option<&'s Expr>) -> impl Iterator<Item = &'s Expr> {
        let outputs = self.outputs.iter().chain(&self.hidden).map(|output| &output.expr);
        let needles = self.values.iter().filter_map(Value::needle);
        outputs.chain(&self.once).chain(qualify).chain(needles)
    }

    /// The values of queries that are needed beside rows, also for `below`; those beside groups stay.
    fn values_of_rows<'e>(
        &mut self,
        below: impl Iterator<Item = &'e Expr>,
        qualify: Option<&Expr>,
    ) -> Vec<Value> {
        let (mut of_rows, mut of_groups) = (vec![], vec![]);
        let keys = self.grouping.as_ref().map(Grouping::keys).unwrap_or_default();
        below.for_each(|expr| places_of_values(expr, None, &mut of_rows, &mut vec![]));
        for key in &keys {
            places_of_values(key, None, &mut of_rows, &mut vec![]);
        }
        let keys = self.groups(qualify).then_some(keys.as_slice());
        for expr in self.exprs(qualify).chain(&self.having) {
            places_of_values(expr, keys, &mut of_rows, &mut of_groups);
        }
        let values = std::mem::take(&mut self.values);
        let of_rows = values.iter().filter(|value| of_rows.contains(&value.number)).cloned();
        let of_rows = of_rows.collect();
        self.values =
            values.into_iter().filter(|value| of_groups.contains(&value.number)).collect();
        of_rows
    }

    fn plan(
        mut self,
        from: LogicalPlan,
        qualify: Option<Expr>,
        distinct: bool,
        order: Vec<OrderKey>,
    ) -> Result<LogicalPlan> {
        let qualify = qualify.map(|qualify| {
            let name = "qualify ".to_string() + &qualify.to_string();
            self.hidden.push(Output { label: name.clone(), name: name.clone(), expr: qualify });
            col(name)
        });
        let kept = self.hidden.len();
        let mut keys = vec![];
        for key in order {
            keys.extend(key.over_outputs(&self.outputs, &self.scope, &mut self.hidden)?);
        }
        if distinct && let Some(unseen) = self.hidden.get(kept) {
            let error =
                Error::invalid_input("SELECT DISTINCT can only be ordered by what it selects");
            let error = error.remedy("add the key to the select list");
            return Err(at(error, unseen.expr.span()));
        }
        let once = std::mem::take(&mut self.once);
        let once: Vec<Expr> = once.into_iter().map(|key| self.column_of(key)).collect();
        let names: Vec<String> = self.outputs.iter().map(|output| output.name.clone()).collect();
        let visible = || names.iter().map(col).collect::<Vec<_>>();
        let mut hidden = !self.hidden.is_empty();
        let mut plan = self.columns(from)?;
        if let Some(condition) = qualify {
            plan = plan.filter(condition)?;
        }
        if !once.is_empty() {
            plan = first_of_each(plan, once, &keys)?;
            hidden = true;
        }
        if distinct {
            if std::mem::take(&mut hidden) {
                plan = plan.project(visible())?;
            }
            plan = plan.distinct()?;
        }
        if !keys.is_empty() {
            plan = plan.sort(keys)?;
        }
        if hidden { plan.project(visible()) } else { Ok(plan) }
    }

    /// The output column that computes `expr`, hidden if the user has none.
    fn column_of(&mut self, expr: Expr) -> Expr {
        let known = self.outputs.iter().chain(&self.hidden).find(|output| output.expr == expr);
        if let Some(output) = known {
            return col(&output.name);
        }
        let taken: Vec<&str> =
            self.outputs.iter().chain(&self.hidden).map(|output| output.name.as_str()).collect();
        let name = unused(format!("distinct on {expr}"), &taken);
        self.hidden.push(Output { label: name.clone(), name: name.clone(), expr });
        col(name)
    }

    /// All columns, grouped if the query groups.
    fn columns(self, from: LogicalPlan) -> Result<LogicalPlan> {
        if self.groups(None) {
            self.exprs(None).chain(&self.having).try_for_each(refuse_in_groups)?;
            let columns = self.outputs.into_iter().chain(self.hidden);
            let columns = columns.map(|output| (output.name, output.expr)).collect();
            return Groups::new(self.grouping).plan(from, columns, self.having, self.values);
        }
        let all = self.outputs.iter().chain(&self.hidden);
        if let Some(output) = all.clone().find(|output| has_grouping(&output.expr)) {
            let error = Error::invalid_input("grouping() has a meaning only for groups");
            return Err(at(error.remedy("add GROUP BY"), output.expr.span()));
        }
        let names: Vec<&String> = all.clone().map(|output| &output.name).collect();
        let (from, exprs) = unnested(from, all.map(|output| output.expr.clone()).collect())?;
        from.project(exprs.into_iter().zip(names).map(|(expr, name)| named(expr, name)).collect())
    }
}

/// Of rows with equal `keys` the first in `order`, with a column more.
fn first_of_each(plan: LogicalPlan, keys: Vec<Expr>, order: &[SortKey]) -> Result<LogicalPlan> {
    const PLACE: &str = "distinct on#";
    let place = row_number().over(partition_by(keys).order_by(order.iter().cloned()));
    let numbered = plan.with_columns(vec![place.alias(PLACE)])?;
    numbered.filter(col(PLACE).eq(lit(1)))
}
