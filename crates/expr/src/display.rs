//! Expressions and types as SQL text, with no more parentheses than their meaning needs.
//!
//! What is printed parses back to the same expression, up to the types of constants.

use std::fmt::{self, Display, Formatter};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, TimeUnit};

use crate::aggregate::AggregateFunction;
use crate::expr::{AggregateCall, BinaryOp, Column, Expr, Like, Literal, UnaryOp};
use crate::kernel::text::to_text;
use crate::sort_key::SortKey;

impl Expr {
    /// The name of the column this expression makes: its alias, the column's name, or its text.
    pub fn output_name(&self) -> String {
        match self {
            Expr::Alias(_, name) => name.clone(),
            Expr::Column(column) => column.name.clone(),
            Expr::Literal(literal) if is_text(literal.0.data_type()) => literal_value(literal),
            other => other.to_string(),
        }
    }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Column(column) => column.fmt(f),
            Expr::Literal(literal) => literal.fmt(f),
            Expr::Alias(expr, name) => write!(f, "{expr} AS {}", Identifier(name)),
            Expr::Unary { op, expr, .. } => write_unary(f, *op, expr),
            Expr::Binary { left, op, right, .. } => write_binary(f, left, *op, right),
            Expr::Like(like) => write_like(f, like),
            Expr::InList { expr, list, negated, .. } => {
                let not = if *negated { "NOT " } else { "" };
                write!(f, "{} {not}IN ({})", Operand(expr, COMPARE + 1), List(list))
            }
            Expr::Case { operand, branches, otherwise, .. } => {
                f.write_str("CASE")?;
                if let Some(operand) = operand {
                    write!(f, " {operand}")?;
                }
                for (when, then) in branches {
                    write!(f, " WHEN {when} THEN {then}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END")
            }
            Expr::Cast { expr, to, strict, .. } => {
                let name = if *strict { "CAST" } else { "TRY_CAST" };
                write!(f, "{name}({expr} AS {})", type_name(to))
            }
            Expr::Call { name, args, .. } => write!(f, "{name}({})", List(args)),
            Expr::Aggregate(call) => call.fmt(f),
            Expr::Window(call) => call.fmt(f),
            Expr::Wildcard => f.write_str("*"),
        }
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(relation) = &self.relation {
            write!(f, "{}.", Identifier(relation))?;
        }
        Identifier(&self.name).fmt(f)
    }
}

impl Display for AggregateCall {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = self.function.name();
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        match (&self.function, self.args.is_empty()) {
            (AggregateFunction::Count, true) => write!(f, "{name}(*)")?,
            _ => write!(f, "{name}({distinct}{}{})", List(&self.args), OrderBy(&self.order_by))?,
        }
        match &self.filter {
            Some(filter) => write!(f, " FILTER (WHERE {filter})"),
            None => Ok(()),
        }
    }
}

/// ` ORDER BY key, key`, or nothing.
struct OrderBy<'a>(&'a [SortKey]);

impl Display for OrderBy<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, key) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { " ORDER BY " } else { ", " })?;
            let direction = if key.descending { " DESC" } else { "" };
            let nulls = if key.nulls_first { " NULLS FIRST" } else { "" };
            write!(f, "{}{direction}{nulls}", key.expr)?;
        }
        Ok(())
    }
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.logical_null_count() > 0 || self.0.is_empty() {
            return f.write_str("NULL");
        }
        let value = literal_value(self);
        match crate::plain_type(self.0.data_type()) {
            text if is_text(text) => write!(f, "'{}'", value.replace('\'', "''")),
            DataType::Date32 | DataType::Date64 => write!(f, "DATE '{value}'"),
            DataType::Time32(_) | DataType::Time64(_) => write!(f, "TIME '{value}'"),
            DataType::Timestamp(_, None) => write!(f, "TIMESTAMP '{value}'"),
            DataType::Timestamp(_, Some(_)) => write!(f, "TIMESTAMPTZ '{value}'"),
            DataType::Interval(_) | DataType::Duration(_) => write!(f, "INTERVAL '{value}'"),
            other if other.is_binary() => write!(f, "'{value}'::BLOB"),
            _ => f.write_str(&value),
        }
    }
}

