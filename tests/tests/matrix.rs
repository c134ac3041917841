//! The engine against itself: every way of running a query gives the same rows, bit for bit.
//!
//! Ways are `{sync, 1, 2, 8 threads} x {ample, starved memory} x {optimizer on, off}`, over the same rows
//! in 1, 3, 127, 128 and 129 files, and in one file of many tiny row groups. The synchronous executor with
//! ample memory over one file is the reference. Rows are compared as a set unless the query orders them.

#![allow(clippy::unwrap_used)]

mod ways;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use dframe::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use ways::{STARVED, fingerprint, layouts, nullable, sessions, try_fingerprint, write};

/// Rows of the table that is read in every way.
const ROWS: usize = 6_000;

/// Rows of the table that does not fit the least memory.
const MANY_ROWS: usize = 250_000;

/// Keys of few and many groups, with 90 % of the rows on one; values that make sums hard.
fn table(rows: usize) -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let skewed = nullable(&mut random, rows, |r| match r.random_range(0..10) {
        0 => format!("key{}", r.random_range(0..40)),
        _ => "the one".to_string(),
    });
    let many = nullable(&mut random, rows, |r| r.random_range(0..4_000i64) - 2_000);
    let wide = nullable(&mut random, rows, |r| r.random_range(i64::MIN..i64::MAX));
    let small = nullable(&mut random, rows, |r| r.random_range(-9..9));
    let float = nullable(&mut random, rows, |r| match r.random_range(0..200) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => -0.0,
        3 => 1e300,
        4 => -1e300,
        5 => 5e-324,
        _ => (r.random::<f64>() - 0.5) * 10f64.powi(r.random_range(-12..12)),
    });
    let money =
        nullable(&mut random, rows, |r| i128::from(r.random_range(-1_000_000..1_000_000i64)));
    let time = nullable(&mut random, rows, |r| {
        r.random_range(-1_000_000_000_000i64..1_700_000_000_000_000)
    });
    let flag = nullable(&mut random, rows, |r| r.random_bool(0.5));
    let text = nullable(&mut random, rows, |r| "é".repeat(r.random_range(0..30)));
    let columns: [(&str, ArrayRef); 10] = [
        ("row", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
        ("skewed", Arc::new(StringArray::from(skewed))),
        ("many", Arc::new(Int64Array::from(many))),
        ("wide", Arc::new(Int64Array::from(wide))),
        ("small", Arc::new(Int32Array::from(small))),
        ("float", Arc::new(Float64Array::from(float))),
        ("money", Arc::new(Decimal128Array::from(money).with_precision_and_scale(12, 2).unwrap())),
        ("time", Arc::new(TimestampMicrosecondArray::from(time).with_timezone("UTC"))),
        ("flag", Arc::new(BooleanArray::from(flag))),
        ("text", Arc::new(StringArray::from(text))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

type Query = (&'static str, bool, fn(LazyFrame) -> LazyFrame);

/// Name, whether rows come in order, the query.
const QUERIES: &[Query] = &[
    ("no keys", false, |f| f.agg(every_aggregate())),
    ("few groups", false, |f| f.group_by(["skewed"]).agg(every_aggregate())),
    ("many groups", false, |f| f.group_by(["many"]).agg(every_aggregate())),
    ("a group per row", false, |f| f.group_by(["wide", "row"]).agg([col("float").sum()])),
    // Rows are in their order, so that there are divisions by them, but not by what is computed.
    ("a computed group per row", false, |f| {
        f.group_by([col("wide"), (col("row") * lit(2)).alias("k")]).agg([col("float").sum()])
    }),
    ("all kinds of keys", false, |f| {
        f.group_by(["skewed", "small", "float", "money", "time", "flag", "text"])
            .agg([count_all().alias("n"), col("many").max()])
    }),
    ("distinct aggregates", false, |f| {
        f.group_by(["small"]).agg([
            col("many").count().distinct().alias("many_n"),
            col("skewed").count().distinct().alias("skewed_n"),
            col("many").sum().distinct().alias("many_sum"),
            col("float").sum().alias("float_sum"),
            col("row").first().alias("first_row"),
        ])
    }),
    ("all values, no keys", false, |f| f.agg(gathered())),
    ("all values of few groups", false, |f| f.group_by(["skewed"]).agg(gathered())),
    ("all values of many groups", false, |f| f.group_by(["many"]).agg(gathered())),
    ("distinct and all values", false, |f| {
        f.group_by(["small"]).agg([
            col("skewed").count().distinct().alias("skewed_n"),
            col("text").implode().distinct().alias("texts"),
            col("many").median().distinct().alias("median"),
            col("float").implode().alias("floats"),
        ])
    }),
    ("filters", false, |f| {
        f.filter(col("small").gt(lit(0)).and(col("skewed").is_not_null()))
            .group_by(["flag"])
            .agg([
                col("many").sum().filter(col("many").gt(lit(0))).alias("positive"),
                count_all().alias("n"),
            ])
            .filter(col("n").gt(lit(1)))
    }),
    ("select", true, |f| {
        f.filter(col("many").gt(lit(0))).select([
            col("row"),
            (col("many") * lit(2)).alias("twice"),
            col("text"),
        ])
    }),
    ("sort", true, |f| {
        f.sort_by([
            SortKey::descending(col("float")),
            SortKey::ascending(col("skewed")),
            SortKey::ascending(col("row")),
        ])
    }),
    ("stable sort", true, |f| f.sort(["small"])),
    ("top", true, |f| {
        f.sort_by([SortKey::descending(col("many")), SortKey::ascending(col("row"))]).limit(17)
    }),
    ("slice", true, |f| f.slice(1_234, 987)),
    ("group a slice", false, |f| f.slice(100, 3_000).group_by(["small"]).agg([col("row").sum()])),
    ("sort groups", true, |f| {
        f.group_by(["many"]).agg([count_all().alias("n")]).sort(["n", "many"]).limit(50)
    }),
    ("windows", false, |f| {
        let over = || partition_by(["skewed"]).order_by([SortKey::ascending(col("small"))]);
        f.select([
            col("row"),
            row_number().over(over()).alias("n"),
            dense_rank().over(over()).alias("rank"),
            col("text").lag(3).over(over()).alias("before"),
            col("row").lead(1).over(over()).alias("behind"),
            col("float").sum().over(over()).alias("so_far"),
            col("float").sum().rolling(7).over(over()).alias("rolling"),
            col("many").mean().over(["skewed"]).alias("mean"),
            col("text").backward_fill().over(over()).alias("filled"),
            percent_rank().over(over()).alias("share"),
        ])
    }),
    ("windows over all", false, |f| {
        let over = || order_by([SortKey::descending(col("time"))]);
        f.select([
            col("row"),
            ntile(7).over(over()).alias("part"),
            col("many").max().over(over().rows(-50..=50)).alias("near"),
            col("money").sum().over(over()).alias("money"),
            col("small").std().rolling(20).over(over()).alias("std"),
            count_all().over(["small"]).alias("n"),
        ])
    }),
    ("distinct rows", false, |f| f.select(["small", "flag"]).distinct()),
    ("distinct on", false, |f| f.distinct_on(["skewed", "small"])),
    ("row index", true, |f| f.with_row_index("place", 1)),
    ("row index of few", true, |f| {
        f.filter(col("small").gt(0)).with_row_index("place", 0).limit(900)
    }),
    ("sample by fraction", true, |f| f.sample_fraction(0.3, 5)),
    ("sample of so many", true, |f| f.filter(col("flag")).sample_n(321, 5)),
    ("unpivot", true, |f| f.unpivot(["small", "float", "many"], ["row", "flag"])),
    ("groups of unpivoted rows", false, |f| {
        let long = f.unpivot(["small", "float", "many"], ["skewed", "row"]);
        let first = [col("value").first(), col("value").max().alias("most"), col("row").last()];
        long.group_by(["skewed", "variable"]).agg(first)
    }),
    ("explode", true, |f| f.select([col("row"), letters()]).explode(["letters"])),
    ("groups of exploded rows", false, |f| {
        let rows = f.select([col("row"), letters()]).explode(["letters"]);
        rows.group_by([(col("row") % lit(50)).alias("k")]).agg([
            count_all().alias("n"),
            col("letters").first(),
            col("row").last(),
        ])
    }),
    ("as-of join", false, |f| {
        let right = f.clone().filter(col("flag")).select(["row", "small", "time", "skewed"]);
        let join = f.join_with(right).asof(AsofDirection::Backward).on(["skewed", "time"]);
        join.finish().select(["row", "row_right", "small_right"])
    }),
    ("as-of join without equal keys", false, |f| {
        let right = f.clone().filter(col("small").gt(2)).select(["row", "many"]);
        let join = f.join_with(right).asof(AsofDirection::Nearest).on(["many"]);
        join.tolerance_of(lit(3)).how(JoinKind::Inner).finish().select(["row", "row_right"])
    }),
    ("as-of join of texts in order", false, |f| {
        let right = f.clone().filter(col("flag")).select(["row", "skewed", "text"]);
        let join = f.join_with(right).asof(AsofDirection::Forward).on(["skewed", "text"]);
        join.finish().select(["row", "row_right"])
    }),
    ("join with a filtered side", false, |f| {
        let right = f.clone().filter(col("small").eq(lit(3))).select(["row", "many"]);
        f.join_with(right).on(["many"]).finish().select(["row", "many", "row_right"])
    }),
    ("left join with a filtered side", false, |f| {
        let right = f.clone().filter(col("small").lt(lit(0))).select(["wide", "float"]);
        f.filter(col("flag")).join_with(right).on(["wide"]).how(JoinKind::Left).finish()
    }),
    ("describe", true, |f| f.describe()),
    ("value counts", true, |f| f.value_counts(["skewed"])),
    ("union by name", false, |f| {
        f.clone().select(["row", "small"]).union_by_name([f.select(["float", "row"])])
    }),
    ("pivot", false, |f| {
        f.pivot_values("small", [lit(1), lit(-3), null()], ["skewed"], [col("many").sum()])
    }),
    ("pivot of many values", false, |f| {
        let value = [col("many").sum().alias("s"), count_all().alias("n"), col("row").first()];
        f.pivot_values("small", (-5..5).map(lit).chain([null()]), ["skewed"], value)
    }),
];

/// Lists of nought to some sixty texts, at times NULL.
fn letters() -> Expr {
    col("text").concat(col("skewed")).call("string_split", [lit("e")]).alias("letters")
}

fn every_aggregate() -> Vec<Expr> {
    let mut exprs = vec![count_all().alias("n")];
    for name in ["small", "float", "money"] {
        exprs.push(col(name).count().alias(format!("{name}_count")));
        exprs.push(col(name).sum().alias(format!("{name}_sum")));
        exprs.push(col(name).mean().alias(format!("{name}_mean")));
        exprs.push(col(name).min().alias(format!("{name}_min")));
        exprs.push(col(name).max().alias(format!("{name}_max")));
    }
    exprs.push(col("small").var().alias("var"));
    exprs.push(col("small").std().alias("std"));
    exprs.push(corr(col("small"), col("many")).alias("corr"));
    exprs.push(col("text").first().alias("first"));
    exprs.push(col("text").last().alias("last"));
    exprs.push(col("text").min().alias("text_min"));
    exprs.push(col("text").max().alias("text_max"));
    exprs.push(col("time").max().alias("time_max"));
    exprs.push(col("flag").bool_and().alias("every"));
    exprs.push(col("flag").bool_or().alias("some"));
    exprs
}

/// Aggregates whose state is all values of a group.
fn gathered() -> Vec<Expr> {
    // The result of one group must fit the least memory.
    let few = || col("small").gt(lit(7));
    let shares = || [0.0, 0.01, 0.5, 0.9, 1.0];
    let by_text = [SortKey::descending(col("text")), SortKey::ascending(col("small"))];
    let by_float = [SortKey { nulls_first: true, ..SortKey::ascending(col("float")) }];
    vec![
        col("wide").median().alias("wide"),
        col("float").quantiles(shares(), Interpolation::Linear).alias("floats"),
        col("money").quantiles(shares(), Interpolation::Lower).alias("moneys"),
        col("time").quantile(0.3, Interpolation::Midpoint).alias("time"),
        col("text").median().alias("text"),
        col("many").mode().alias("mode"),
        col("text").mode().filter(col("small").gt(lit(0))).alias("text_mode"),
        col("float").entropy().alias("entropy"),
        col("small").implode().alias("list"),
        col("small").implode().order_by(by_float).alias("by_float"),
        col("float").implode().order_by(by_text).filter(few()).alias("by_text"),
        col("text").implode().filter(few()).alias("texts"),
        col("row").arg_max(col("float")).alias("arg_max"),
        col("text").bottom_by(col("money"), 20).alias("bottom_by"),
        col("float").top(7).alias("top"),
        col("row").last().order_by([SortKey::ascending(col("small"))]).alias("last"),
        col("float").mad().alias("mad"),
        col("small").kurtosis().alias("kurtosis"),
        col("many").approx_n_unique().alias("about_many"),
        col("float").approx_quantile(0.25).alias("about_float"),
        col("skewed").string_agg("; ").filter(few()).alias("joined"),
        count_all().alias("n"),
        col("float").sum().alias("sum"),
    ]
}

#[test]
fn all_ways_give_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let layouts = layouts(folder.path(), &table(ROWS));
    let sessions = sessions();
    for (query, ordered, build) in QUERIES {
        let frame = |session: &Session, layout: &PathBuf| {
            build(session.scan_parquet(layout.to_str().unwrap()).unwrap())
        };
        let expected = fingerprint(&frame(&sessions[0].1, &layouts[0]), *ordered);
        assert!(!expected.is_empty(), "{query} gives rows");
        for layout in &layouts {
            for (name, session) in &sessions {
                let rows = try_fingerprint(&frame(session, layout), *ordered);
                let rows = rows.unwrap_or_else(|error| panic!("{query}: {name}: {error}"));
                assert!(rows == expected, "{query}: {name}, {} differs", layout.display());
                assert_eq!(session.memory_reserved(), 0, "{query}: {name} keeps memory");
            }
        }
    }
}

/// What must spill, whatever the plan: keys, aggregates with wide states, rows to be ordered.
const HUNGRY: &[&str] = &[
    "a computed group per row",
    "all kinds of keys",
    "distinct aggregates",
    "all values, no keys",
    "all values of few groups",
    "all values of many groups",
    "sort",
    "stable sort",
    "windows",
    "windows over all",
];

#[test]
fn starved_runs_spill_and_give_the_same_rows() {
    let hungry = QUERIES.iter().filter(|query| HUNGRY.contains(&query.0));
    starve(hungry, &table(MANY_ROWS), 40_000);
}

/// Rows of 3 KB: a batch of them is a good part of the least memory.
fn wide_rows() -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let rows = 12_000;
    let text = nullable(&mut random, rows, |r| {
        (0..3_000).map(|_| char::from(r.random_range(b'a'..=b'z'))).collect::<String>()
    });
    let few = nullable(&mut random, rows, |r| r.random_range(0..40i64));
    let columns: [(&str, ArrayRef); 3] = [
        ("row", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
        ("few", Arc::new(Int64Array::from(few))),
        ("text", Arc::new(StringArray::from(text))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

const WIDE: &[Query] = &[
    ("sort", true, |f| f.sort(["few", "row"])),
    ("distinct", false, |f| f.distinct()),
    ("distinct on text", false, |f| f.distinct_on(["text"])),
    ("groups of text", false, |f| f.group_by(["text"]).agg([col("row").sum()])),
    ("first of text", false, |f| {
        f.group_by([(col("row") % lit(8_000)).alias("k")]).agg([col("text").first()])
    }),
    ("join", false, |f| {
        let right = f.clone().select(["row", "text"]);
        f.join_with(right).on(["row"]).finish_with_all_columns()
    }),
    ("join by text", false, |f| {
        let right = f.clone().select(["row", "text"]);
        f.join_with(right).on(["text"]).finish_with_all_columns()
    }),
    ("window", false, |f| {
        let over = || partition_by(["few"]).order_by([SortKey::ascending(col("row"))]);
        f.select([col("row"), col("text"), col("text").lag(1).over(over()).alias("before")])
    }),
    ("window over all", false, |f| {
        let over = || order_by([SortKey::descending(col("text"))]);
        f.select([col("row"), col("text"), row_number().over(over()).alias("n")])
    }),
];

#[test]
fn starved_runs_over_wide_rows_give_the_same_rows() {
    starve(WIDE, &wide_rows(), 3_000);
}

/// Runs queries that must spill with the least memory there is.
fn starve<'a>(queries: impl IntoIterator<Item = &'a Query>, table: &RecordBatch, row_group: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (path, spill) = (folder.path().join("rows.parquet"), folder.path().join("spill"));
    std::fs::create_dir(&spill).unwrap();
    write(&path, table, row_group);
    let scan = |session: &Session| session.scan_parquet(path.to_str().unwrap()).unwrap();
    let ample = Session::builder().memory_limit(Size::Bytes(1 << 30)).build().unwrap();
    for (query, ordered, build) in queries {
        let expected = fingerprint(&build(scan(&ample)), *ordered);
        for threads in [0, 1, 4] {
            let stats = Arc::new(RunStats::default());
            let builder = Session::builder().observer(stats.clone()).temp_dir(&spill);
            let builder = builder.memory_limit(Size::Bytes(STARVED));
            let builder = match threads {
                0 => builder.synchronous(),
                _ => builder.threads(threads),
            };
            let session = builder.build().unwrap();
            let rows = try_fingerprint(&build(scan(&session)), *ordered);
            let rows = rows.unwrap_or_else(|error| panic!("{query}: {threads} threads: {error}"));
            assert!(rows == expected, "{query}: {threads} threads differ");
            assert!(stats.read().bytes_spilled > 0, "{query}: {threads} threads spill nothing");
            assert_eq!(session.memory_reserved(), 0, "{query}: {threads} threads keep memory");
            drop(session);
            let left = std::fs::read_dir(&spill).unwrap().count();
            assert_eq!(left, 0, "{query}: {threads} threads leave temporary files");
        }
    }
}
