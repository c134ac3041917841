//! Joins in every way that they can be run: kinds, keys, conditions, skew; against each other and naive code.

#![allow(clippy::unwrap_used)]

mod ways;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::Int64Type;
use dframe::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use ways::{STARVED, fingerprint, layouts, nullable, sessions, write, write_without_dictionaries};

const KINDS: [JoinKind; 6] = [
    JoinKind::Inner,
    JoinKind::Left,
    JoinKind::Right,
    JoinKind::Full,
    JoinKind::Semi,
    JoinKind::Anti,
];

fn scan(session: &Session, path: &Path) -> LazyFrame {
    session.scan_parquet(path.to_str().unwrap()).unwrap()
}

fn counting(threads: usize) -> (Session, Arc<RunStats>) {
    let stats = Arc::new(RunStats::default());
    let builder = Session::builder().observer(stats.clone());
    let builder = if threads == 0 { builder.synchronous() } else { builder.threads(threads) };
    (builder.build().unwrap(), stats)
}

/// 40 row groups of 500 rows in the order of every key; the last has no key.
fn ordered(path: &Path) {
    let rows = || 0..20_000i64;
    let known = |row: i64| (row < 19_500).then_some(row);
    let text = |row: i64| known(row).map(|row| format!("{}{row:06}", "k".repeat(40)));
    let float = |row: i64| known(row).map(|row| if row == 700 { f64::NAN } else { row as f64 });
    let columns: [(&str, ArrayRef); 5] = [
        ("row", Arc::new(Int64Array::from_iter_values(rows()))),
        ("k", Arc::new(Int64Array::from_iter(rows().map(known)))),
        ("i", Arc::new(Int32Array::from_iter(rows().map(|row| known(row).map(|k| k as i32))))),
        ("f", Arc::new(Float64Array::from_iter(rows().map(float)))),
        ("t", Arc::new(StringArray::from_iter(rows().map(text)))),
    ];
    write(path, &RecordBatch::try_from_iter(columns).unwrap(), 500);
}

/// A table of few rows, by rows of [`ordered`] and `None` for NULL.
fn few(path: &Path, rows: &[Option<i64>]) {
    let text = |row: i64| format!("{}{row:06}", "k".repeat(40));
    let columns: [(&str, ArrayRef); 4] = [
        ("k", Arc::new(Int64Array::from(rows.to_vec()))),
        ("i", Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.map(|row| row as i32))))),
        ("f", Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.map(|row| row as f64))))),
        ("t", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.map(text))))),
    ];
    write(path, &RecordBatch::try_from_iter(columns).unwrap(), 500);
}

#[test]
fn units_without_a_partner_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let (large, small) = (folder.path().join("large.parquet"), folder.path().join("small.parquet"));
    ordered(&large);
    let units = |rows: &[Option<i64>], join: &dyn Fn(LazyFrame, LazyFrame) -> LazyFrame| {
        few(&small, rows);
        let mut found = Vec::new();
        for threads in [0, 2] {
            let (session, stats) = counting(threads);
            let pairs = fingerprint(&join(scan(&session, &large), scan(&session, &small)), false);
            let read = stats.read();
            // Of units that are read, rows without a partner may have been left out, too.
            assert!(read.rows_read - rows.len() as u64 <= 500 * (40 - read.units_skipped));
            found.push((pairs.len(), 40 - read.units_skipped));
        }
        assert_eq!(found[0], found[1]);
        found[0]
    };
    let two = [Some(10), Some(10_010), None];
    for key in ["k", "i", "f", "t"] {
        let on = |left: LazyFrame, right: LazyFrame| left.join_with(right).on([key]).finish();
        assert_eq!(units(&two, &on), (2, 2), "{key}: of two keys far apart");
        let semi = |left: LazyFrame, right: LazyFrame| {
            left.join_with(right).on([key]).how(JoinKind::Semi).finish()
        };
        assert_eq!(units(&two, &semi), (2, 2), "{key}: semi");
        let swapped = |left: LazyFrame, right: LazyFrame| right.join_with(left).on([key]).finish();
        assert_eq!(units(&two, &swapped), (2, 2), "{key}: the left is the table");
        let right = |left: LazyFrame, right: LazyFrame| {
            left.join_with(right).on([key]).how(JoinKind::Left).finish()
        };
        assert_eq!(units(&two, &right).1, 40, "{key}: rows without a partner come out");
        let null = |left: LazyFrame, right: LazyFrame| {
            left.join_with(right).on([key]).nulls_equal().finish()
        };
        assert_eq!(units(&two, &null), (502, 3), "{key}: NULL equals NULL");
        assert_eq!(units(&[Some(3)], &null), (1, 1), "{key}: there is no NULL in the table");
        assert_eq!(units(&[None], &on), (0, 0), "{key}: NULL equals nothing");
        assert_eq!(units(&[], &on), (0, 0), "{key}: an empty table");
    }
    // Keys of different types meet in a third, and columns are renamed and filtered on the way.
    let coerced = |left: LazyFrame, right: LazyFrame| {
        let left = left.filter(col("row").gt(lit(-1))).select([col("i").alias("x"), col("row")]);
        left.join_with(right).left_on(["x"]).right_on(["f"]).finish()
    };
    assert_eq!(units(&two, &coerced), (2, 2));
    let both = |left: LazyFrame, right: LazyFrame| {
        let right = right.select([col("k"), (col("i") + lit(1)).alias("i")]);
        left.join_with(right).on(["k", "i"]).finish()
    };
    assert_eq!(
        units(&[Some(499), Some(700)], &both),
        (0, 1),
        "a key rules out what the other does not"
    );
    let cross =
        |left: LazyFrame, right: LazyFrame| left.join_with(right).how(JoinKind::Cross).finish();
    assert_eq!(units(&[], &cross), (0, 0));
    // More keys than are looked at one by one: only their ends count.
    let many: Vec<Option<i64>> = (0..5_000).map(|n| Some(n % 2 * 1_000 + 7_000)).collect();
    let on = |left: LazyFrame, right: LazyFrame| left.join_with(right).on(["k"]).finish();
    assert_eq!(units(&many, &on), (5_000, 3));
}