/// The constant as text, unquoted.
pub(crate) fn literal_value(literal: &Literal) -> String {
    match to_text(&literal.0) {
        Ok(text) if text.len() == 1 && text.is_valid(0) => {
            text.as_string::<i32>().value(0).to_string()
        }
        Ok(_) => "NULL".to_string(),
        Err(_) => format!("<{}>", type_name(literal.0.data_type())),
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// How tightly comparisons, `IN`, `LIKE` and `IS` bind; what binds tighter has a larger number.
const COMPARE: u8 = 4;
const NOT: u8 = 3;
const NEGATE: u8 = 8;
const ATOM: u8 = 9;

fn precedence(expr: &Expr) -> u8 {
    match expr {
        Expr::Alias(..) => 0,
        Expr::Binary { op, .. } => op_precedence(*op),
        Expr::Unary { op: UnaryOp::Not, .. } => NOT,
        Expr::Unary { op: UnaryOp::Negate, .. } => NEGATE,
        Expr::Unary { .. } | Expr::Like(_) | Expr::InList { .. } => COMPARE,
        Expr::Literal(literal) if literal_value(literal).starts_with('-') => NEGATE,
        _ => ATOM,
    }
}

fn op_precedence(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Concat => 5,
        BinaryOp::Add | BinaryOp::Subtract => 6,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::IntegerDivide | BinaryOp::Modulo => 7,
        _ => COMPARE,
    }
}

/// The operator as SQL has it.
pub(crate) fn op_text(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "+",
        BinaryOp::Subtract => "-",
        BinaryOp::Multiply => "*",
        BinaryOp::Divide => "/",
        BinaryOp::IntegerDivide => "//",
        BinaryOp::Modulo => "%",
        BinaryOp::Eq => "=",
        BinaryOp::NotEq => "<>",
        BinaryOp::Lt => "<",
        BinaryOp::LtEq => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::GtEq => ">=",
        BinaryOp::IsNotDistinctFrom => "IS NOT DISTINCT FROM",
        BinaryOp::IsDistinctFrom => "IS DISTINCT FROM",
        BinaryOp::And => "AND",
        BinaryOp::Or => "OR",
        BinaryOp::Concat => "||",
    }
}

fn write_binary(f: &mut Formatter<'_>, left: &Expr, op: BinaryOp, right: &Expr) -> fmt::Result {
    let precedence = op_precedence(op);
    // Comparisons do not chain, so their left operand must bind tighter too.
    let left_least = precedence + u8::from(precedence == COMPARE);
    let (left, right) = (Operand(left, left_least), Operand(right, precedence + 1));
    write!(f, "{left} {} {right}", op_text(op))
}

fn write_unary(f: &mut Formatter<'_>, op: UnaryOp, expr: &Expr) -> fmt::Result {
    let test = match op {
        UnaryOp::Not => return write!(f, "NOT {}", Operand(expr, NOT)),
        UnaryOp::Negate => return write!(f, "-{}", Operand(expr, ATOM)),
        UnaryOp::IsNull => "NULL",
        UnaryOp::IsNotNull => "NOT NULL",
        UnaryOp::IsTrue => "TRUE",
        UnaryOp::IsFalse => "FALSE",
        UnaryOp::IsNotTrue => "NOT TRUE",
        UnaryOp::IsNotFalse => "NOT FALSE",
    };
    write!(f, "{} IS {test}", Operand(expr, COMPARE + 1))
}

fn write_like(f: &mut Formatter<'_>, like: &Like) -> fmt::Result {
    let not = if like.negated { "NOT " } else { "" };
    let name = if like.case_insensitive { "ILIKE" } else { "LIKE" };
    let (expr, pattern) = (Operand(&like.expr, COMPARE + 1), Operand(&like.pattern, COMPARE + 1));
    write!(f, "{expr} {not}{name} {pattern}")?;
    match like.escape {
        Some('\'') => f.write_str(" ESCAPE ''''"),
        Some(escape) => write!(f, " ESCAPE '{escape}'"),
        None => Ok(()),
    }
}

/// An expression in parentheses, unless it binds at least as tightly as asked.
struct Operand<'a>(&'a Expr, u8);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if precedence(self.0) >= self.1 { self.0.fmt(f) } else { write!(f, "({})", self.0) }
    }
}

pub(crate) struct List<'a>(pub &'a [Expr]);

impl Display for List<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, expr) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{expr}")?;
        }
        Ok(())
    }
}

/// A name, in double quotes where SQL would not read it back as it is.
pub(crate) struct Identifier<'a>(pub &'a str);

impl Display for Identifier<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let starts_well = self.0.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if starts_well && self.0.chars().all(bare) && !is_reserved(self.0) {
            f.write_str(self.0)
        } else {
            write!(f, "\"{}\"", self.0.replace('"', "\"\""))
        }
    }
}

