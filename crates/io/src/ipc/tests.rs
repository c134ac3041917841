//! What was written is read, in any pieces; what is corrupt is an error.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::builder::{ListBuilder, StringBuilder, StringViewBuilder};
use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal64Array, DictionaryArray, FixedSizeBinaryArray,
    FixedSizeListArray, Float16Array, Float64Array, Int8Array, Int64Array, LargeStringArray,
    MapArray, NullArray, RecordBatch, RunArray, StringArray, StructArray,
    TimestampMicrosecondArray, UnionArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{
    Field, Fields, Int8Type, Int16Type, Int32Type, Schema, TimeUnit, UnionFields,
};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};

use super::*;

const ROWS: usize = 1000;

/// A table with every kind of column; row `first` is the first.
fn table(first: usize, rows: usize, kind: Kind) -> RecordBatch {
    let range = first..first + rows;
    let each = || range.clone();
    let opt = |row: usize| (!row.is_multiple_of(7)).then_some(row as i64);
    let text = |row: usize| opt(row).map(|row| "text ".repeat(row as usize % 9));
    let mut views = StringViewBuilder::new().with_fixed_block_size((rows as u32).max(64));
    each().for_each(|row| views.append_option(text(row)));
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in each() {
        (0..row % 4).for_each(|item| lists.values().append_option(text(row + item)));
        lists.append(!row.is_multiple_of(5));
    }
    let long: ArrayRef = Arc::new(Int64Array::from_iter(each().map(opt)));
    let flags: ArrayRef =
        Arc::new(BooleanArray::from_iter(each().map(|row| opt(row).map(|r| r % 3 == 0))));
    let fields: Fields = vec![
        Field::new("long", DataType::Int64, true),
        Field::new("flags", DataType::Boolean, true),
    ]
    .into();
    let nulls = each().map(|row| !row.is_multiple_of(11)).collect::<Vec<bool>>().into();
    let structs = StructArray::new(fields, vec![long.clone(), flags.clone()], Some(nulls));
    let pairs = Arc::new(Field::new("item", DataType::Int64, true));
    let twice = Int64Array::from_iter(each().flat_map(|row| [opt(row), opt(row + 1)]));
    let keys =
        |row: usize| opt(row).map(|row| ["a", "bb", "a text that is long"][row as usize % 3]);
    let coded = coded(each().map(|row| opt(row).map(|row| row as usize / 100 % 100)), kind);
    let runs: RunArray<Int32Type> = each().map(|row| keys(row / 10)).collect();
    let hashes = each().map(|row| opt(row).map(|row| row.to_le_bytes()));
    let numbers = DictionaryArray::<Int16Type>::new(
        each().map(|row| opt(row).map(|row| (row % 5) as i16)).collect(),
        Arc::new(Int64Array::from(vec![10, 20, 30, 40, 50])),
    );
    let zoned = TimestampMicrosecondArray::from_iter(each().map(opt)).with_timezone("Europe/Rome");
    let decimals = Decimal64Array::from_iter(each().map(opt)).with_precision_and_scale(12, 2);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("long", long),
        ("flags", flags),
        ("tiny", Arc::new(Int8Array::from_iter(each().map(|row| opt(row).map(|r| r as i8))))),
        (
            "float",
            Arc::new(Float64Array::from_iter(
                each().map(|r| if r % 3 == 0 { f64::NAN } else { -0.0 }),
            )),
        ),
        (
            "half",
            Arc::new(Float16Array::from_iter(each().map(|row| opt(row).map(|r| half(r as f32))))),
        ),
        ("text", Arc::new(StringArray::from_iter(each().map(text)))),
        ("large", Arc::new(LargeStringArray::from_iter(each().map(text)))),
        ("views", Arc::new(views.finish())),
        ("lists", Arc::new(lists.finish())),
        ("structs", Arc::new(structs)),
        ("pairs", Arc::new(FixedSizeListArray::new(pairs, 2, Arc::new(twice), None))),
        ("map", Arc::new(maps(each()))),
        ("coded", Arc::new(coded)),
        ("numbers", Arc::new(numbers)),
        ("runs", Arc::new(runs)),
        (
            "hashes",
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(hashes, 8).unwrap()),
        ),
        ("zoned", Arc::new(zoned)),
        ("decimals", Arc::new(decimals.unwrap())),
        ("nothing", Arc::new(NullArray::new(rows))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, a)| (name, a, true)))
        .unwrap()
}

fn half(
    value: f32,
) -> <arrow::datatypes::Float16Type as arrow::datatypes::ArrowPrimitiveType>::Native {
    let number = Float64Array::from(vec![f64::from(value)]);
    let half = cast(&number, &DataType::Float16).unwrap();
    half.as_any().downcast_ref::<Float16Array>().unwrap().value(0)
}

