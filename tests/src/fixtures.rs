//! Small files that are odd in one way each: broken, empty, extreme, nested, of several schemas.
//!
//! They are made by code, so that what is odd about a file can be read, and the same every time.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int32Builder, Int64Array,
    ListArray, MapArray, MapBuilder, NullArray, RecordBatch, StringArray, StringBuilder,
    StringViewArray, StructArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array, UnionArray,
    new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int8Type, Int32Type, Schema, UnionFields};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use flate2::write::GzEncoder;
use parquet::arrow::{ArrowSchemaConverter, ArrowWriter};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;

/// Writes every fixture into `folder`.
pub fn write_all(folder: &Path) {
    write(&folder.join("sales.parquet"), &sales(), 5);
    broken(folder);
    empty(folder);
    extreme(folder);
    typed(folder);
    several(folder);
    text(folder);
    ipc(folder);
    json(folder);
    partitioned(folder);
}

/// Writes `rows` with row groups of `row_group` rows.
pub fn write(path: &Path, rows: &RecordBatch, row_group: usize) {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(row_group))
        .set_created_by("dframe tests".into())
        .build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

/// A batch of named columns; all may hold NULLs.
pub fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    let field =
        |(name, column): &(&str, ArrayRef)| Field::new(*name, column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// Twelve sales with NULLs in every column but `id`, in three row groups: what a reader can add up.
fn sales() -> RecordBatch {
    let region =
        ["north", "south", "north", "", "south", "east", "north", "", "east", "south", "", "north"];
    let region = region.map(|region| (!region.is_empty()).then_some(region));
    let product =
        ["tea", "tea", "milk", "tea", "milk", "tea", "tea", "milk", "", "milk", "tea", "milk"];
    let product = product.map(|product| (!product.is_empty()).then_some(product));
    let quantity = [3, 5, 2, 7, 0, 4, -1, 6, 2, 8, 1, 0].map(|n| (n != 0).then_some(n));
    let price = [2.5, 2.5, 1.25, 3.0, 1.5, 0.0, 2.25, 1.0, 4.0, 1.75, 2.0, 1.25];
    let price = price.map(|price| (price != 0.0).then_some(price));
    // 2024-01-15 and on, nine days apart.
    let sold_on = (0..12).map(|row| (row != 7).then_some(19_737 + 9 * row));
    let paid = [Some(true), Some(false), None, Some(true)];
    batch([
        ("id", Arc::new(Int64Array::from_iter_values(1..=12))),
        ("region", Arc::new(StringArray::from(region.to_vec()))),
        ("product", Arc::new(StringArray::from(product.to_vec()))),
        ("quantity", Arc::new(Int32Array::from(quantity.to_vec()))),
        ("price", Arc::new(Float64Array::from(price.to_vec()))),
        ("sold_on", Arc::new(Date32Array::from_iter(sold_on))),
        ("paid", Arc::new(BooleanArray::from_iter((0..12).map(|row| paid[row % 4])))),
    ])
}

/// What is no Parquet file, or no longer one.
fn broken(folder: &Path) {
    let whole = folder.join("whole.parquet");
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
    write(&whole, &batch([("n", numbers)]), 5_000);
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(folder.join("truncated.parquet"), &bytes[..bytes.len() / 2]).unwrap();
    // The header of the second row group's first page.
    let file = SerializedFileReader::new(File::open(&whole).unwrap()).unwrap();
    let (start, _) = file.metadata().row_group(1).column(0).byte_range();
    let start = usize::try_from(start).unwrap();
    let mut torn = bytes;
    torn[start..start + 16].fill(0xff);
    std::fs::write(folder.join("torn.parquet"), torn).unwrap();
    std::fs::write(folder.join("csv.parquet"), "a,b\n1,2\n3,4\n").unwrap();
    std::fs::write(folder.join("nothing.parquet"), "").unwrap();
    std::fs::create_dir(folder.join("no-parquet")).unwrap();
    std::fs::write(folder.join("no-parquet/readme.txt"), "nothing here\n").unwrap();
    std::fs::create_dir(folder.join("one-broken")).unwrap();
    std::fs::copy(&whole, folder.join("one-broken/a.parquet")).unwrap();
    std::fs::copy(folder.join("truncated.parquet"), folder.join("one-broken/b.parquet")).unwrap();
}

/// Files without rows, and columns without values.
fn empty(folder: &Path) {
    let none = sales().slice(0, 0);
    write(&folder.join("no-row-groups.parquet"), &none, 5);
    empty_row_groups(&folder.join("empty-row-groups.parquet"));
    write(&folder.join("one-row-groups.parquet"), &sales(), 1);
    let nulls = |data_type| new_null_array(&data_type, 6);
    let all_null = batch([
        ("key", Arc::new(Int32Array::from(vec![1, 2, 1, 2, 1, 1]))),
        ("bool", nulls(DataType::Boolean)),
        ("int", nulls(DataType::Int64)),
        ("float", nulls(DataType::Float64)),
        ("decimal", nulls(DataType::Decimal128(9, 2))),
        ("text", nulls(DataType::Utf8)),
        ("date", nulls(DataType::Date32)),
        ("untyped", Arc::new(NullArray::new(6))),
    ]);
    write(&folder.join("all-null.parquet"), &all_null, 4);
}

/// Row groups of 0, 3, 0 and 2 rows.
fn empty_row_groups(path: &Path) {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
    let schema = ArrowSchemaConverter::new().convert(&schema).unwrap();
    let file = File::create(path).unwrap();
    let root = schema.root_schema_ptr();
    let mut writer = SerializedFileWriter::new(file, root, Arc::default()).unwrap();
    for values in [&[][..], &[1, 2, 3], &[], &[4, 5]] {
        let mut row_group = writer.next_row_group().unwrap();
        let mut column = row_group.next_column().unwrap().unwrap();
        let typed = column.typed::<parquet::data_type::Int64Type>();
        typed.write_batch(values, None, None).unwrap();
        column.close().unwrap();
        row_group.close().unwrap();
    }
    writer.close().unwrap();
}

/// Values at the limits of their types.
fn extreme(folder: &Path) {
    let floats = [
        f64::NAN,
        -0.0,
        0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1.5,
        -f64::NAN,
        5e-324,
        1e308,
        1e308,
    ];
    let key = ["a", "a", "a", "b", "b", "c", "c", "c", "d", "d", "e"];
    let mut floats = floats.map(Some).to_vec();
    floats.push(None);
    let floats = batch([
        ("key", Arc::new(StringArray::from(key.to_vec()))),
        ("x", Arc::new(Float64Array::from(floats))),
    ]);
    write(&folder.join("floats.parquet"), &floats, 4);

    let limits = [i64::MAX, i64::MIN, i64::MAX, 1, -1, 0];
    let limits = batch([
        ("key", Arc::new(Int32Array::from(vec![1, 1, 2, 2, 3, 3]))),
        ("n", Arc::new(Int64Array::from(limits.to_vec()))),
        ("u", Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1, 2, u64::MAX, 1]))),
        ("small", Arc::new(Int32Array::from(vec![i32::MAX, i32::MAX, i32::MIN, -1, 0, 1]))),
    ]);
    write(&folder.join("limits.parquet"), &limits, 2);

    let texts = (0..40).map(|row| format!("{row:02}{}", "é".repeat(100_000)));
    let long = batch([
        ("row", Arc::new(Int64Array::from_iter_values(0..40))),
        ("text", Arc::new(StringArray::from_iter_values(texts))),
    ]);
    write(&folder.join("long.parquet"), &long, 40);
}