#[test]
fn a_not_a_number_finds_its_partner() {
    let folder = tempfile::tempdir().unwrap();
    let (large, small) = (folder.path().join("large.parquet"), folder.path().join("small.parquet"));
    ordered(&large);
    let nan: ArrayRef = Arc::new(Float64Array::from(vec![-f64::NAN]));
    write(&small, &RecordBatch::try_from_iter([("f", nan)]).unwrap(), 5);
    let (session, _) = counting(0);
    let join = scan(&session, &large).join_with(scan(&session, &small)).on(["f"]).finish();
    assert_eq!(fingerprint(&join, false).len(), 1);
}

/// Rows of one side as the naive join sees them: the row, an integer key, a text key, a value.
#[derive(Clone, Debug)]
struct Row {
    row: i64,
    k: Option<i64>,
    s: Option<String>,
    v: i64,
}

fn side(seed: u64, rows: usize) -> Vec<Row> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Most rows have one key; others have a partner at times.
    let k = nullable(&mut random, rows, |r| match r.random_range(0..10) {
        0..7 => r.random_range(0..200) + seed as i64,
        _ => 7,
    });
    let s = nullable(&mut random, rows, |r| format!("s{}", r.random_range(0..3)));
    let keys = k.into_iter().zip(s).enumerate();
    keys.map(|(row, (k, s))| Row { row: row as i64, k, s, v: random.random_range(0..20) }).collect()
}

fn batch_of(rows: &[Row]) -> RecordBatch {
    let columns: [(&str, ArrayRef); 4] = [
        ("row", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.row)))),
        ("k", Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.k)))),
        ("s", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.s.clone())))),
        ("v", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.v)))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// How rows are paired.
#[derive(Clone, Copy, Debug)]
struct Pairing {
    text_too: bool,
    nulls_equal: bool,
    condition: bool,
}

impl Pairing {
    const ALL: [Pairing; 6] = [
        Pairing { text_too: false, nulls_equal: false, condition: false },
        Pairing { text_too: true, nulls_equal: false, condition: false },
        Pairing { text_too: false, nulls_equal: true, condition: false },
        Pairing { text_too: true, nulls_equal: true, condition: false },
        Pairing { text_too: false, nulls_equal: false, condition: true },
        Pairing { text_too: true, nulls_equal: true, condition: true },
    ];

    fn holds(self, left: &Row, right: &Row) -> bool {
        let null = |is_null: bool| !is_null || self.nulls_equal;
        left.k == right.k
            && null(left.k.is_none())
            && (!self.text_too || (left.s == right.s && null(left.s.is_none())))
            && (!self.condition || left.v < right.v)
    }

    fn join(self, kind: JoinKind, left: LazyFrame, right: LazyFrame) -> LazyFrame {
        let right =
            right.select(["row", "k", "s", "v"].map(|name| col(name).alias(format!("r{name}"))));
        let keys = if self.text_too { vec!["k", "s"] } else { vec!["k"] };
        let right_keys: Vec<String> = keys.iter().map(|name| format!("r{name}")).collect();
        let join = left.join_with(right).left_on(keys).right_on(right_keys).how(kind);
        let join = if self.nulls_equal { join.nulls_equal() } else { join };
        let join = if self.condition { join.condition(col("v").lt(col("rv"))) } else { join };
        match kind {
            JoinKind::Semi | JoinKind::Anti => {
                join.finish().select([col("row"), null().alias("rrow")])
            }
            _ => join.finish().select(["row", "rrow"]),
        }
    }

