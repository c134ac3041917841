//! What the row groups of the files look like, for `dframe meta --row-groups`.

use std::path::PathBuf;

use dframe_core::Result;

use super::ParquetSource;

/// A row group, as its file's footer describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct RowGroupMeta {
    /// The file it is in.
    pub path: PathBuf,
    /// Its position in the file, from 0.
    pub index: usize,
    /// The number of rows.
    pub rows: u64,
    /// The bytes in the file.
    pub compressed_bytes: u64,
    /// The bytes once decompressed.
    pub uncompressed_bytes: u64,
}

impl ParquetSource {
    /// Describes each row group of each file, from the footers.
    ///
    /// # Errors
    /// A footer that is no longer kept cannot be read again.
    pub fn describe_row_groups(&self) -> Result<Vec<RowGroupMeta>> {
        let mut described = Vec::new();
        for file in &self.files {
            for (index, row_group) in file.metadata()?.row_groups().iter().enumerate() {
                let columns = row_group.columns().iter();
                described.push(RowGroupMeta {
                    path: file.path.clone(),
                    index,
                    rows: unsigned(row_group.num_rows()),
                    compressed_bytes: columns.map(|c| unsigned(c.compressed_size())).sum(),
                    uncompressed_bytes: unsigned(row_group.total_byte_size()),
                });
            }
        }
        Ok(described)
    }
}

/// Sizes in footers are signed; a negative one is nonsense.
fn unsigned(size: i64) -> u64 {
    u64::try_from(size).unwrap_or(0)
}
