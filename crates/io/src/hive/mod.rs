//! Columns that the names of folders give (hive partitions): `sales/year=2024/region=north/a.parquet`.
//!
//! ```text
//!   paths --segments key=value--> one value per file and key --type of all--> columns
//! ```
//!
//! The files have them if all have the same keys in the same order. Values are whole numbers, dates or
//! timestamps if all of a key are, else text. A filter on such a column leaves out whole files: Parquet takes the
//! values for bounds of row groups, the others are wrapped in a source of their own.

mod source;

use std::path::{Component, Path};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int32Array, StringArray, UInt32Array, new_null_array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use dframe_core::Result;

pub(crate) use source::with_folder_columns;

use crate::text::{convert, moment};

/// What stands for NULL, also where folders are written.
pub(crate) const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// A column that has one value in a file.
#[derive(Clone, Debug)]
pub(crate) struct Constant {
    pub(crate) field: Field,
    /// One element.
    value: ArrayRef,
}

impl Constant {
    /// The value, so many times: as a dictionary if it is text.
    pub(crate) fn repeat(&self, rows: usize) -> Result<ArrayRef> {
        if self.value.is_null(0) {
            return Ok(new_null_array(self.field.data_type(), rows));
        }
        if *self.field.data_type() == DataType::Utf8 {
            let keys = Int32Array::from(vec![0; rows]);
            return Ok(Arc::new(DictionaryArray::try_new(keys, self.value.clone())?));
        }
        Ok(take(&self.value, &UInt32Array::from(vec![0; rows]), None)?)
    }

    /// The type of what [`Constant::repeat`] makes.
    pub(crate) fn physical_type(&self) -> DataType {
        match self.field.data_type() {
            DataType::Utf8 if self.value.is_valid(0) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            other => other.clone(),
        }
    }

    /// The value, as one element.
    pub(crate) fn value(&self) -> &ArrayRef {
        &self.value
    }
}

/// The columns of each file; of all the same, or none.
pub(crate) fn columns(names: &[&Path]) -> Result<Vec<Arc<[Constant]>>> {
    let pairs: Vec<Vec<(String, Option<String>)>> = names.iter().map(|name| pairs(name)).collect();
    let keys = |pairs: &[(String, Option<String>)]| -> Vec<String> {
        pairs.iter().map(|(key, _)| key.clone()).collect()
    };
    let first = pairs.first().map(|pairs| keys(pairs)).unwrap_or_default();
    if first.is_empty() || pairs.iter().any(|pairs| keys(pairs) != first) {
        return Ok(vec![Arc::from([]); names.len()]);
    }
    let mut columns: Vec<Vec<Constant>> = vec![Vec::new(); names.len()];
    for (index, key) in first.iter().enumerate() {
        let texts = pairs.iter().map(|pairs| pairs[index].1.as_deref());
        let values = typed(StringArray::from_iter(texts))?;
        let field = Field::new(key, values.data_type().clone(), true);
        for (row, columns) in columns.iter_mut().enumerate() {
            columns.push(Constant { field: field.clone(), value: values.slice(row, 1) });
        }
    }
    Ok(columns.into_iter().map(Arc::from).collect())
}

/// The columns of the files, and those that the names of folders give: these come last, or in the place
/// of a column of that name.
pub(crate) fn with_constants(schema: SchemaRef, constants: &[Constant]) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    for constant in constants {
        let field = Arc::new(constant.field.clone());
        match fields.iter_mut().find(|known| known.name() == field.name()) {
            Some(known) => *known = field,
            None => fields.push(field),
        }
    }
    Arc::new(Schema::new(fields))
}

/// The keys and values that a file's folders give, each key once: the innermost folder's.
fn pairs(path: &Path) -> Vec<(String, Option<String>)> {
    let folders = path.parent().into_iter().flat_map(Path::components);
    let mut pairs: Vec<(String, Option<String>)> = Vec::new();
    for folder in folders {
        let Component::Normal(name) = folder else { continue };
        let Some((key, value)) = name.to_str().and_then(|name| name.split_once('=')) else {
            continue;
        };
        if key.is_empty() {
            continue;
        }
        let key = unescaped(key);
        pairs.retain(|(known, _)| *known != key);
        pairs.push((key, (value != HIVE_NULL).then(|| unescaped(value))));
    }
    pairs
}

/// Percent signs and two hexadecimal digits stand for bytes that names of folders cannot have.
fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], digit(at + 1).zip(digit(at + 2))) {
            (b'%', Some((high, low))) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_string())
}