    /// The numbers of the rows that come out, by looking at every pair.
    fn naive(self, kind: JoinKind, left: &[Row], right: &[Row]) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = Vec::new();
        let mut paired = vec![false; right.len()];
        for row in left {
            let partners = right.iter().filter(|other| self.holds(row, other));
            let partners: Vec<i64> = partners.map(|other| other.row).collect();
            partners.iter().for_each(|partner| paired[*partner as usize] = true);
            let alone = || (Some(row.row), None);
            match kind {
                JoinKind::Semi => pairs.extend((!partners.is_empty()).then(alone)),
                JoinKind::Anti => pairs.extend(partners.is_empty().then(alone)),
                _ => pairs.extend(partners.iter().map(|partner| (Some(row.row), Some(*partner)))),
            }
            if matches!(kind, JoinKind::Left | JoinKind::Full) && partners.is_empty() {
                pairs.push(alone());
            }
        }
        if matches!(kind, JoinKind::Right | JoinKind::Full) {
            let alone = right.iter().filter(|row| !paired[row.row as usize]);
            pairs.extend(alone.map(|row| (None, Some(row.row))));
        }
        pairs.sort();
        pairs
    }
}

type Pair = (Option<i64>, Option<i64>);

fn pairs_of(frame: &LazyFrame) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for batch in frame.collect_batches().unwrap() {
        let batch = batch.unwrap();
        let numbers = |column: usize| -> Vec<Option<i64>> {
            match batch.column(column).as_primitive_opt::<Int64Type>() {
                Some(numbers) => numbers.iter().collect(),
                None => vec![None; batch.num_rows()],
            }
        };
        pairs.extend(numbers(0).into_iter().zip(numbers(1)));
    }
    pairs.sort();
    pairs
}

/// The same rows, of a number that is not known before, so that no table is shared.
fn of_unknown_number(frame: LazyFrame) -> LazyFrame {
    let one = lit("x").call("string_split", [lit(",")]).alias("one");
    frame.select([col("row"), col("k"), col("s"), col("v"), one]).explode(["one"])
}

#[test]
fn every_kind_gives_the_pairs_of_naive_code() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [side(1, 400), side(3, 260)];
    let files = ["left", "right"].map(|name| folder.path().join(name));
    files.iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    let left = layouts(&files[0], &batch_of(&rows[0]));
    let right = layouts(&files[1], &batch_of(&rows[1]));
    let sessions = sessions();
    let mut way = 0;
    for (kind, pairing) in
        KINDS.iter().flat_map(|kind| Pairing::ALL.map(|pairing| (*kind, pairing)))
    {
        let expected = pairing.naive(kind, &rows[0], &rows[1]);
        assert!(!expected.is_empty(), "{kind:?} {pairing:?} gives rows");
        for (left, right) in left.iter().zip(&right) {
            // The ways take turns: each kind goes through each of them, several times.
            for _ in 0..4 {
                let (name, session) = &sessions[way % sessions.len()];
                for shared in [true, false] {
                    let sides = [scan(session, left), scan(session, right)];
                    let [left_rows, right_rows] = match shared {
                        true => sides,
                        false => sides.map(of_unknown_number),
                    };
                    let found = pairs_of(&pairing.join(kind, left_rows, right_rows));
                    let place = left.display();
                    assert!(
                        found == expected,
                        "{kind:?} {pairing:?}: {name}, {place}, shared {shared} differs"
                    );
                    assert_eq!(session.memory_reserved(), 0, "{name} keeps memory");
                }
                way += 1;
            }
            way += 1;
        }
    }
}

