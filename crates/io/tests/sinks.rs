//! Writing: what each format looks like, and what a file holds after a failure.

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Builder, Int64Array, ListBuilder, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int32Type, Schema};
use dframe_core::{ErrorKind, Workers};
use dframe_io::{
    Compression, Format, ParquetSource, SinkOptions, SinkReport, TableOptions, Target, create_sink,
    is_broken_pipe,
};
use support::{Folder, plain, request, scan, table};

/// A stream whose bytes can be looked at.
#[derive(Clone, Default)]
struct Stream(Arc<Mutex<Vec<u8>>>);

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn rows() -> RecordBatch {
    let mut list = ListBuilder::new(Int32Builder::new());
    list.append_value([Some(1), None]);
    list.append_null();
    list.append_value([]);
    let coded: DictionaryArray<Int32Type> =
        vec![Some("a,\"b\""), None, Some("")].into_iter().collect();
    let times = TimestampMicrosecondArray::from(vec![0, 1_500_000, 86_400_000_000]);
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(Int64Array::from(vec![Some(1), Some(-20), None])) as ArrayRef, true),
        ("text", Arc::new(coded) as ArrayRef, true),
        ("x", Arc::new(Float64Array::from(vec![0.1, f64::NAN, 1e300])) as ArrayRef, true),
        ("time", Arc::new(times) as ArrayRef, true),
        ("list", Arc::new(list.finish()) as ArrayRef, true),
    ])
    .expect("rows")
}

fn written(format: Format, batches: &[RecordBatch], options: &SinkOptions) -> String {
    reported(format, batches, options).0
}

/// The text, and the values in it that JSON has no number for.
fn reported(format: Format, batches: &[RecordBatch], options: &SinkOptions) -> (String, u64) {
    let stream = Stream::default();
    let schema = plain(batches).schema();
    let target = Target::Stdout(Box::new(stream.clone()));
    let mut sink = create_sink(target, format, schema, options).expect("a sink");
    for batch in batches {
        sink.write(batch).expect("written");
    }
    let report = sink.finish().expect("finished");
    let bytes = stream.0.lock().expect("not poisoned").clone();
    let rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
    let not_numbers = report.not_numbers;
    assert_eq!(report, SinkReport { rows, bytes: bytes.len() as u64, not_numbers, files: 1 });
    (String::from_utf8(bytes).expect("text"), not_numbers)
}

#[test]
fn text_formats_keep_what_they_can() {
    let options = SinkOptions::default();
    let text = |format| written(format, &[rows()], &options);
    assert_eq!(
        text(Format::Csv),
        "id,text,x,time,list\n\
         1,\"a,\"\"b\"\"\",0.1,1970-01-01 00:00:00,\"[1,null]\"\n\
         -20,,NaN,1970-01-01 00:00:01.500,\n\
         ,\"\",1e300,1970-01-02 00:00:00,[]\n"
    );
    assert_eq!(
        text(Format::Tsv).lines().nth(1),
        Some("1\t\"a,\"\"b\"\"\"\t0.1\t1970-01-01 00:00:00\t[1,null]")
    );
    assert_eq!(
        text(Format::Ndjson),
        "{\"id\":1,\"text\":\"a,\\\"b\\\"\",\"x\":0.1,\"time\":\"1970-01-01 00:00:00\",\"list\":[1,null]}\n\
         {\"id\":-20,\"text\":null,\"x\":null,\"time\":\"1970-01-01 00:00:01.500\",\"list\":null}\n\
         {\"id\":null,\"text\":\"\",\"x\":1.0e300,\"time\":\"1970-01-02 00:00:00\",\"list\":[]}\n"
    );
    let not_numbers = |format| reported(format, &[rows()], &options).1;
    assert_eq!([Format::Ndjson, Format::Json, Format::Csv].map(not_numbers), [1, 1, 0]);
    let array = text(Format::Json);
    assert!(array.starts_with("[{\"id\":1,") && array.ends_with("}]\n"), "{array}");
    assert_eq!(written(Format::Json, &[rows().slice(0, 0)], &options), "[]\n");
    assert_eq!(
        text(Format::Markdown),
        "| id | text | x | time | list |\n\
         | ---: | --- | ---: | --- | --- |\n\
         | 1 | a,\"b\" | 0.1 | 1970-01-01 00:00:00 | [1,null] |\n\
         | -20 |  | NaN | 1970-01-01 00:00:01.500 |  |\n\
         |  |  | 1e300 | 1970-01-02 00:00:00 | [] |\n"
    );
}

