//! `dframe convert`: every format, compressed or not, from files, globs and standard input, is the same table.
//!
//! ```text
//!   typed.parquet --convert--> x.FORMAT[.gz|.zst] --file | glob | stdin--> convert -> csv = that of the origin
//! ```
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use dframe_tests::fixtures::{self, batch};

/// What the text of a format may hold and still be read as what it was: NULL and the empty text, texts that look
/// like others, NaN, infinities and -0.0, numbers at both ends, times with a zone.
fn table(has_nan: bool) -> RecordBatch {
    let texts = ["", "plain", "a,b\t\"c\"\nd", "NULL", "12", "caf\u{e9} \u{1f600}", " x ", "null"];
    let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e300, 0.1, -2.5, 3.0];
    let floats = floats.map(|x: f64| if has_nan || x.is_finite() { x } else { 7.25 });
    let numbers = [i64::MIN, i64::MAX, 0, -1, 1, 2, 3, 4];
    let nulls = |row: usize, at: usize| row % 9 == at;
    let rows = 0..64_usize;
    let of = |at: usize| rows.clone().map(move |row| (!nulls(row, at)).then_some(row % 8));
    let text = StringArray::from_iter(of(1).map(|row| row.map(|row| texts[row])));
    let float = Float64Array::from_iter(of(2).map(|row| row.map(|row| floats[row])));
    let number = Int64Array::from_iter(of(3).map(|row| row.map(|row| numbers[row])));
    let flag = BooleanArray::from_iter(of(4).map(|row| row.map(|row| row > 3)));
    let day = Date32Array::from_iter(of(5).map(|row| row.map(|row| row as i32 * 5000 - 9000)));
    let micros = |row: usize| row as i64 * 1_234_567_890_123 - 77_000_001;
    let time = TimestampMicrosecondArray::from_iter(of(6).map(|row| row.map(micros)));
    let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; rows.len()]));
    batch([
        ("id", Arc::new(Int64Array::from_iter_values(rows.clone().map(|row| row as i64)))),
        ("a \"text\"", Arc::new(text)),
        ("float", Arc::new(float)),
        ("number", Arc::new(number)),
        ("flag", Arc::new(flag)),
        ("day", Arc::new(day)),
        ("zoned", Arc::new(time.clone().with_timezone("UTC"))),
        ("time", Arc::new(time)),
        ("nothing", nothing),
    ])
}

fn dframe(args: &[&str], stdin: Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dframe"));
    command.args(args).stdin(stdin).output().unwrap()
}