/// Many rows, nine of ten with one key; wide ones do not fit where they were thought to.
fn many(seed: u64, rows: usize, width: usize) -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let hot = width == 0;
    let k = (0..rows).map(|row| match hot && row % 10 > 0 {
        true => 7,
        false => row as i64 + seed as i64,
    });
    let text =
        (0..rows).map(|row| format!("{row}{}", "x".repeat(random.random_range(width..=width * 2))));
    let columns: [(&str, ArrayRef); 3] = [
        ("row", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
        ("k", Arc::new(Int64Array::from_iter_values(k))),
        ("text", Arc::new(StringArray::from_iter_values(text))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Writes a folder of two files: one is read as codes of a dictionary, the other as texts.
fn write_in_two(path: &Path, rows: &RecordBatch) {
    std::fs::create_dir(path).unwrap();
    let half = rows.num_rows() / 2;
    write(&path.join("0.parquet"), &rows.slice(0, half), 2_000);
    let rest = rows.slice(half, rows.num_rows() - half);
    write_without_dictionaries(&path.join("1.parquet"), &rest, 2_000);
}

/// The counts and sums of a join of two files, and how the join was done.
fn totals(
    files: [&Path; 2],
    kind: JoinKind,
    threads: usize,
    memory: u64,
) -> (Vec<Vec<u8>>, dframe::StatsReading) {
    let stats = Arc::new(RunStats::default());
    let builder = Session::builder().observer(stats.clone()).memory_limit(Size::Bytes(memory));
    let builder = if threads == 0 { builder.synchronous() } else { builder.threads(threads) };
    let session = builder.build().unwrap();
    let names = ["row", "k", "text"].map(|name| col(name).alias(format!("r{name}")));
    let right = scan(&session, files[1]).select(names);
    let join = scan(&session, files[0]).join_with(right).left_on(["k"]).right_on(["rk"]).how(kind);
    let mut totals = vec![count_all().alias("n"), col("row").sum(), col("text").max()];
    if !matches!(kind, JoinKind::Semi | JoinKind::Anti) {
        totals.extend([col("rrow").sum(), col("rtext").max()]);
    }
    let found = fingerprint(&join.finish_with_all_columns().agg(totals), true);
    assert_eq!(session.memory_reserved(), 0);
    (found, stats.read())
}

#[test]
fn one_key_of_most_rows_is_joined_block_by_block() {
    let folder = tempfile::tempdir().unwrap();
    let (left, right) = (folder.path().join("left.parquet"), folder.path().join("right.parquet"));
    for kind in KINDS {
        // Where only keys are asked for there is less to hold, and there are no pairs to go through.
        let rows = if matches!(kind, JoinKind::Semi | JoinKind::Anti) { 60_000 } else { 12_000 };
        write(&left, &many(1, rows, 0), 2_000);
        write(&right, &many(2, rows - 1_000, 0), 2_000);
        let files = [left.as_path(), right.as_path()];
        let (expected, ample) = totals(files, kind, 2, 1 << 30);
        assert!(!ample.operators.contains_key("blocks of a join"), "{kind:?} with much memory");
        for (threads, memory) in [(8, STARVED), (16, 2 * STARVED)] {
            let (found, stats) = totals(files, kind, threads, memory);
            assert!(found == expected, "{kind:?}, {threads} threads differ");
            assert!(stats.operators.contains_key("blocks of a join"), "{kind:?}: {stats}");
        }
    }
}

#[test]
fn buckets_that_do_not_fit_are_cut_again() {
    let folder = tempfile::tempdir().unwrap();
    let (left, right) = (folder.path().join("left.parquet"), folder.path().join("right.parquet"));
    write(&left, &many(1, 60_000, 250), 2_000);
    write(&right, &many(40, 55_000, 250), 2_000);
    for kind in KINDS {
        let files = [left.as_path(), right.as_path()];
        let (expected, _) = totals(files, kind, 2, 1 << 30);
        for (threads, memory) in [(0, STARVED), (2, STARVED), (8, 2 * STARVED)] {
            let (found, stats) = totals(files, kind, threads, memory);
            assert!(found == expected, "{kind:?}, {threads} threads differ");
            // Of the right, a semi and an anti join hold the keys alone, which fit.
            let fits = matches!(kind, JoinKind::Semi | JoinKind::Anti);
            let cut = stats.operators.contains_key("cut of a join");
            assert!(cut || fits, "{kind:?}: {stats}");
            assert!(stats.bytes_spilled > 0);
        }
    }
}

#[test]
fn buckets_of_codes_and_of_texts_are_cut_again() {
    let folder = tempfile::tempdir().unwrap();
    let (left, right) = (folder.path().join("left"), folder.path().join("right"));
    write_in_two(&left, &many(1, 60_000, 250));
    write_in_two(&right, &many(40, 55_000, 250));
    let files = [left.as_path(), right.as_path()];
    for kind in KINDS {
        let (expected, _) = totals(files, kind, 2, 1 << 30);
        for (threads, memory) in [(0, STARVED), (8, 2 * STARVED)] {
            let (found, stats) = totals(files, kind, threads, memory);
            assert!(found == expected, "{kind:?}, {threads} threads differ");
            let fits = matches!(kind, JoinKind::Semi | JoinKind::Anti);
            let cut = stats.operators.contains_key("cut of a join");
            assert!(cut || fits, "{kind:?}: {stats}");
        }
    }
}