#[test]
fn a_table_shows_the_first_rows_and_counts_the_rest() {
    let mut options = SinkOptions::default();
    let whole = written(Format::Table, &[rows().project(&[0, 1, 2]).expect("columns")], &options);
    assert_eq!(
        whole,
        "┌────────┬─────────┬─────────┐\n\
         │     id ┆ text    ┆       x │\n\
         │ bigint ┆ varchar ┆  double │\n\
         ╞════════╪═════════╪═════════╡\n\
         │      1 ┆ a,\"b\"   ┆     0.1 │\n\
         │    -20 ┆ NULL    ┆     NaN │\n\
         │   NULL ┆         ┆ 1.0e300 │\n\
         └────────┴─────────┴─────────┘\n\
         (3 rows)\n"
    );
    options.table = TableOptions { rows_max: 2, width: Some(60), styled: false };
    let wide = table(5_000);
    let cut = written(Format::Table, &[wide.slice(0, 1), wide.slice(1, 4_999)], &options);
    assert!(cut.ends_with("(2 of 5,000 rows, 5 of 10 columns)\n"), "{cut}");
    assert!(cut.lines().all(|line| line.chars().count() <= 60), "{cut}");

    let long: ArrayRef = Arc::new(StringArray::from(vec!["word ".repeat(40)]));
    let long = RecordBatch::try_from_iter([("text", long)]).expect("rows");
    let cut = written(Format::Table, &[long], &options);
    assert_eq!(cut.lines().count(), 7, "{cut}");
    assert!(cut.contains('…') && cut.ends_with("(1 row)\n"), "{cut}");
}

#[test]
fn files_of_columns_come_back() {
    let folder = Folder::new();
    let rows = table(10_000);
    for compression in
        [Compression::Default, Compression::None, Compression::Lz4, Compression::Zstd]
    {
        let options = SinkOptions { compression, row_group_rows: 3_000, ..Default::default() };
        let path = folder.path("out.parquet");
        let target = Target::File(path.clone().into());
        let mut sink =
            create_sink(target, Format::Parquet, rows.schema(), &options).expect("a sink");
        sink.write(&rows.slice(0, 4_000)).expect("written");
        sink.write(&rows.slice(4_000, 6_000)).expect("written");
        let report = sink.finish().expect("finished");
        assert_eq!(report.bytes, std::fs::metadata(&path).expect("there").len());
        let source = Arc::new(ParquetSource::open(std::slice::from_ref(&path)).expect("opens"));
        let back = plain(&scan(&source, &request(&*source)));
        assert_eq!(back, plain(std::slice::from_ref(&rows)));

        let path = folder.path("out.arrow");
        let target = Target::File(path.clone().into());
        let mut sink = create_sink(target, Format::Arrow, rows.schema(), &options).expect("a sink");
        sink.write(&rows).expect("written");
        sink.finish().expect("finished");
        let file = std::fs::File::open(&path).expect("there");
        let reader = arrow::ipc::reader::FileReader::try_new(file, None).expect("reads");
        let back: Vec<RecordBatch> = reader.map(|batch| batch.expect("a batch")).collect();
        assert_eq!(plain(&back), plain(std::slice::from_ref(&rows)));
    }
}