/// Words that end or begin something where a name could stand.
const RESERVED: [&str; 36] = [
    "all", "and", "any", "as", "asc", "between", "by", "case", "cast", "desc", "distinct", "else",
    "end", "false", "from", "group", "having", "in", "interval", "is", "join", "like", "limit",
    "not", "null", "offset", "on", "or", "order", "select", "then", "true", "union", "using",
    "when", "where",
];

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name.to_ascii_lowercase().as_str())
}

/// The type as DuckDB names it.
pub fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Null => "NULL",
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "UTINYINT",
        DataType::UInt16 => "USMALLINT",
        DataType::UInt32 => "UINTEGER",
        DataType::UInt64 => "UBIGINT",
        DataType::Float16 => "FLOAT16",
        DataType::Float32 => "FLOAT",
        DataType::Float64 => "DOUBLE",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "BLOB",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(_) | DataType::Time64(_) => "TIME",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        DataType::Timestamp(TimeUnit::Second, None) => "TIMESTAMP_S",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "TIMESTAMP_MS",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "TIMESTAMP",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "TIMESTAMP_NS",
        DataType::Interval(_) => "INTERVAL",
        DataType::Duration(_) => "DURATION",
        DataType::Decimal32(p, s)
        | DataType::Decimal64(p, s)
        | DataType::Decimal128(p, s)
        | DataType::Decimal256(p, s) => return format!("DECIMAL({p}, {s})"),
        DataType::Dictionary(_, value) => return type_name(value),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            return format!("{}[]", type_name(item.data_type()));
        }
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| {
                    format!("{} {}", Identifier(field.name()), type_name(field.data_type()))
                })
                .collect();
            return format!("STRUCT({})", fields.join(", "));
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(pair) if pair.len() == 2 => {
                let [key, value] = [0, 1].map(|index| type_name(pair[index].data_type()));
                return format!("MAP({key}, {value})");
            }
            _ => "MAP",
        },
        other => return other.to_string().to_uppercase(),
    };
    name.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::{call, col, corr, count_all, lit, null, when};
    use arrow::datatypes::Field;
    use chrono::NaiveDate;
    use std::sync::Arc;

    #[test]
    fn nested_types_are_named_as_in_duckdb() {
        let pair = DataType::Struct(
            vec![
                Field::new("key", DataType::Utf8, false),
                Field::new("value", DataType::new_list(DataType::Int32, true), true),
            ]
            .into(),
        );
        let map = DataType::Map(Arc::new(Field::new("entries", pair.clone(), false)), false);
        assert_eq!(type_name(&map), "MAP(VARCHAR, INTEGER[])");
        assert_eq!(type_name(&pair), "STRUCT(key VARCHAR, value INTEGER[])");
    }

    #[test]
    fn prints_sql_with_few_parentheses() {
        let day = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
        let table = [
            (col("a") + col("b") * lit(2), "a + b * 2"),
            ((col("a") + col("b")) * lit(2), "(a + b) * 2"),
            (col("a") - (col("b") - col("c")), "a - (b - c)"),
            (col("a").gt(1).and(col("b").or(col("c"))), "a > 1 AND (b OR c)"),
            (!(col("a").is_null()), "NOT a IS NULL"),
            (-(col("a") + lit(1)), "-(a + 1)"),
            (-lit(-1), "-(-1)"),
            (col("a").is_in(["x", "it's"]), "a IN ('x', 'it''s')"),
            (col("a").like("x%"), "a LIKE 'x%'"),
            (col("my col").cast(DataType::Int64), "CAST(\"my col\" AS BIGINT)"),
            (Expr::column(Some("left"), "x").eq(null()), "left.x = NULL"),
            (col("order").lt(day), "\"order\" < DATE '2024-02-29'"),
            (when(col("a").eq(0)).then(0).otherwise(1.5), "CASE WHEN a = 0 THEN 0 ELSE 1.5 END"),
            (count_all(), "count(*)"),
            (col("x").n_unique(), "count(DISTINCT x)"),
            (col("x").sum().filter(col("y")).alias("s"), "sum(x) FILTER (WHERE y) AS s"),
            (corr(col("x"), col("y")), "corr(x, y)"),
            (call("UPPER", [col("x")]), "upper(x)"),
            (col("a").eq(1).eq(true), "(a = 1) = true"),
        ];
        for (expr, text) in table {
            assert_eq!(expr.to_string(), text);
        }
    }

    #[test]
    fn output_names() {
        assert_eq!(col("my col").output_name(), "my col");
        assert_eq!((col("a") + lit(1)).alias("n").output_name(), "n");
        assert_eq!(col("price").sum().output_name(), "sum(price)");
        assert_eq!(lit("x").output_name(), "x");
    }
}
