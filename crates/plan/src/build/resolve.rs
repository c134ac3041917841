//! Names made exact: what the user wrote becomes the schema's own spelling, checked for its type.
//!
//! After this, a column reference in a plan is exactly a field's name, so that rules can compare and
//! replace columns by name alone.

use arrow::datatypes::{Field, Schema};
use dframe_core::{Error, Result};
use dframe_expr::{Column, Expr, bind, bind_predicate, resolve_column};

/// `expr` with each column spelled as in `schema`.
pub(crate) fn resolve(expr: Expr, schema: &Schema) -> Result<Expr> {
    expr.rewrite(&mut |node| match node {
        Expr::Column(column) => exact(&column, schema).map(Expr::Column),
        other => Ok(other),
    })
}

/// `expr` with those columns that are in `schema` spelled as there.
pub(crate) fn resolve_where_possible(expr: Expr, schema: &Schema) -> Expr {
    let spelled = |node| match node {
        Expr::Column(column) => Expr::Column(exact(&column, schema).unwrap_or(column)),
        other => other,
    };
    expr.clone().rewrite(&mut |node| Ok(spelled(node))).unwrap_or(expr)
}

fn exact(column: &Column, schema: &Schema) -> Result<Column> {
    let index = resolve_column(schema, column)?;
    let name = schema.field(index).name().clone();
    Ok(Column { relation: None, name, span: column.span })
}

/// `expr` with exact names and a type that is known to be right. Aggregates are refused.
pub(crate) fn scalar(expr: Expr, schema: &Schema, place: &str) -> Result<Expr> {
    refuse_wildcard(&expr, place)?;
    if expr.contains_aggregate() {
        let call = expr.aggregates().first().map(|call| Expr::Aggregate(call.clone()));
        let call = call.map_or_else(String::new, |call| call.to_string());
        let remedy = match place {
            "as a key" => "group by its argument, or group twice",
            _ => "compute it in a group-by (--agg), and filter on it with --having",
        };
        let message = format!("aggregate function {call} cannot be used {place}");
        let error = Error::invalid_input(message).remedy(remedy);
        return Err(at(error, &expr));
    }
    let expr = resolve(expr, schema)?;
    bind(&expr, schema)?;
    Ok(expr)
}

/// `expr` as a condition: exact names, Boolean, no aggregates.
pub(crate) fn condition(expr: Expr, schema: &Schema, place: &str) -> Result<Expr> {
    let expr = scalar(expr, schema, place)?;
    bind_predicate(&expr, schema)?;
    Ok(expr)
}

/// Refuses `*` where it means nothing.
pub(crate) fn refuse_wildcard(expr: &Expr, place: &str) -> Result<()> {
    if !expr.any_node(|node| matches!(node, Expr::Wildcard)) {
        return Ok(());
    }
    let error = Error::invalid_input(format!("'*' cannot be used {place}"));
    Err(at(error.remedy("name the columns; count rows with count(*)"), expr))
}

/// The schema of columns computed by `exprs`, each with a name of its own.
pub(crate) fn output_schema(exprs: &[Expr], input: &Schema) -> Result<Schema> {
    let fields = exprs.iter().map(|expr| expr.to_field(input)).collect::<Result<Vec<Field>>>()?;
    for (index, field) in fields.iter().enumerate() {
        if fields[..index].iter().any(|earlier| earlier.name() == field.name()) {
            return Err(at(duplicate(field.name()), &exprs[index]));
        }
    }
    Ok(Schema::new(fields))
}

fn duplicate(name: &str) -> Error {
    Error::invalid_input(format!("two columns would be named '{name}'"))
        .column(name)
        .remedy("give one of them another name with `AS`")
}

/// `error` with the place in the user's text, where it is known.
pub(crate) fn at(error: Error, expr: &Expr) -> Error {
    match expr.span().range() {
        Some(range) => error.span(range),
        None => error,
    }
}
