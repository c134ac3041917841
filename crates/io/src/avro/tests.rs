//! Avro files of many blocks, read in every way.

use arrow::array::{Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow_avro::compression::CompressionCodec;
use arrow_avro::writer::{AvroWriter, WriterBuilder};

use super::*;

fn batch(rows: std::ops::Range<i64>) -> RecordBatch {
    let texts = rows.clone().map(|row| (row % 3 > 0).then(|| format!("text {row}")));
    let texts: ArrayRef = Arc::new(texts.collect::<StringArray>());
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
    RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("text", texts, true)]).unwrap()
}

fn file(codec: Option<CompressionCodec>) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.avro");
    let all = batch(0..100_000);
    let file = std::fs::File::create(&path).unwrap();
    let builder = WriterBuilder::new(all.schema().as_ref().clone()).with_compression(codec);
    let mut writer: AvroWriter<_> = builder.build(file).unwrap();
    for start in (0..100_000).step_by(5_000) {
        writer.write(&all.slice(start, 5_000)).unwrap();
    }
    writer.finish().unwrap();
    (folder, path.display().to_string())
}

fn request(projection: Vec<usize>, limit: Option<u64>) -> ScanRequest {
    ScanRequest {
        projection,
        filters: Vec::new(),
        tests: Vec::new(),
        limit,
        batch_rows: 3_000,
        unit_bytes: 1 << 20,
        partition_rows: 1,
        partition_share: 16,
    }
}

fn read(source: &Arc<AvroSource>, request: &ScanRequest) -> RecordBatch {
    let schema = Arc::new(source.schema().project(&request.projection).unwrap());
    let mut batches = Vec::new();
    for partition in source.partitions(request).unwrap().list {
        for unit in &partition.units {
            let fetched = source.fetch(unit, request).unwrap();
            let decoded = source.clone().decode(unit, fetched, request).unwrap();
            batches.extend(decoded.map(|batch| batch.unwrap().rows));
        }
    }
    concat_batches(&schema, &batches).unwrap()
}

#[test]
fn blocks_are_units() {
    for codec in [None, Some(CompressionCodec::Snappy), Some(CompressionCodec::ZStandard)] {
        let (_folder, path) = file(codec);
        let source = Arc::new(AvroSource::open(&[path]).unwrap());
        assert_eq!(source.statistics().rows, Some(100_000));
        assert!(source.partitions(&request(vec![0], None)).unwrap().list.len() > 2);
        let all = batch(0..100_000);
        let rows = read(&source, &request(vec![1, 0], None));
        assert_eq!((rows.column(0), rows.column(1)), (all.column(1), all.column(0)));
        assert_eq!(read(&source, &request(vec![], None)).num_rows(), 100_000);
        let few = read(&source, &request(vec![0], Some(41_234)));
        assert_eq!(few.column(0), &all.column(0).slice(0, 41_234));
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let (folder, path) = file(Some(CompressionCodec::Snappy));
    let bytes = std::fs::read(&path).unwrap();
    let cut = folder.path().join("cut.avro");
    std::fs::write(&cut, &bytes[..bytes.len() - 100]).unwrap();
    let error = AvroSource::open(&[cut.display().to_string()]).unwrap_err();
    assert_eq!(error.message(), "the Avro file is corrupt: it ends within a block");
    std::fs::write(&cut, "no Avro").unwrap();
    let error = AvroSource::open(&[cut.display().to_string()]).unwrap_err();
    assert_eq!(error.message(), "the file is not an Avro file: it does not begin as one");
    let mut bad = bytes;
    let middle = bad.len() / 2;
    bad[middle..middle + 2000].fill(0xaa);
    std::fs::write(&cut, &bad).unwrap();
    let request = request(vec![0, 1], None);
    let failed = AvroSource::open(&[cut.display().to_string()]).map(Arc::new).and_then(|source| {
        for unit in source.partitions(&request)?.list.iter().flat_map(|part| &part.units) {
            let fetched = source.fetch(unit, &request)?;
            for batch in source.clone().decode(unit, fetched, &request)? {
                batch?;
            }
        }
        Ok(())
    });
    assert!(failed.unwrap_err().message().starts_with("the Avro file is corrupt"));
}