/// What the command prints.
fn printed(args: &[&str], stdin: Stdio) -> String {
    let output = dframe(args, stdin);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The rows and the types of files.
fn contents(path: &str, format: &str) -> (String, String) {
    let format = ["--input-format", format];
    let rows = printed(&[&["convert", path, "-f", "csv"], &format[..]].concat(), Stdio::null());
    let types = printed(&[&["schema", path, "-f", "csv"], &format[..]].concat(), Stdio::null());
    (rows, types)
}

fn piped(path: &Path, format: &str) -> (String, String) {
    let open = || Stdio::from(File::open(path).unwrap());
    let format = ["--input-format", format];
    let rows = printed(&[&["convert", "-", "-f", "csv"], &format[..]].concat(), open());
    let types = printed(&[&["schema", "-", "-f", "csv"], &format[..]].concat(), open());
    (rows, types)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The file, as it is and compressed.
fn compressed(path: &Path) -> Vec<PathBuf> {
    let bytes = std::fs::read(path).unwrap();
    let named = |end: &str| PathBuf::from(format!("{}.{end}", path.display()));
    std::fs::write(named("gz"), gzip(&bytes)).unwrap();
    std::fs::write(named("zst"), zstd::encode_all(&bytes[..], 1).unwrap()).unwrap();
    vec![path.to_path_buf(), named("gz"), named("zst")]
}

/// The table, written compressed by name, in all the ways there are.
fn written_compressed(origin: &Path, to: &Path) -> Vec<PathBuf> {
    let written = ["gz", "zst", "bz2", "xz"].map(|end| {
        let folder = to.parent().unwrap().join(end);
        std::fs::create_dir_all(&folder).unwrap();
        let name = format!("{}.{end}", to.file_name().unwrap().display());
        let path = folder.join(name);
        printed(&["convert", text(origin), "-o", text(&path)], Stdio::null());
        assert_ne!(std::fs::read(&path).unwrap(), std::fs::read(to).unwrap());
        path
    });
    written.to_vec()
}

/// Every format: its extension, how it is named as input, the ways to compress it.
const BINARY: [(&str, &str, &[&str]); 3] = [
    ("parquet", "parquet", &["none", "lz4", "zstd"]),
    ("arrow", "arrow", &["none", "lz4", "zstd"]),
    ("arrows", "arrow", &["none", "lz4", "zstd"]),
];
const TEXT: [(&str, &str); 5] =
    [("csv", "csv"), ("tsv", "csv"), ("ndjson", "ndjson"), ("jsonl", "json"), ("json", "json")];

#[test]
fn every_format_and_compression_is_the_same_table_from_file_glob_and_stdin() {
    let folder = tempfile::tempdir().unwrap();
    let origin = |has_nan: bool| {
        let name = if has_nan { "all.parquet" } else { "finite.parquet" };
        let path = folder.path().join(name);
        fixtures::write(&path, &table(has_nan), 10);
        let expected = contents(text(&path), "parquet");
        (path, expected)
    };
    let (all, finite) = (origin(true), origin(false));
    for (extension, format, codecs) in BINARY {
        for codec in codecs {
            let (path, expected) = &all;
            let to = folder.path().join(format!("{codec}.{extension}"));
            printed(&["convert", text(path), text(&to), "--compression", codec], Stdio::null());
            check(&[to], format, expected, extension);
        }
    }
    for (extension, format) in TEXT {
        let (path, expected) = if format == "csv" { &all } else { &finite };
        let to = folder.path().join(format!("text.{extension}"));
        printed(&["convert", text(path), "-o", text(&to)], Stdio::null());
        for file in [compressed(&to), written_compressed(path, &to)].concat() {
            // Tabs are told by a name, which standard input has not.
            check(&[file], if extension == "tsv" { "tsv" } else { format }, expected, extension);
        }
    }
}

fn check(files: &[PathBuf], format: &str, expected: &(String, String), way: &str) {
    let input = if format == "tsv" { "csv" } else { format };
    for file in files {
        assert_eq!(contents(text(file), input), *expected, "{way} {}", file.display());
        let glob = format!(
            "{}[{}]",
            &text(file)[..text(file).len() - 1],
            &text(file)[text(file).len() - 1..]
        );
        assert_eq!(contents(&glob, input), *expected, "{way} glob {}", file.display());
        if format != "tsv" {
            assert_eq!(piped(file, input), *expected, "{way} stdin {}", file.display());
        }
    }
}

#[test]
fn types_survive_a_journey_through_all_formats_of_columns() {
    let folder = tempfile::tempdir().unwrap();
    fixtures::write_all(folder.path());
    let in_folder = |name: &str| folder.path().join(name);
    for name in ["times", "decimals", "integers", "nested", "floats", "sales", "all-null"] {
        let origin = in_folder(&format!("{name}.parquet"));
        let expected = contents(text(&origin), "parquet");
        let stops = ["1.arrow", "2.parquet", "3.arrows", "4.feather", "5.parquet"];
        let mut from = origin;
        for stop in stops {
            let to = in_folder(&format!("{name}-{stop}"));
            printed(&["convert", text(&from), text(&to)], Stdio::null());
            from = to;
        }
        assert_eq!(contents(text(&from), "parquet"), expected, "{name}");
    }
}

#[test]
fn a_pipe_of_commands_is_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    fixtures::write(&path, &table(true), 10);
    let expected = contents(text(&path), "parquet").0;
    for format in ["arrow", "arrow-stream", "parquet"] {
        let mut first = Command::new(env!("CARGO_BIN_EXE_dframe"))
            .args(["convert", text(&path), "-f", format])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = first.stdout.take().unwrap();
        assert_eq!(printed(&["convert", "-", "-f", "csv"], out.into()), expected, "{format}");
        assert!(first.wait().unwrap().success());
    }
}

#[test]
fn what_json_has_no_number_for_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    fixtures::write(&path, &table(true), 10);
    let output = dframe(&["convert", text(&path), "-f", "ndjson"], Stdio::null());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("values are null in the result: NaN or infinite"), "{message}");
}

