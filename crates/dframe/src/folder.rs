//! Results into folders of files: which columns have folders of their own, how large a file becomes.
//!
//! Rows are sorted by those columns before they are written, out of core as any sort, so that one file is open at a
//! time, however many folders there are. The sort is stable: a partition's rows stay in order.

use dframe_expr::Expr;
use dframe_io::FolderOptions;

use crate::columns::{IntoColumn, asc, columns};
use crate::frame::LazyFrame;

/// How a folder of files is written, for [`LazyFrame::sink_folder`]. Without further words, one file after the other
/// would never be full: there is one.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    partition_by: Vec<Expr>,
    file_bytes: Option<u64>,
    overwrite: bool,
}

impl Folder {
    /// One file; a folder that is there is left alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// A folder `column=value` for each value, in one another for several columns, which the files do not have. Text
    /// names columns; other expressions need a name. NULL is `__HIVE_DEFAULT_PARTITION__`.
    pub fn partition_by(mut self, by: impl IntoIterator<Item = impl IntoColumn>) -> Self {
        self.partition_by = columns(by);
        self
    }

    /// Closes a file when it has about so many bytes, and begins the next one.
    pub fn file_bytes(mut self, bytes: u64) -> Self {
        self.file_bytes = Some(bytes);
        self
    }

    /// Replaces a folder that is there, once the new one is whole.
    pub fn overwrite(mut self) -> Self {
        self.overwrite = true;
        self
    }

    /// The rows in the order that the folder is written in: those of a partition together. Whoever writes batches on
    /// their own, by [`Folder::options`], writes those of this frame.
    pub fn arrange(&self, frame: LazyFrame) -> LazyFrame {
        if self.partition_by.is_empty() {
            return frame;
        }
        let made: Vec<Expr> =
            self.partition_by.iter().filter(|by| !matches!(by, Expr::Column(_))).cloned().collect();
        let frame = if made.is_empty() { frame } else { frame.with_columns(made) };
        frame.sort_by(self.partition_by.iter().map(|by| match by {
            Expr::Column(_) => asc(by.clone()),
            made => asc(made.output_name()),
        }))
    }

    /// What a sink is told of it.
    pub fn options(&self) -> FolderOptions {
        FolderOptions {
            partition_by: self.partition_by.iter().map(Expr::output_name).collect(),
            file_bytes: self.file_bytes,
            overwrite: self.overwrite,
        }
    }
}