fn maps(rows: std::ops::Range<usize>) -> MapArray {
    let lengths = rows.clone().map(|row| row % 3);
    let names: Vec<String> =
        rows.clone().flat_map(|row| (0..row % 3).map(move |i| format!("k{row}{i}"))).collect();
    let values = Int64Array::from_iter_values(names.iter().map(|name| name.len() as i64));
    let fields: Fields = vec![
        Field::new("keys", DataType::Utf8, false),
        Field::new("values", DataType::Int64, true),
    ]
    .into();
    let names: ArrayRef = Arc::new(StringArray::from(names));
    let entries = StructArray::new(fields.clone(), vec![names, Arc::new(values)], None);
    let entry = Arc::new(Field::new("entries", DataType::Struct(fields), false));
    MapArray::new(entry, OffsetBuffer::from_lengths(lengths), entries, None, false)
}

/// Texts as a dictionary: one for the file, one that goes on, or one for each batch.
fn coded(
    numbers: impl Iterator<Item = Option<usize>> + Clone,
    kind: Kind,
) -> DictionaryArray<Int8Type> {
    let text = |number: usize| format!("a value that is long, {number}");
    let last = numbers.clone().flatten().max().map_or(0, |last| last + 1);
    let values = match kind {
        Kind::File => 2000,
        Kind::Deltas => last,
        Kind::Stream => {
            let texts: Vec<Option<String>> = numbers.map(|number| number.map(text)).collect();
            return texts.iter().map(|text| text.as_deref()).collect();
        }
    };
    let values = StringArray::from_iter_values((0..values.min(100)).map(text));
    let keys = numbers.map(|number| number.map(|number| number as i8 % 100)).collect();
    DictionaryArray::new(keys, Arc::new(values))
}

/// The same with the types of the engine.
fn expected(table: &RecordBatch) -> RecordBatch {
    let fields = table
        .schema()
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), types::logical(field.data_type()).unwrap(), true))
        .collect::<Vec<_>>();
    let columns = table
        .columns()
        .iter()
        .zip(&fields)
        .map(|(column, field)| types::conform(column, field.data_type()).unwrap());
    RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns.collect()).unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    File,
    Stream,
    /// A stream whose dictionaries go on.
    Deltas,
}

fn write(path: &Path, batches: &[RecordBatch], kind: Kind, codec: Option<CompressionType>) {
    let options = IpcWriteOptions::default().try_with_compression(codec).unwrap();
    let options = match kind {
        Kind::Deltas => options.with_dictionary_handling(DictionaryHandling::Delta),
        _ => options,
    };
    let (file, schema) = (File::create(path).unwrap(), batches[0].schema());
    match kind {
        Kind::File => {
            let mut writer = FileWriter::try_new_with_options(file, &schema, options).unwrap();
            batches.iter().for_each(|batch| writer.write(batch).unwrap());
            writer.finish().unwrap();
        }
        Kind::Stream | Kind::Deltas => {
            let mut writer = StreamWriter::try_new_with_options(file, &schema, options).unwrap();
            batches.iter().for_each(|batch| writer.write(batch).unwrap());
            writer.finish().unwrap();
        }
    }
}

fn request(projection: Vec<usize>, batch_rows: usize, unit_bytes: u64) -> ScanRequest {
    ScanRequest {
        projection,
        filters: vec![],
        tests: Vec::new(),
        limit: None,
        batch_rows,
        unit_bytes,
        partition_rows: 1,
        partition_share: 16,
    }
}

fn scan(source: IpcSource, request: &ScanRequest, skip: u64) -> Result<RecordBatch> {
    let source = Arc::new(source);
    let types: SchemaRef = Arc::new(source.schema().project(&request.projection)?);
    let mut batches = Vec::new();
    let mut position = 0;
    let partitions = source.partitions(request)?;
    let units = partitions.list.into_iter().flat_map(|partition| partition.units);
    let mut skip = skip;
    let units = units.filter_map(|unit| {
        let count = unit.row_count().min(skip);
        skip -= count;
        let (rows, position) = (unit.rows.start + count..unit.rows.end, unit.position + count);
        (!rows.is_empty()).then_some(ScanUnit { rows, position, ..unit })
    });
    for unit in &units.collect::<Vec<_>>() {
        // As the engine does: memory is claimed first.
        if unit.fetch_bytes.saturating_add(unit.decode_bytes) > 1 << 28 {
            return Err(Error::over_budget("the unit is too large").file("a.arrow"));
        }
        let fetched = source.fetch(unit, request)?;
        for batch in source.clone().decode(unit, fetched, request)? {
            let batch = batch?;
            assert!(batches.is_empty() || batch.position > position);
            position = batch.position;
            assert!(batch.rows.num_rows() <= request.batch_rows);
            let columns = batch.rows.columns().iter().zip(types.fields());
            let columns = columns.map(|(column, field)| cast(column, field.data_type()));
            let options =
                arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.rows.num_rows()));
            batches.push(RecordBatch::try_new_with_options(
                types.clone(),
                columns.collect::<Result<_, _>>()?,
                &options,
            )?);
        }
    }
    Ok(concat_batches(&types, &batches)?)
}

