//! Pruning: a row that fulfils the filters is always read, and what cannot match is not.

mod support;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMillisecondArray, UInt32Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, Int64Type};
use dframe_expr::{BinaryOp, Column, Expr, Like, Literal, Span, UnaryOp};
use dframe_io::ParquetSource;
use dframe_plan::{ScanRequest, Source};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;
use support::{Folder, request, scan_units, table};

fn column(name: &str) -> Expr {
    Expr::Column(Column { relation: None, name: name.to_string(), span: Span::NONE })
}

fn literal(value: ArrayRef) -> Expr {
    Expr::Literal(Literal(value))
}

fn binary(left: Expr, op: BinaryOp, right: Expr) -> Expr {
    Expr::Binary { left: Box::new(left), op, right: Box::new(right), span: Span::NONE }
}

fn unary(op: UnaryOp, expr: Expr) -> Expr {
    Expr::Unary { op, expr: Box::new(expr), span: Span::NONE }
}

/// The row groups that `filter` leaves of a file.
fn read_and_pruned(path: &str, filter: Expr) -> (usize, usize) {
    let source = ParquetSource::open(&[path.to_string()]).expect("opens");
    let request = ScanRequest { filters: vec![filter], ..request(&source) };
    let partitions = source.partitions(&request).expect("partitions");
    (partitions.row_groups, partitions.row_groups_pruned)
}