/// Types beyond numbers and text.
fn typed(folder: &Path) {
    write(&folder.join("integers.parquet"), &integers(), 10);
    write(&folder.join("decimals.parquet"), &decimals(), 2);
    write(&folder.join("times.parquet"), &times(), 2);
    write(&folder.join("nested.parquet"), &nested(), 2);
    let odd = batch([
        ("group by", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("Größe", Arc::new(Int64Array::from(vec![3, 4]))),
        ("a.b", Arc::new(Int64Array::from(vec![5, 6]))),
        ("say \"hi\"", Arc::new(Int64Array::from(vec![7, 8]))),
        ("Case", Arc::new(Int64Array::from(vec![9, 10]))),
        ("case", Arc::new(Int64Array::from(vec![11, 12]))),
        ("Single", Arc::new(Int64Array::from(vec![13, 14]))),
    ]);
    write(&folder.join("odd-names.parquet"), &odd, 2);
    let text = [
        "plain",
        "with, comma",
        "with \"quotes\"",
        "two\nlines",
        "tab\there",
        "",
        "|pipe|",
        "<&>",
        "日本",
        "\\",
    ];
    let mut text = text.map(Some).to_vec();
    text.push(None);
    let odd = batch([
        ("n", Arc::new(Int64Array::from_iter_values(1..=11))),
        ("text", Arc::new(StringArray::from(text))),
    ]);
    write(&folder.join("odd-text.parquet"), &odd, 4);
}

fn integers() -> RecordBatch {
    batch([
        ("i8", Arc::new(Int8Array::from(vec![i8::MIN, 0, i8::MAX]))),
        ("i16", Arc::new(Int16Array::from(vec![i16::MIN, 0, i16::MAX]))),
        ("i32", Arc::new(Int32Array::from(vec![i32::MIN, 0, i32::MAX]))),
        ("i64", Arc::new(Int64Array::from(vec![i64::MIN, 0, i64::MAX]))),
        ("u8", Arc::new(UInt8Array::from(vec![0, 1, u8::MAX]))),
        ("u16", Arc::new(UInt16Array::from(vec![0, 1, u16::MAX]))),
        ("u32", Arc::new(UInt32Array::from(vec![0, 1, u32::MAX]))),
        ("u64", Arc::new(UInt64Array::from(vec![0, 1, u64::MAX]))),
        ("f32", Arc::new(Float32Array::from(vec![0.1, f32::MAX, f32::NAN]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("bytes", Arc::new(BinaryArray::from(vec![&b"ab"[..], b"", b"\x00\xff"]))),
    ])
}

fn decimals() -> RecordBatch {
    let money = [123_4500, -1, 99_999_999_999_999, 0, 1].map(Some);
    let mut money = money.to_vec();
    money.push(None);
    let wide = 99_999_999_999_999_999_999_999_999_999_999_999_999_i128;
    let wide = vec![Some(wide), Some(-wide), Some(1), Some(2), None, Some(wide)];
    let decimal = |values, precision, scale| {
        Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap()
    };
    batch([
        ("key", Arc::new(StringArray::from(vec!["a", "a", "b", "b", "c", "d"]))),
        ("money", Arc::new(decimal(money, 18, 4))),
        ("wide", Arc::new(decimal(wide, 38, 2))),
    ])
}

fn times() -> RecordBatch {
    // 2024-02-29 23:30, 2024-03-31 01:59:59.999999, 1969-12-31 23:59:59, NULL
    let micros =
        vec![Some(1_709_249_400_000_000), Some(1_711_850_399_999_999), Some(-1_000_000), None];
    let nanos = micros.iter().map(|value| value.map(|micros: i64| micros * 1_000 + 7));
    let nanos = TimestampNanosecondArray::from_iter(nanos);
    batch([
        ("stamp", Arc::new(TimestampMicrosecondArray::from(micros.clone()))),
        ("utc", Arc::new(TimestampMicrosecondArray::from(micros.clone()).with_timezone("UTC"))),
        (
            "berlin",
            Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("Europe/Berlin")),
        ),
        ("nanos", Arc::new(nanos)),
        ("day", Arc::new(Date32Array::from(vec![Some(19_782), Some(0), Some(-1), None]))),
        (
            "clock",
            Arc::new(Time64MicrosecondArray::from(vec![
                Some(0),
                Some(86_399_999_999),
                Some(3_600_000_000),
                None,
            ])),
        ),
    ])
}

fn nested() -> RecordBatch {
    let lists = vec![Some(vec![Some(1), Some(2)]), None, Some(vec![]), Some(vec![None])];
    let names: ArrayRef =
        Arc::new(StringArray::from(vec![Some("ann"), Some("bob"), None, Some("dee")]));
    let ages: ArrayRef = Arc::new(Int32Array::from(vec![Some(30), None, Some(7), Some(41)]));
    let person = StructArray::from(vec![
        (Arc::new(Field::new("name", DataType::Utf8, true)), names),
        (Arc::new(Field::new("age", DataType::Int32, true)), ages),
    ]);
    batch([
        ("id", Arc::new(Int64Array::from_iter_values(1..=4))),
        ("list", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists))),
        ("person", Arc::new(person)),
        ("tags", Arc::new(tags())),
    ])
}

/// Two entries, none, NULL, one without a value.
fn tags() -> MapArray {
    let mut tags = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    let rows = [Some(&[("a", Some(1)), ("b", Some(2))][..]), Some(&[]), None, Some(&[("a", None)])];
    for row in rows {
        for (key, value) in row.unwrap_or_default() {
            tags.keys().append_value(key);
            tags.values().append_option(*value);
        }
        tags.append(row.is_some()).unwrap();
    }
    tags.finish()
}

/// Folders of files whose schemas agree more or less.
fn several(folder: &Path) {
    let folder_of = |name: &str, files: &[RecordBatch]| {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        for (number, rows) in files.iter().enumerate() {
            write(&folder.join(format!("{}.parquet", number + 1)), rows, 2);
        }
    };
    let text = |values: &[&str]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let longs = |values: &[i64]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let ints = |values: &[i32]| Arc::new(Int32Array::from(values.to_vec())) as ArrayRef;
    let doubles = |values: &[f64]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    // Wider types, another order, a column that only some have.
    let widened = [
        batch([("id", ints(&[1, 2])), ("value", ints(&[10, 20])), ("name", text(&["a", "b"]))]),
        batch([
            ("name", text(&["c", "d"])),
            ("id", longs(&[3, 4_000_000_000])),
            ("value", doubles(&[0.5, 1.5])),
        ]),
        batch([
            ("id", ints(&[5])),
            ("value", ints(&[50])),
            ("name", text(&["e"])),
            ("extra", text(&["more"])),
        ]),
    ];
    folder_of("widened", &widened);
    let conflict = [
        batch([("id", longs(&[1])), ("when", longs(&[1]))]),
        batch([("id", longs(&[2])), ("when", text(&["2024"]))]),
    ];
    folder_of("conflict", &conflict);
    folder_of("case", &[batch([("Id", longs(&[1]))]), batch([("id", longs(&[2]))])]);
    let same = [0, 3, 6].map(|start| {
        batch([("n", longs(&[start, start + 1, start + 2])), ("k", text(&["x", "y", "x"]))])
    });
    folder_of("parts", &same);
    std::fs::create_dir(folder.join("parts/deeper")).unwrap();
    write(
        &folder.join("parts/deeper/4.parquet"),
        &batch([("n", longs(&[9])), ("k", text(&["z"]))]),
        2,
    );
    std::fs::write(folder.join("parts/_SUCCESS"), "").unwrap();
    std::fs::write(folder.join("parts/.hidden.parquet"), "not parquet").unwrap();
}

/// CSV files: one that has all that is allowed, and some that are at fault.
fn text(folder: &Path) {
    let csv = folder.join("csv");
    std::fs::create_dir_all(csv.join("parts")).unwrap();
    let files: [(&str, &[u8]); 13] = [
        (
            "stocks.csv",
            b"symbol,date,price,volume\nMSFT,2000-01-01,39.81,100\nAMZN,2000-01-01,64.56,\n\
              MSFT,2000-02-01,36.35,50\nIBM,2000-02-01,NaN,0\n\"\",2000-03-01,1,7\n",
        ),
        (
            "quoted.csv",
            b"\xef\xbb\xbfid,\"the \"\"text\"\"\"\r\n1,\"two\nlines, one field\"\r\n2,\"\"\r\n3,\r\n",
        ),
        ("places.tsv", b"code\tname\n01234\tHere\n99999\tThere, too\n"),
        ("semicolons.txt", b"# made by hand\n1;NA\n2;x\n"),
        ("late.csv", b"n,k\n1,a\n2,b\n2.5,c\n"),
        ("ragged.csv", b"a,b,c\n1,2,3\n\n4,5\n"),
        ("unclosed.csv", b"a,b\n1,\"x\n2,y\n"),
        ("latin1.csv", b"name,n\nJos\xe9,1\n"),
        ("empty.csv", b""),
        ("header.csv", b"a,b\n"),
        ("parts/1.csv", b"n,k\n1,a\n2,b\n"),
        ("parts/2.csv", b"k,n,extra\nc,2.5,true\n"),
        ("parts/3.tsv", b"k\tn\nd\t\n"),
    ];
    for (name, text) in files {
        std::fs::write(csv.join(name), text).unwrap();
    }
    packed(&csv.join("packed"));
}

/// Compressed CSV files: of two members, of one, and cut off.
fn packed(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let gzip = |text: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let members = [gzip(b"n,k\n1,\"a\n"), gzip(b"a\"\n2,b\n")].concat();
    std::fs::write(folder.join("1.csv.gz"), members).unwrap();
    let zstd = zstd::encode_all(&b"n\tk\n2.5\tc\n"[..], 1).unwrap();
    std::fs::write(folder.join("2.tsv.zst"), &zstd).unwrap();
    std::fs::write(folder.join("../cut.csv.zst"), &zstd[..zstd.len() - 3]).unwrap();
}

/// Arrow files: whole, as a stream, compressed, with a dictionary, and some that are at fault.
fn ipc(folder: &Path) {
    let ipc = folder.join("ipc");
    std::fs::create_dir_all(ipc.join("parts")).unwrap();
    let sales = sales();
    let halves = [sales.slice(0, 7), sales.slice(7, 5)];
    write_ipc(&ipc.join("sales.arrow"), &halves, None);
    write_ipc(&ipc.join("lz4.feather"), &halves, Some(CompressionType::LZ4_FRAME));
    write_ipc(&ipc.join("zstd.ipc"), &halves, Some(CompressionType::ZSTD));
    write_ipc(&ipc.join("parts/1.arrow"), &halves[..1], None);
    write_stream(&ipc.join("parts/2.arrows"), &halves[1..]);
    write_stream(&ipc.join("sales.arrows"), &halves);
    write_stream(&ipc.join("sales"), &halves);
    let coded: DictionaryArray<Int8Type> = ["b", "a", "b", "c"].into_iter().collect();
    let views =
        StringViewArray::from(vec![Some("a text of some length"), None, Some(""), Some("x")]);
    let half = cast(&Float64Array::from(vec![0.5, f64::NAN, -0.0, 2.0]), &DataType::Float16);
    let odd =
        batch([("coded", Arc::new(coded)), ("views", Arc::new(views)), ("half", half.unwrap())]);
    write_ipc(&ipc.join("odd.arrow"), &[odd], None);
    let union = UnionFields::try_new([0], [Field::new("n", DataType::Int32, true)]).unwrap();
    let values: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let union = UnionArray::try_new(union, vec![0].into(), None, vec![values]).unwrap();
    write_ipc(&ipc.join("union.arrow"), &[batch([("u", Arc::new(union))])], None);
    for name in ["sales.arrow", "sales.arrows"] {
        let bytes = std::fs::read(ipc.join(name)).unwrap();
        std::fs::write(ipc.join(format!("cut-{name}")), &bytes[..bytes.len() - 60]).unwrap();
    }
    std::fs::write(ipc.join("old.feather"), b"FEA1\0\0\0\0 of the first version FEA1").unwrap();
    std::fs::write(ipc.join("text.arrow"), "a,b\n1,2\n3,4\n").unwrap();
}

/// Writes batches as an Arrow file.
pub fn write_ipc(path: &Path, batches: &[RecordBatch], codec: Option<CompressionType>) {
    let options = IpcWriteOptions::default().try_with_compression(codec).unwrap();
    let file = File::create(path).unwrap();
    let mut writer = FileWriter::try_new_with_options(file, &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
}

/// Writes batches as an Arrow stream.
pub fn write_stream(path: &Path, batches: &[RecordBatch]) {
    let file = File::create(path).unwrap();
    let mut writer = StreamWriter::try_new(file, &batches[0].schema()).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
}

/// JSON files: lines, an array, nested, of types that widen, and some that are at fault.
fn json(folder: &Path) {
    let json = folder.join("json");
    std::fs::create_dir_all(json.join("parts")).unwrap();
    let files: [(&str, &str); 12] = [
        (
            "orders.ndjson",
            "{\"id\":1,\"customer\":{\"name\":\"ann\",\"vip\":true},\"items\":[{\"sku\":\"a\",\"n\":2},{\"sku\":\"b\",\"n\":1}],\"at\":\"2024-02-29 12:30:00\"}\n\
             {\"id\":2,\"customer\":{\"name\":\"bob\"},\"items\":[],\"at\":\"2024-03-01\",\"note\":\"\"}\n\n\
             {\"id\":3,\"customer\":null,\"items\":[{\"sku\":\"a\",\"n\":1}],\"at\":null,\"note\":\"caf\\u00e9, \\\"open\\\"\"}\n",
        ),
        ("array.json", "[\n  {\"id\": 1,\n   \"tags\": [\"x\"]},\n  {\"id\": 2.5}\n]\n"),
        (
            "late.jsonl",
            "{\"n\":1,\"k\":\"a\"}\n{\"n\":2,\"k\":7}\n{\"n\":9223372036854775808,\"k\":1.50}\n",
        ),
        ("bad.ndjson", "{\"a\":1}\n{\"a\":}\n{\"a\":3}\nplain text\n{\"a\":\"5\"}\n"),
        ("mixed.ndjson", "{\"a\":{\"b\":1}}\n{\"a\":{\"b\":[1]}}\n"),
        ("pretty.ndjson", "{\n  \"a\": 1\n}\n"),
        ("cut.json", "[{\"a\":1},{\"a\":2"),
        ("scalars.json", "[1, 2]"),
        ("empty.ndjson", "\n"),
        ("parts/1.ndjson", "{\"n\":1,\"k\":\"x\"}\n"),
        ("parts/2.json", "[{\"k\":\"y\",\"n\":2.5}]"),
        ("parts/3.jsonl", "{\"extra\":false}\n"),
    ];
    for (name, text) in files {
        std::fs::write(json.join(name), text).unwrap();
    }
    let zstd = zstd::encode_all(files[0].1.as_bytes(), 1).unwrap();
    std::fs::write(json.join("orders.ndjson.zst"), zstd).unwrap();
}

/// A dataset in folders that are named after values.
fn partitioned(folder: &Path) {
    let rows = [
        ("region=north/day=2024-01-01", 1),
        ("region=north/day=2024-01-02", 2),
        ("region=a%2Fb/day=2024-01-02", 3),
        ("region=__HIVE_DEFAULT_PARTITION__/day=2024-02-29", 4),
    ];
    for (name, id) in rows {
        let folder = folder.join("partitioned").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        // The day in the file is not the folder's: the folder's counts.
        let rows = batch([
            ("id", Arc::new(Int64Array::from(vec![id, id + 10]))),
            ("day", Arc::new(StringArray::from(vec!["?", "?"]))),
        ]);
        write(&folder.join("part-0.parquet"), &rows, 2);
    }
}