fn open(path: &Path) -> Result<IpcSource> {
    IpcSource::open(&[path.display().to_string()])
}

fn temporary() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    (folder, path)
}

#[test]
fn every_type_is_read_in_any_pieces() {
    let (_folder, path) = temporary();
    let parts: [&[usize]; 3] = [&[ROWS], &[1, 600, 0, 399], &[100; 10]];
    let all = expected(&table(0, ROWS, Kind::Stream));
    for kind in [Kind::File, Kind::Stream, Kind::Deltas] {
        for codec in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
            for lengths in parts {
                let mut first = 0;
                let batches = lengths.iter().map(|rows| {
                    first += rows;
                    table(first - rows, *rows, kind)
                });
                write(&path, &batches.collect::<Vec<_>>(), kind, codec);
                for (batch_rows, unit_bytes) in [(1 << 14, 1 << 30), (37, 20_000), (64, 1)] {
                    for projection in
                        [(0..all.num_columns()).collect(), vec![12, 5, 0], vec![8, 9, 11], vec![]]
                    {
                        let way =
                            format!("{kind:?} {codec:?} {lengths:?} {batch_rows} {projection:?}");
                        let request = request(projection, batch_rows, unit_bytes);
                        for skip in [0, 333] {
                            let found = scan(open(&path).unwrap(), &request, skip).unwrap();
                            let wanted = all.project(&request.projection).unwrap();
                            assert_eq!(
                                found,
                                wanted.slice(skip as usize, ROWS - skip as usize),
                                "{way} {skip}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn large_batches_are_cut_and_cost_what_they_read() {
    let (_folder, path) = temporary();
    write(&path, &[table(0, 200_000, Kind::File)], Kind::File, None);
    let source = open(&path).unwrap();
    let request = request(vec![0, 5], 1 << 14, 1 << 20);
    let partitions = source.partitions(&request).unwrap();
    let units: Vec<&ScanUnit> = partitions.list.iter().flat_map(|p| &p.units).collect();
    assert!(units.len() > 5, "{} units", units.len());
    assert_eq!(units.iter().map(|unit| unit.row_count()).sum::<u64>(), 200_000);
    for unit in units {
        let bytes = source.fetch(unit, &request).unwrap().len() as u64;
        assert!(bytes <= unit.fetch_bytes, "{bytes} of {}", unit.fetch_bytes);
        assert!(unit.fetch_bytes + unit.decode_bytes <= 1 << 20, "{unit:?}");
    }
}

#[test]
fn many_compressed_batches_are_one_unit() {
    let (_folder, path) = temporary();
    let batches: Vec<_> = (0..50).map(|n| table(n * 999, 999, Kind::File)).collect();
    write(&path, &batches, Kind::File, Some(CompressionType::ZSTD));
    let request = ScanRequest { partition_rows: 1 << 20, ..request(vec![0, 5, 8], 100, 1 << 27) };
    assert!(open(&path).unwrap().partitions(&request).unwrap().list[0].units.len() < 3);
    let found = scan(open(&path).unwrap(), &request, 0).unwrap();
    let batches = batches.iter().map(|batch| batch.project(&[0, 5, 8]).unwrap());
    let batches: Vec<_> = batches.collect();
    assert_eq!(found, expected(&concat_batches(&batches[0].schema(), &batches).unwrap()));
}

#[test]
fn a_limit_reads_no_more_than_it_needs() {
    let (_folder, path) = temporary();
    write(&path, &[0, 100, 200].map(|first| table(first, 100, Kind::Stream)), Kind::Stream, None);
    let request = ScanRequest { limit: Some(150), ..request(vec![0], 64, 1 << 30) };
    let partitions = open(&path).unwrap().partitions(&request).unwrap();
    let rows: u64 = partitions.list.iter().map(|partition| partition.row_count()).sum();
    assert_eq!(rows, 150);
    assert_eq!(scan(open(&path).unwrap(), &request, 0).unwrap().num_rows(), 150);
}

#[test]
fn files_agree_on_columns() {
    let folder = tempfile::tempdir().unwrap();
    let tiny: ArrayRef = Arc::new(Int8Array::from(vec![1]));
    let long: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let first = RecordBatch::try_from_iter([("n", tiny)]).unwrap();
    let second = RecordBatch::try_from_iter([("k", text), ("n", long)]).unwrap();
    write(&folder.path().join("1.arrow"), &[first], Kind::File, None);
    write(&folder.path().join("2.arrows"), &[second], Kind::Stream, None);
    let found = scan(open(folder.path()).unwrap(), &request(vec![0, 1], 10, 1 << 20), 0).unwrap();
    assert_eq!(found.column(0).as_ref(), &Int64Array::from(vec![1, i64::MAX]) as &dyn Array);
    assert_eq!(found.column(1).as_ref(), &StringArray::from(vec![None, Some("x")]) as &dyn Array);
}

#[test]
fn dictionaries_with_null_or_repeated_values_are_what_they_stand_for() {
    let (_folder, path) = temporary();
    let values = StringArray::from(vec![Some("a"), None, Some("a")]);
    let keys = Int8Array::from(vec![Some(0), Some(1), Some(2), None]);
    let coded: ArrayRef = Arc::new(DictionaryArray::<Int8Type>::new(keys, Arc::new(values)));
    let batch = RecordBatch::try_from_iter_with_nullable([("k", coded, true)]).unwrap();
    write(&path, &[batch], Kind::File, None);
    let found = scan(open(&path).unwrap(), &request(vec![0], 3, 1 << 20), 0).unwrap();
    let wanted = StringArray::from(vec![Some("a"), None, Some("a"), None]);
    assert_eq!(found.column(0).as_ref(), &wanted as &dyn Array);
}

#[test]
fn unions_are_refused_by_name() {
    let (_folder, path) = temporary();
    let fields = UnionFields::try_new([0], [Field::new("n", DataType::Int64, true)]).unwrap();
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let union = UnionArray::try_new(fields, ScalarBuffer::from(vec![0_i8]), None, vec![values]);
    let batch = RecordBatch::try_from_iter([("u", Arc::new(union.unwrap()) as ArrayRef)]).unwrap();
    write(&path, &[batch], Kind::File, None);
    let error = open(&path).unwrap_err();
    assert_eq!(error.message(), "columns of unions cannot be read");
    assert_eq!(error.context().column.as_deref(), Some("u"));
}

#[test]
fn files_that_are_cut_off_say_so() {
    let (_folder, path) = temporary();
    for kind in [Kind::File, Kind::Stream] {
        write(&path, &[table(0, 50, kind), table(50, 50, kind)], kind, Some(CompressionType::ZSTD));
        let bytes = std::fs::read(&path).unwrap();
        for length in (0..bytes.len() - 8).step_by(97) {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let found =
                open(&path).and_then(|source| scan(source, &request(vec![0, 5], 64, 1 << 30), 0));
            match found {
                Err(error) => assert!(error.context().file.is_some(), "{error}"),
                // A stream may end between two messages.
                Ok(found) => assert!(matches!(kind, Kind::Stream) && found.num_rows() < 100),
            }
        }
    }
}

#[test]
fn corrupt_files_never_panic() {
    let (_folder, path) = temporary();
    let mut state = 7_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 33
    };
    for (kind, codec) in [
        (Kind::File, None),
        (Kind::Stream, Some(CompressionType::LZ4_FRAME)),
        (Kind::Deltas, Some(CompressionType::ZSTD)),
    ] {
        write(&path, &[table(0, 40, kind), table(40, 30, kind)], kind, codec);
        let whole = std::fs::read(&path).unwrap();
        for _ in 0..700 {
            let mut bytes = whole.clone();
            for _ in 0..random() % 4 + 1 {
                let at = random() as usize % bytes.len();
                bytes[at] = [0, 0xff, 0x80, random() as u8][random() as usize % 4];
            }
            std::fs::write(&path, &bytes).unwrap();
            let found = open(&path).and_then(|source| {
                let columns = (0..source.schema().fields().len()).collect();
                scan(source, &request(columns, 16, 1 << 12), 0)
            });
            if let Err(error) = found {
                assert_ne!(error.kind(), dframe_core::ErrorKind::Internal, "{error}");
            }
        }
    }
}

#[test]
fn timestamps_keep_their_zone() {
    let (_folder, path) = temporary();
    write(&path, &[table(0, 5, Kind::File)], Kind::File, None);
    let source = open(&path).unwrap();
    let (_, field) = source.schema.fields().find("zoned").unwrap();
    let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("Europe/Rome".into()));
    assert_eq!(*field.data_type(), zoned);
}