#[test]
fn row_groups_are_ruled_out_by_bounds() {
    let folder = Folder::new();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1_000)).build();
    let path = folder.write("a.parquet", &table(10_000), properties);
    let long = |value: i64| literal(Arc::new(Int64Array::from(vec![value])));
    let text = |value: &str| literal(Arc::new(StringArray::from(vec![value])));
    let cases = [
        (binary(column("day"), BinaryOp::Eq, text("1970-04-11")), (1, 9)),
        (binary(column("day"), BinaryOp::Lt, text("1970-04-11")), (1, 9)),
        (binary(long(500), BinaryOp::Gt, column("PRICE")), (2, 8)),
        (binary(column("price"), BinaryOp::Lt, long(500)), (2, 8)),
        (unary(UnaryOp::IsNotNull, column("null")), (0, 10)),
        (unary(UnaryOp::IsNull, column("note")), (0, 10)),
        (binary(column("note"), BinaryOp::Eq, text("zzz")), (0, 10)),
        (
            binary(column("note"), BinaryOp::Eq, literal(Arc::new(StringArray::new_null(1)))),
            (0, 10),
        ),
        (unary(UnaryOp::Not, binary(column("day"), BinaryOp::GtEq, text("1970-04-11"))), (1, 9)),
    ];
    let mut wrong = Vec::new();
    for (index, (filter, expected)) in cases.into_iter().enumerate() {
        let found = read_and_pruned(&path, filter);
        if found != expected {
            wrong.push((index, found, expected));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn pages_and_bloom_filters_narrow_a_row_group() {
    let folder = Folder::new();
    let properties = WriterProperties::builder()
        .set_data_page_row_count_limit(1_000)
        .set_write_batch_size(1_000)
        .set_bloom_filter_enabled(true)
        .build();
    let path = folder.write("a.parquet", &table(100_000), properties);
    let source = Arc::new(ParquetSource::open(std::slice::from_ref(&path)).expect("opens"));
    let time = binary(
        column("time"),
        BinaryOp::Lt,
        literal(Arc::new(TimestampMillisecondArray::from(vec![1_700_000_000_003]))),
    );
    let narrow = ScanRequest { filters: vec![time], ..request(&*source) };
    let rows: usize = scan_units(&source, &narrow).iter().map(|b| b.rows.num_rows()).sum();
    assert!((3_000..10_000).contains(&rows), "{rows}");

    let absent = binary(
        column("id"),
        BinaryOp::Eq,
        literal(Arc::new(Int64Array::from(vec![100_000 * 7919 % 100_003]))),
    );
    let present = literal(Arc::new(Int64Array::from(vec![7919])));
    assert_eq!(read_and_pruned(&path, absent), (0, 1));
    assert_eq!(read_and_pruned(&path, binary(column("id"), BinaryOp::Eq, present)), (1, 0));
}

const NUMBERS: [f64; 12] = [
    f64::NAN,
    f64::NEG_INFINITY,
    -1e300,
    -7.5,
    -1.0,
    -0.0,
    0.0,
    0.1,
    1.0,
    7.5,
    1e300,
    f64::INFINITY,
];

fn texts() -> Vec<String> {
    let long = "x".repeat(100);
    ["", "a", "ab", "abc", "b", "ü", "\u{10ffff}"]
        .into_iter()
        .map(str::to_string)
        .chain([long.clone(), format!("{long}a"), format!("{long}b"), "\u{10ffff}".repeat(40)])
        .collect()
}

/// A table of small domains, so that filters hit and miss; each seed of `rows` is a row.
fn seeded(rows: &[(u8, bool)]) -> RecordBatch {
    let pick = |of: usize| rows.iter().map(move |(s, null)| (!null).then_some(*s as usize % of));
    let texts = texts();
    let int = |s: usize| s as i32 * 3 - 20;
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("row", Arc::new(Int32Array::from_iter_values(0..rows.len() as i32)), false),
        ("i", Arc::new(pick(16).map(|s| s.map(int)).collect::<Int32Array>()), true),
        (
            "u",
            Arc::new(pick(3).map(|s| s.map(|s| s as u32 * 2_000_000_000)).collect::<UInt32Array>()),
            true,
        ),
        (
            "l",
            Arc::new(
                pick(5).map(|s| s.map(|s| (1i64 << 53) + s as i64 - 2)).collect::<Int64Array>(),
            ),
            true,
        ),
        ("d", Arc::new(pick(12).map(|s| s.map(|s| NUMBERS[s])).collect::<Float64Array>()), true),
        (
            "f",
            Arc::new(pick(12).map(|s| s.map(|s| NUMBERS[s] as f32)).collect::<Float32Array>()),
            true,
        ),
        (
            "s",
            Arc::new(
                pick(texts.len()).map(|s| s.map(|s| texts[s].clone())).collect::<StringArray>(),
            ),
            true,
        ),
        (
            "m",
            Arc::new(
                pick(9)
                    .map(|s| s.map(|s| s as i128 * 50 - 100))
                    .collect::<Decimal128Array>()
                    .with_precision_and_scale(10, 2)
                    .expect("fits"),
            ),
            true,
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).expect("rows")
}

fn any_literal(name: &'static str) -> BoxedStrategy<ArrayRef> {
    let numbers = prop_oneof![
        (-30i64..30).prop_map(|v| Arc::new(Int64Array::from(vec![v])) as ArrayRef),
        (0i64..6).prop_map(|v| Arc::new(Int64Array::from(vec![(1 << 53) + v - 3])) as ArrayRef),
        prop::sample::select(NUMBERS.to_vec())
            .prop_map(|v| Arc::new(Float64Array::from(vec![v])) as ArrayRef),
        prop::sample::select(NUMBERS.to_vec())
            .prop_map(|v| Arc::new(Float64Array::from(vec![v as f32 as f64])) as ArrayRef),
        Just(Arc::new(Int64Array::new_null(1)) as ArrayRef),
        Just(Arc::new(Int64Array::from(vec![4_000_000_000])) as ArrayRef),
    ];
    match name {
        "s" => prop::sample::select(texts())
            .prop_map(|v| Arc::new(StringArray::from(vec![v])) as ArrayRef)
            .boxed(),
        _ => numbers.boxed(),
    }
}

fn any_filter() -> impl Strategy<Value = Expr> {
    let name = prop::sample::select(vec!["i", "u", "l", "d", "f", "s", "m"]);
    let leaf = name.prop_flat_map(|name| {
        let op = prop::sample::select(vec![
            BinaryOp::Lt,
            BinaryOp::LtEq,
            BinaryOp::Gt,
            BinaryOp::GtEq,
            BinaryOp::Eq,
            BinaryOp::NotEq,
        ]);
        let compare = (op, any_literal(name), any::<bool>()).prop_map(move |(op, value, left)| {
            let (a, b) = (column(name), literal(value));
            if left { binary(a, op, b) } else { binary(b, op, a) }
        });
        let list = prop::collection::vec(any_literal(name), 1..4);
        let in_list = (list, any::<bool>()).prop_map(move |(list, negated)| Expr::InList {
            expr: Box::new(column(name)),
            list: list.into_iter().map(literal).collect(),
            negated,
            span: Span::NONE,
        });
        let null = any::<bool>().prop_map(move |is| {
            unary(if is { UnaryOp::IsNull } else { UnaryOp::IsNotNull }, column(name))
        });
        let like = prop::sample::select(vec!["a%", "x%", "\u{10ffff}%", "ab", "%b", "a_"]);
        let like = like.prop_map(|pattern| {
            Expr::Like(Like {
                expr: Box::new(column("s")),
                pattern: Box::new(literal(Arc::new(StringArray::from(vec![pattern])))),
                negated: false,
                case_insensitive: false,
                escape: None,
                span: Span::NONE,
            })
        });
        prop_oneof![4 => compare, 2 => in_list, 1 => null, 1 => like]
    });
    leaf.prop_recursive(3, 8, 2, |inner| {
        let and_or = prop::sample::select(vec![BinaryOp::And, BinaryOp::Or]);
        prop_oneof![
            (inner.clone(), and_or, inner.clone()).prop_map(|(a, op, b)| binary(a, op, b)),
            inner.prop_map(|a| unary(UnaryOp::Not, a)),
        ]
    })
}

/// A value of a row: numbers as exact as can be.
#[derive(Clone, Debug)]
enum Cell {
    Null,
    Exact(i128),
    Float(f64),
    Text(String),
}

fn cell(array: &ArrayRef, row: usize) -> Cell {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).to_string()),
        DataType::Decimal128(..) => Cell::Exact(array.as_primitive::<Decimal128Type>().value(row)),
        t if t.is_floating() => {
            let wide = cast(array, &DataType::Float64).expect("wide");
            Cell::Float(wide.as_primitive::<Float64Type>().value(row))
        }
        _ => {
            let wide = cast(array, &DataType::Int64).expect("wide");
            Cell::Exact(i128::from(wide.as_primitive::<Int64Type>().value(row)) * 100)
        }
    }
}

