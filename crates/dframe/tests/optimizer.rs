//! Random queries give the same rows with and without the optimizer.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::LazyLock;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use dframe::plan::Optimizer;
use dframe::prelude::*;
use proptest::prelude::*;

/// A few thousand ticks: enough for several groups and row groups, quick to read a thousand times.
static TICKS: LazyLock<PathBuf> = LazyLock::new(|| {
    let ticks = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/ticks.parquet");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("optimizer-ticks.parquet");
    scan_parquet(ticks).unwrap().limit(3000).sink_parquet(&target).unwrap();
    target
});

static OPTIMIZED: LazyLock<Session> = LazyLock::new(|| session(Optimizer::default()));
static AS_WRITTEN: LazyLock<Session> = LazyLock::new(|| session(Optimizer::off()));

fn session(optimizer: Optimizer) -> Session {
    Session::builder().synchronous().optimizer(optimizer).build().unwrap()
}

fn predicates() -> Vec<Expr> {
    let even = (col("size") % 2).eq(0);
    vec![
        col("price").gt(50).and(col("size").lt(200)),
        even.clone().or(col("side").eq("B")),
        col("ticker").lt("M"),
        col("n").gt(3).and(col("ticker").neq("JNJ")),
        call("upper", [col("side")]).eq("S").and(even),
        col("v").gt(1000.0),
        lit(true).and(col("price").is_not_null()),
        lit(1).gt(2),
    ]
}

fn projections() -> Vec<Vec<Expr>> {
    vec![
        vec![col("ticker"), col("side"), col("price"), col("size")],
        vec![
            call("lower", [col("ticker")]).alias("ticker"),
            (col("price") * 2).alias("price"),
            col("size"),
        ],
        vec![Expr::Wildcard, (col("price") * col("size")).alias("v")],
        vec![col("size").alias("price"), col("price").alias("size"), col("ticker"), col("n")],
        vec![(col("v") + col("v")).alias("v"), col("v").alias("w"), col("ticker"), col("size")],
        vec![lit(7).alias("n"), col("exchange"), col("side"), col("trade_id").alias("size")],
    ]
}

fn groups() -> Vec<(Vec<Expr>, Vec<Expr>)> {
    let (n, v) = (count_all().alias("n"), col("size").sum().alias("v"));
    vec![
        (vec![col("ticker")], vec![n.clone(), v.clone(), col("price").max().alias("price")]),
        (
            vec![col("side"), col("exchange")],
            vec![col("size").sum().alias("size"), col("ticker").min().alias("ticker"), n.clone()],
        ),
        (
            vec![call("lower", [col("ticker")]).alias("ticker"), (col("size") % 3).alias("size")],
            vec![(col("price").sum() / count_all()).alias("v"), n.clone()],
        ),
        (vec![], vec![n.clone(), v.clone()]),
        (vec![col("n")], vec![col("v").mean().alias("v"), col("ticker").max().alias("ticker")]),
        (vec![col("ticker"), col("price"), col("size")], vec![]),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Filter(usize),
    Select(usize),
    WithColumns(usize),
    Group(usize),
    Distinct,
    /// By all columns, so that the rows are the same ones however they came.
    Sort,
    SortAndCut(u64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..8_usize).prop_map(Step::Filter),
        2 => (0..6_usize).prop_map(Step::Select),
        2 => (0..6_usize).prop_map(Step::WithColumns),
        2 => (0..6_usize).prop_map(Step::Group),
        1 => Just(Step::Distinct),
        1 => Just(Step::Sort),
        1 => (0..20_u64, 0..60_u64).prop_map(|(offset, rows)| Step::SortAndCut(offset, rows)),
    ]
}

/// `frame` after `step`; as it was where the step names columns that are not there.
fn apply(frame: LazyFrame, step: &Step) -> LazyFrame {
    let before = frame.clone();
    let names: Vec<String> =
        frame.schema().unwrap().fields().iter().map(|field| field.name().clone()).collect();
    let after = match step {
        Step::Filter(index) => frame.filter(predicates()[*index].clone()),
        Step::Select(index) => frame.select(projections()[*index].clone()),
        Step::WithColumns(index) => {
            let named = |expr: &Expr| !matches!(expr, Expr::Wildcard);
            frame.with_columns(projections()[*index].clone().into_iter().filter(named))
        }
        Step::Group(index) => {
            let (keys, exprs) = groups()[*index].clone();
            frame.group_by(keys).agg(exprs)
        }
        Step::Distinct => frame.distinct(),
        Step::Sort => frame.sort(names),
        Step::SortAndCut(offset, rows) => frame.sort(names).slice(*offset, *rows),
    };
    if after.schema().is_ok() { after } else { before }
}

fn rows(session: &Session, steps: &[Step]) -> (String, Vec<String>) {
    let scan = session.scan_parquet(TICKS.as_path()).unwrap();
    let frame = steps.iter().fold(scan, apply);
    let plan = frame.explain_optimized().unwrap();
    let mut rows: Vec<String> = frame
        .collect()
        .unwrap_or_else(|error| panic!("{error}\n{plan}"))
        .into_iter()
        .flat_map(texts)
        .collect();
    rows.sort();
    (plan, rows)
}

fn texts(batch: RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<ArrayFormatter<'_>> = (batch.columns().iter())
        .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
        .collect();
    let row = |row: usize| {
        columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_optimizer_keeps_answers(steps in prop::collection::vec(step(), 1..8)) {
        let (plan, optimized) = rows(&OPTIMIZED, &steps);
        let (written, expected) = rows(&AS_WRITTEN, &steps);
        prop_assert_eq!(optimized, expected, "as written\n{}as it ran\n{}", written, plan);
    }
}