/// The values in the type that all of them are of.
fn typed(texts: StringArray) -> Result<ArrayRef> {
    let all = |is: &dyn Fn(&str) -> bool| texts.iter().flatten().all(is);
    let moment = |text: &str| moment::parse(text.as_bytes());
    let to = if texts.null_count() == texts.len() {
        DataType::Utf8
    } else if all(&|text| text.parse::<i64>().is_ok() && !text.starts_with('+')) {
        DataType::Int64
    } else if all(&|text| moment(text).is_some_and(|moment| moment.is_date)) {
        DataType::Date32
    } else if all(&|text| moment(text).is_some_and(|moment| !moment.is_zoned)) {
        DataType::Timestamp(TimeUnit::Microsecond, None)
    } else {
        DataType::Utf8
    };
    let texts: ArrayRef = Arc::new(texts);
    match to {
        DataType::Utf8 => Ok(texts),
        to => convert::texts(&texts, &to),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch};
    use arrow::util::display::array_value_to_string;
    use dframe_expr::{col, lit};
    use dframe_plan::{ScanRequest, Source};
    use parquet::arrow::ArrowWriter;

    use super::*;
    use crate::ParquetSource;

    fn shown(paths: &[&str]) -> Vec<String> {
        let paths: Vec<&Path> = paths.iter().map(Path::new).collect();
        let show = |constant: &Constant| {
            let value = array_value_to_string(&constant.value, 0).unwrap();
            format!("{} {} {value}", constant.field.name(), constant.field.data_type())
        };
        columns(&paths).unwrap().iter().flat_map(|file| file.iter().map(show)).collect()
    }

    #[test]
    fn folders_give_values_of_the_type_that_all_are_of() {
        assert_eq!(
            shown(&["d/y=2024/m=01/a", "d/y=1/m=x/b"]),
            ["y Int64 2024", "m Utf8 01", "y Int64 1", "m Utf8 x"]
        );
        assert_eq!(
            shown(&["d=2024-02-29/a", "d=__HIVE_DEFAULT_PARTITION__/b"]),
            ["d Date32 2024-02-29", "d Date32 "]
        );
        assert_eq!(shown(&["/t=a%20b%2Fc%/a"]), ["t Utf8 a b/c%"]);
        assert_eq!(shown(&["m=01/a", "m=12/a"]), ["m Int64 1", "m Int64 12"]);
        assert_eq!(shown(&["k=1/k=2/a=b.parquet"]), ["k Int64 2"]);
    }

    #[test]
    fn other_keys_are_none() {
        assert!(shown(&["x=1/a", "b"]).is_empty());
        assert!(shown(&["x=1/y=2/a", "y=2/x=1/b"]).is_empty());
        assert!(shown(&["a=b.parquet", "=1/c"]).is_empty());
    }

    #[test]
    fn filters_leave_out_files() {
        let folder = tempfile::tempdir().unwrap();
        for (day, id) in [("2024-01-01", 1_i64), ("2024-01-02", 2), ("2024-01-03", 3)] {
            let folder = folder.path().join(format!("day={day}"));
            std::fs::create_dir(&folder).unwrap();
            let ids: ArrayRef = Arc::new(Int64Array::from(vec![id]));
            let batch = RecordBatch::try_from_iter([("id", ids)]).unwrap();
            let file = std::fs::File::create(folder.join("a.parquet")).unwrap();
            let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        let source = ParquetSource::open(&[folder.path().display().to_string()]).unwrap();
        let source = Arc::new(source);
        let day = lit("2024-01-02").cast(DataType::Date32);
        let request = ScanRequest {
            projection: vec![1, 0],
            filters: vec![col("day").gt_eq(day)],
            tests: Vec::new(),
            limit: None,
            batch_rows: 100,
            unit_bytes: 1 << 20,
            partition_rows: 1,
            partition_share: 16,
        };
        let partitions = source.partitions(&request).unwrap();
        assert_eq!((partitions.row_groups, partitions.row_groups_pruned), (2, 1));
        let unit = &partitions.list[0].units[0];
        let fetched = source.fetch(unit, &request).unwrap();
        let batches: Vec<_> = source.clone().decode(unit, fetched, &request).unwrap().collect();
        let rows = &batches[0].as_ref().unwrap().rows;
        assert_eq!(array_value_to_string(rows.column(0), 0).unwrap(), "2024-01-02");
        assert_eq!(array_value_to_string(rows.column(1), 0).unwrap(), "2");
    }
}