/// The order of two values: NaN greatest and equal to itself, zeros equal. `rounding` compares an
/// integer with a float as floats, the other way compares them exactly: pruning must suit both.
fn order(a: &Cell, b: &Cell, rounding: bool) -> Option<Ordering> {
    let floats = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
        (false, false) => a.partial_cmp(&b).expect("no NaN"),
        (a, b) => a.cmp(&b),
    };
    let exact = |a: i128, b: f64| {
        if rounding || b.is_nan() || b.abs() > 1e17 {
            return floats((a / 100) as f64 + (a % 100) as f64 / 100.0, b);
        }
        a.cmp(&((b * 100.0) as i128))
    };
    Some(match (a, b) {
        (Cell::Null, _) | (_, Cell::Null) => return None,
        (Cell::Exact(a), Cell::Exact(b)) => a.cmp(b),
        (Cell::Float(a), Cell::Float(b)) => floats(*a, *b),
        (Cell::Exact(a), Cell::Float(b)) => exact(*a, *b),
        (Cell::Float(a), Cell::Exact(b)) => exact(*b, *a).reverse(),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        _ => return None,
    })
}

fn value(expr: &Expr, rows: &RecordBatch, row: usize) -> Cell {
    match expr {
        Expr::Column(column) => cell(rows.column_by_name(&column.name).expect("there"), row),
        Expr::Literal(literal) => cell(&literal.0, 0),
        other => panic!("{other:?}"),
    }
}

