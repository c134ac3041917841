//! Calls: scalar functions, aggregates, lists and their subscripts.

use arrow::datatypes::{DataType, Field, Schema};
use dframe_expr::aggregate::AggregateFunction;
use dframe_expr::{Expr, aggregate, bind, call, col, count_all, lit};

use crate::parsed;

#[test]
fn every_function_and_form_can_be_called() {
    use dframe_expr::function::{FORMS, functions};
    let functions = functions().flat_map(|function| function.names);
    for name in functions.chain(FORMS.iter().flat_map(|form| form.names)) {
        assert!(matches!(parsed(&format!("{name}(a, b)")), Expr::Call { .. }), "{name}");
    }
    let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
    for form in FORMS.iter().flat_map(|form| form.names) {
        let bound = bind(&parsed(&format!("{form}(a, 2)")), &schema.clone());
        assert_eq!(bound.unwrap_or_else(|e| panic!("{form}: {e}")).data_type(), &DataType::Int64);
    }
}

#[test]
fn calls() {
    assert_eq!(parsed("UPPER(a)"), call("upper", [col("a")]));
    assert_eq!(parsed("substring(a from 2 for 3)"), parsed("substring(a, 2, 3)"));
    assert_eq!(parsed("substring(a for 3)"), parsed("substring(a, 1, 3)"));
    assert_eq!(parsed("trim(both 'x' from a)"), parsed("trim(a, 'x')"));
    assert_eq!(parsed("trim(leading from_x)"), parsed("ltrim(from_x)"));
    assert_eq!(parsed("trim(trailing 'x' from a)"), parsed("rtrim(a, 'x')"));
    assert_eq!(parsed("position('b' in a)"), parsed("strpos(a, 'b')"));
    assert_eq!(parsed("position(a, 'b')"), call("position", [col("a"), lit("b")]));
    assert_eq!(parsed("floor(a)"), call("floor", [col("a")]));
    assert_eq!(parsed("ceil(a)"), call("ceil", [col("a")]));
    assert_eq!(parsed("left(a, 2)"), call("left", [col("a"), lit(2_i64)]));
    assert_eq!(parsed("a ~ 'x+'"), parsed("regexp_full_match(a, 'x+')"));
    assert_eq!(parsed("len(a)"), call("len", [col("a")]));
}

#[test]
fn lists_and_subscripts_are_calls() {
    let list = || call("list_value", [lit(1i64), col("a")]);
    for (text, expected) in [
        ("[1, a]", list()),
        ("array[1, a]", list()),
        ("[]", call("list_value", [])),
        ("a[1]", call("list_extract", [col("a"), lit(1i64)])),
        ("a[-1]", call("list_extract", [col("a"), lit(-1i64)])),
        ("a[b + 1]", call("list_extract", [col("a"), col("b") + lit(1i64)])),
        ("a[2:3]", call("list_slice", [col("a"), lit(2i64), lit(3i64)])),
        ("a[:3]", call("list_slice", [col("a"), lit(1i64), lit(3i64)])),
        ("a[2:]", call("list_slice", [col("a"), lit(2i64), lit(-1i64)])),
        (
            "string_split(a, ',')[1]",
            call("list_extract", [call("string_split", [col("a"), lit(",")]), lit(1i64)]),
        ),
        ("a[1][2]", call("list_extract", [call("list_extract", [col("a"), lit(1i64)]), lit(2i64)])),
        ("a at time zone 'Europe/Zurich'", call("timezone", [lit("Europe/Zurich"), col("a")])),
    ] {
        assert_eq!(parsed(text), expected, "{text}");
    }
}

#[test]
fn aggregates() {
    assert_eq!(parsed("count(*)"), count_all());
    assert_eq!(parsed("count()"), count_all());
    assert_eq!(parsed("len()"), count_all());
    assert_eq!(parsed("avg(a)"), col("a").mean());
    assert_eq!(parsed("n_unique(a)"), col("a").n_unique());
    assert_eq!(parsed("count(distinct a)"), col("a").n_unique());
    assert_eq!(parsed("sum(a) filter (where b > 1)"), col("a").sum().filter(col("b").gt(1_i64)));
    assert_eq!(parsed("corr(a, b)"), aggregate(AggregateFunction::Corr, vec![col("a"), col("b")]));
    // An equation is an argument, not a named argument.
    assert_eq!(
        parsed("bool_or(a = 1)"),
        aggregate(AggregateFunction::BoolOr, vec![col("a").eq(1_i64)])
    );
}
