//! Mistakes in what strangers give dframe to read: expressions, queries, files, footers, spilled batches.
//!
//! A few thousand of them, the same every time; `tests/fuzz` has the same probes for a fuzzer.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "mutations/mutate.rs"]
mod mutate;

use std::collections::BTreeSet;
use std::path::Path;

use arrow::array::{RecordBatch, new_null_array};
use dframe_tests::{fixtures, probes};

const COUNT: u64 = 1_500;

type Probe = fn(&[u8]);

/// Every probe by the name of its target, and valid bytes for it.
fn all() -> Vec<(&'static str, Probe, Vec<Vec<u8>>)> {
    let expressions = [
        "round(100 * sum(c) filter (where a > -1) / count(*), 1) as share, b || '\u{e9}' as \"x y\"",
        "case when a in (1, 2) then cast(b as date) else date '2024-02-29' + interval 3 months end",
        "row_number() over (partition by b order by a desc nulls last rows between 2 preceding and current row)",
        "a desc, lower(b), regexp_replace(b, '(a+)+$', '\\1', 'g') like 'a%'",
        "a int64, b decimal(12, 2), c timestamp",
    ];
    let queries = [
        "WITH w AS (SELECT a, max(c) AS m FROM t GROUP BY a HAVING count(*) > 0) SELECT t.*, w.m FROM t JOIN w USING (a) \
         WHERE t.b IS NOT NULL OR EXISTS (SELECT 1 FROM t AS u WHERE u.a = t.a) ORDER BY 1 DESC LIMIT 3 OFFSET 1",
        "SELECT b, sum(a) OVER (PARTITION BY d ORDER BY a) FROM t UNION ALL SELECT 'x', 2 EXCEPT SELECT b, a FROM t",
    ];
    let text = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let folder = tempfile::tempdir().unwrap();
    fixtures::write_all(folder.path());
    let parquet = std::fs::read(folder.path().join("sales.parquet")).unwrap();
    vec![
        ("expression", probes::expression, text(&expressions)),
        ("query", probes::query, text(&queries)),
        (
            "csv",
            probes::csv,
            text(&["a,b,\"c\"\n1,x,2024-01-01\n,\"y \"\"q\"\"\n\",\n3,,2024-02-30 10:00:00\n"]),
        ),
        (
            "ndjson",
            probes::ndjson,
            text(&[
                "{\"a\":1,\"b\":{\"c\":[1.5,null,{}]}}\n{\"a\":\"\\u00e9\"}\n",
                "[{\"a\":1e400}]",
            ]),
        ),
        ("parquet_metadata", probes::parquet_metadata, vec![parquet]),
        ("spill_message", probes::spill_message, vec![spilled()]),
    ]
}

fn spilled() -> Vec<u8> {
    let schema = probes::spilled_schema();
    let columns = schema.fields().iter().map(|field| new_null_array(field.data_type(), 100));
    let batch = RecordBatch::try_new(schema.clone(), columns.collect()).unwrap();
    let blob = dframe::runtime::encode_any(&batch).unwrap();
    assert_eq!(dframe::runtime::decode_any(schema, &blob).unwrap(), batch);
    blob
}

#[test]
fn mistakes_are_errors() {
    for (name, probe, valid) in all() {
        for (bytes, other) in valid.iter().zip(valid.iter().rev()) {
            probe(bytes);
            for seed in 0..COUNT / valid.len() as u64 {
                let mutated = mutate::mutated(bytes, other, seed);
                let outcome = std::panic::catch_unwind(|| probe(&mutated));
                assert!(outcome.is_ok(), "{name}: {:?}", String::from_utf8_lossy(&mutated));
            }
        }
    }
}

#[test]
fn every_target_of_the_fuzzer_is_tried_here() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let files = std::fs::read_dir(targets).unwrap().map(|entry| entry.unwrap().path());
    let mut names = BTreeSet::new();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_string();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("probes::{name}(bytes)")), "{name} calls another probe");
        names.insert(name);
    }
    assert_eq!(names, all().into_iter().map(|(name, ..)| name.to_string()).collect());
}