#[test]
fn parquet_row_groups_are_flushed_by_bytes() {
    let folder = Folder::new();
    let rows = table(20_000);
    let path = folder.path("out.parquet");
    let options = SinkOptions { row_group_bytes: 300_000, ..Default::default() };
    let target = Target::File(path.clone().into());
    let mut sink = create_sink(target, Format::Parquet, rows.schema(), &options).expect("a sink");
    for start in (0..20_000).step_by(1_000) {
        sink.write(&rows.slice(start, 1_000)).expect("written");
    }
    sink.finish().expect("finished");
    let source = ParquetSource::open(&[path]).expect("opens");
    let row_groups = dframe_plan::Source::partitions(&source, &request(&source)).expect("cut");
    assert!((3..=20).contains(&row_groups.row_groups), "{}", row_groups.row_groups);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "threads of a test")]
fn parquet_is_the_same_whoever_encodes_it() {
    let folder = Folder::new();
    let rows = table(300_000);
    let threads = Workers::new(3, |piece| drop(std::thread::spawn(piece)));
    let mut files = [Workers::default(), threads].into_iter().map(|workers| {
        let path = folder.path("out.parquet");
        let options = SinkOptions { workers, row_group_rows: 140_000, ..Default::default() };
        let target = Target::File(path.clone().into());
        let mut sink =
            create_sink(target, Format::Parquet, rows.schema(), &options).expect("a sink");
        for start in (0..300_000).step_by(7_500) {
            sink.write(&rows.slice(start, 7_500)).expect("written");
        }
        assert_eq!(sink.finish().expect("finished").rows, 300_000);
        std::fs::read(&path).expect("read")
    });
    let alone = files.next().expect("a file");
    assert!(files.all(|file| file == alone));
    let source = Arc::new(ParquetSource::open(&[folder.path("out.parquet")]).expect("opens"));
    let groups = dframe_plan::Source::partitions(&*source, &request(&*source)).expect("cut");
    assert_eq!(groups.row_groups, 3);
    assert_eq!(plain(&scan(&source, &request(&*source))), plain(std::slice::from_ref(&rows)));
}

#[test]
fn an_unfinished_file_leaves_the_old_one() {
    let folder = Folder::new();
    let path = folder.path("out.csv");
    std::fs::write(&path, "old").expect("written");
    let target = || Target::File(path.clone().into());
    let schema = plain(&[rows()]).schema();
    let options = SinkOptions::default();
    let mut sink = create_sink(target(), Format::Csv, schema.clone(), &options).expect("a sink");
    sink.write(&rows()).expect("written");
    drop(sink);
    let names = || std::fs::read_dir(folder.path("")).expect("listed").count();
    assert_eq!((std::fs::read_to_string(&path).expect("read").as_str(), names()), ("old", 1));
    create_sink(target(), Format::Csv, schema, &options).expect("a sink").finish().expect("done");
    let new = std::fs::read_to_string(&path).expect("read");
    assert_eq!((new.as_str(), names()), ("id,text,x,time,list\n", 1));
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_recognised_in_every_format() {
    let rows = table(20_000);
    for format in ["csv", "tsv", "json", "ndjson", "markdown", "parquet", "arrow", "table"] {
        let format: Format = format.parse().expect("a format");
        let target = Target::Stdout(Box::new(Closed));
        let options = SinkOptions { row_group_rows: 100, ..Default::default() };
        let error = create_sink(target, format, rows.schema(), &options)
            .and_then(|mut sink| {
                sink.write(&rows)?;
                sink.finish()
            })
            .expect_err("the pipe is closed");
        assert!(is_broken_pipe(&error), "{format}: {error}");
        assert_eq!(error.kind(), ErrorKind::Io, "{format}");
    }
}

#[test]
fn formats_have_names_and_extensions() {
    assert_eq!(Format::from_extension("a/b.JSONL"), Some(Format::Ndjson));
    assert_eq!(Format::from_extension("b"), None);
    let error = "xml".parse::<Format>().expect_err("no format");
    assert!(error.to_string().contains("choose one of table, csv"), "{error}");
    let missing = Target::File("/nonexistent/x.csv".into());
    let schema = Arc::new(Schema::empty());
    let error = create_sink(missing, Format::Csv, schema, &SinkOptions::default());
    let error = error.err().expect("no such folder");
    assert!(error.to_string().contains("'/nonexistent/x.csv'"), "{error}");
}