#[test]
fn the_second_file_is_the_output_unless_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    fixtures::write(&path, &table(true), 10);
    let other = folder.path().join("b.parquet");
    std::fs::write(&other, "precious").unwrap();
    let output = dframe(&["convert", text(&path), text(&other)], Stdio::null());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("exists"), "{message}");
    assert_eq!(std::fs::read(&other).unwrap(), b"precious");
    printed(&["convert", text(&path), "-o", text(&other)], Stdio::null());
    assert_eq!(contents(text(&other), "parquet"), contents(text(&path), "parquet"));
}

#[test]
fn text_is_compressed_as_the_name_or_the_flag_says() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let origin = at("origin.parquet");
    fixtures::write(Path::new(&origin), &table(true), 10);
    let plain = printed(&["convert", &origin, "-", "-f", "csv"], Stdio::null());
    let head = |name: &str| std::fs::read(at(name)).unwrap()[..2].to_vec();
    printed(&["convert", &origin, &at("a.csv.gz"), "--compression", "none"], Stdio::null());
    assert_eq!(std::fs::read_to_string(at("a.csv.gz")).unwrap(), plain);
    printed(&["convert", &origin, &at("b.csv"), "--compression", "gzip"], Stdio::null());
    assert_eq!(head("b.csv"), [0x1f, 0x8b]);
    let zstd = dframe(&["convert", &origin, "-", "--compression", "zstd"], Stdio::null());
    assert_eq!(zstd::decode_all(&zstd.stdout[..]).unwrap(), plain.as_bytes());
    // Members one after the other are one text.
    let twice = [std::fs::read(at("b.csv")).unwrap(), gzip(b"64,,,,,,,,\n")].concat();
    std::fs::write(at("twice.csv.gz"), twice).unwrap();
    assert_eq!(printed(&["count", &at("twice.csv.gz")], Stdio::null()), "65\n");
    for (name, codec) in [("c.csv", "lz4"), ("c.arrow", "gzip"), ("c.parquet", "xz")] {
        let output =
            dframe(&["convert", &origin, &at(name), "--compression", codec], Stdio::null());
        assert_eq!(output.status.code(), Some(1), "{name} {codec}");
        assert!(!Path::new(&at(name)).exists());
    }
    let whole = dframe(&["convert", &origin, &at("c.parquet.gz")], Stdio::null());
    let told = String::from_utf8_lossy(&whole.stderr).into_owned();
    assert!(told.contains("parquet files are not compressed as a whole"), "{told}");
}

#[test]
fn a_folder_of_compressed_text_is_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let origin = at("origin.parquet");
    fixtures::write(Path::new(&origin), &table(true), 10);
    let expected = printed(&["convert", &origin, "-", "-f", "csv"], Stdio::null());
    for name in ["a.csv.gz", "a.tsv.zst", "a.csv.bz2", "a.csv.xz"] {
        printed(&["convert", &origin, "-o", &at(name), "--file-size", "1kB"], Stdio::null());
        let end = &name[1..];
        let files = std::fs::read_dir(at(name)).unwrap();
        assert!(files.into_iter().all(|file| text(&file.unwrap().path()).ends_with(end)));
        let read = printed(&["convert", &at(name), "-", "-f", "csv"], Stdio::null());
        assert_eq!(read, expected, "{name}");
    }
}
