//! The flags that make the output a folder of files.

use clap::Args;
use dframe::prelude::Folder;
use dframe::sql::parse_columns;
use dframe::{Error, Format, Result};

use crate::args::{bytes, some_text};
use crate::query::joined;

/// How a folder of files is written.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct FolderArgs {
    /// Write a folder, with a folder column=value for each value of these columns, or expressions with a name
    #[arg(long = "partition-by", value_name = "COLS", allow_hyphen_values = true, value_parser = some_text)]
    pub folders_by: Vec<String>,
    /// Write a folder of files of about this size each, such as 128MB
    #[arg(long, value_name = "SIZE", value_parser = file_size)]
    pub file_size: Option<u64>,
    /// Replace the folder if it is there, when all is written
    #[arg(long)]
    pub overwrite: bool,
}

impl FolderArgs {
    /// Whether the output is a folder.
    pub fn is_asked(&self) -> bool {
        !self.folders_by.is_empty() || self.file_size.is_some()
    }

    /// The columns that have folders, as they were written.
    pub fn text(&self) -> Option<String> {
        joined(&self.folders_by)
    }

    /// The folder, if the output is one.
    ///
    /// # Errors
    /// Columns that are none.
    pub fn folder(&self) -> Result<Option<Folder>> {
        if !self.is_asked() {
            return Ok(None);
        }
        let columns = self.text().map_or(Ok(vec![]), |text| parse_columns(&text))?;
        let mut folder = Folder::new().partition_by(columns);
        if let Some(bytes) = self.file_size {
            folder = folder.file_bytes(bytes);
        }
        Ok(Some(if self.overwrite { folder.overwrite() } else { folder }))
    }

    /// Checks that files of this format can be in a folder.
    ///
    /// # Errors
    /// They are for people.
    pub fn check(format: Format) -> Result<()> {
        match format {
            Format::Table | Format::Markdown => {
                Err(Error::invalid_input(format!("a folder has no files of the format {format}"))
                    .remedy("choose one that can be read again, such as parquet or csv"))
            }
            _ => Ok(()),
        }
    }
}

/// A size of files.
fn file_size(text: &str) -> Result<u64> {
    match bytes(text)? {
        0 => {
            Err(Error::invalid_input("a file has some bytes").remedy("write a size such as 128MB"))
        }
        bytes => Ok(bytes),
    }
}