fn holds(expr: &Expr, rows: &RecordBatch, row: usize, rounding: bool) -> Option<bool> {
    let holds = |expr: &Expr| holds(expr, rows, row, rounding);
    match expr {
        Expr::Unary { op: UnaryOp::Not, expr, .. } => holds(expr).map(|is| !is),
        Expr::Unary { op, expr, .. } => {
            let null = matches!(value(expr, rows, row), Cell::Null);
            Some(null == (*op == UnaryOp::IsNull))
        }
        Expr::Binary { left, op: BinaryOp::And, right, .. } => match (holds(left), holds(right)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (a, b) => a.zip(b).map(|_| true),
        },
        Expr::Binary { left, op: BinaryOp::Or, right, .. } => match (holds(left), holds(right)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (a, b) => a.zip(b).map(|_| false),
        },
        Expr::Binary { left, op, right, .. } => {
            let order = order(&value(left, rows, row), &value(right, rows, row), rounding)?;
            Some(match op {
                BinaryOp::Lt => order.is_lt(),
                BinaryOp::LtEq => order.is_le(),
                BinaryOp::Gt => order.is_gt(),
                BinaryOp::GtEq => order.is_ge(),
                BinaryOp::Eq => order.is_eq(),
                _ => order.is_ne(),
            })
        }
        Expr::InList { expr, list, negated, .. } => {
            let needle = value(expr, rows, row);
            let equal = |item: &Expr| {
                order(&needle, &value(item, rows, row), rounding).map(Ordering::is_eq)
            };
            let found: Vec<Option<bool>> = list.iter().map(equal).collect();
            let is = if found.contains(&Some(true)) {
                Some(true)
            } else {
                found.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
            };
            is.map(|is| is != *negated)
        }
        Expr::Like(like) => {
            let (Cell::Text(text), Cell::Text(pattern)) =
                (value(&like.expr, rows, row), value(&like.pattern, rows, row))
            else {
                return None;
            };
            Some(match pattern.as_str() {
                "%b" => text.ends_with('b'),
                "a_" => text.starts_with('a') && text.chars().count() == 2,
                _ => match pattern.strip_suffix('%') {
                    Some(prefix) => text.starts_with(prefix),
                    None => text == pattern,
                },
            })
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..Default::default() })]

    #[test]
    fn no_matching_row_is_pruned(
        rows in prop::collection::vec((0u8..200, prop::bool::weighted(0.2)), 1..60),
        sorted in any::<bool>(),
        filters in prop::collection::vec(any_filter(), 1..3),
        group in 1usize..20,
        bloom in any::<bool>(),
    ) {
        let mut rows = rows;
        if sorted {
            rows.sort();
        }
        let rows = seeded(&rows);
        let folder = Folder::new();
        let properties = WriterProperties::builder()
            .set_max_row_group_row_count(Some(group))
            .set_data_page_row_count_limit(3)
            .set_write_batch_size(3)
            .set_bloom_filter_enabled(bloom)
            .set_statistics_truncate_length(Some(8))
            .build();
        let path = folder.write("a.parquet", &rows, properties);
        let source = Arc::new(ParquetSource::open(&[path]).expect("opens"));
        let request = ScanRequest { filters: filters.clone(), ..request(&*source) };
        let mut read: BTreeSet<i32> = BTreeSet::new();
        for batch in scan_units(&source, &request) {
            read.extend(batch.rows["row"].as_primitive::<Int32Type>().values());
        }
        for rounding in [true, false] {
            for row in 0..rows.num_rows() {
                let all = filters.iter().all(|f| holds(f, &rows, row, rounding) == Some(true));
                prop_assert!(!all || read.contains(&(row as i32)), "row {} {:?}", row, filters);
            }
        }
    }
}
