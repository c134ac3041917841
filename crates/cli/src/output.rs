//! Where the result goes, and in which format.
//!
//! ```text
//!   -f FORMAT, else the extension of -o, else the setting `format`, else table on a terminal, else csv
//!   -o FILE (or a device), else standard output; `-` is standard output too; -o DIR with the flags of a folder
//! ```
//!
//! A reader that goes away (`dframe ... | head`) ends the run, and is no error.

use std::fs::File;
use std::io::{IsTerminal, Write, stdout};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe::io::{
    FolderOptions, Format, SinkOptions, SinkReport, TableOptions, Target, WholeFile, create_sink,
    is_broken_pipe,
};
use dframe::{Error, ErrorKind, Result};

use crate::args::OutputArgs;
use crate::folder::FolderArgs;
use crate::progress::RunProgress;

/// Where, and as what.
#[derive(Clone, Debug)]
pub struct Output {
    /// As what.
    pub format: Format,
    /// The file, or standard output.
    path: Option<PathBuf>,
    /// Whether somebody reads it on a terminal.
    terminal: bool,
    /// How the folder is written, if it is one.
    folder: Option<FolderOptions>,
}

impl Output {
    /// Text on standard output.
    pub fn text() -> Self {
        Self { format: Format::Table, path: None, terminal: false, folder: None }
    }
}

impl OutputArgs {
    /// What the flags mean here.
    ///
    /// # Errors
    /// The format cannot be told from the file's name, or is none for terminals.
    pub fn resolve(&self) -> Result<Output> {
        let output = self.unchecked(stdout().is_terminal());
        let Some(format) = output.0 else {
            let path = output.1.unwrap_or_default();
            if path.is_dir() {
                return Err(Error::invalid_input("the output is a directory")
                    .file(path)
                    .remedy("name a file in it, or say --file-size for a folder of files"));
            }
            let message = format!("the format of '{}' is unknown", path.display());
            return Err(Error::invalid_input(message).remedy(
                "give the file a known extension, such as .csv, or name the format with -f",
            ));
        };
        let folder = self.folder.folder()?.map(|folder| folder.options());
        let output = Output { format, path: output.1, terminal: output.2, folder };
        output.check_folder()?;
        if output.terminal && format.is_binary() {
            return Err(Error::invalid_input(format!("{format} is not for terminals"))
                .remedy("name a file with -o, or redirect standard output"));
        }
        Ok(output)
    }

    /// What is explained goes there too, whatever its name.
    pub fn for_text(&self) -> Output {
        let (_, path, terminal) = self.unchecked(stdout().is_terminal());
        Output { format: Format::Table, path, terminal, folder: None }
    }

    /// Whether neither file nor format was named.
    pub fn is_default(&self) -> bool {
        self.output.is_none() && self.format.is_none() && self.usual_format.is_none()
    }

    fn unchecked(&self, stdout_is_terminal: bool) -> (Option<Format>, Option<PathBuf>, bool) {
        let path = self.output.clone().filter(|path| path.as_os_str() != "-");
        let terminal = path.is_none() && stdout_is_terminal;
        let usual = match &path {
            // A chart is text of its own.
            _ if self.plot.is_some() => Some(Format::Table),
            Some(path) if self.folder.is_asked() => {
                Some(Format::from_extension(path).unwrap_or(Format::Parquet))
            }
            Some(path) => Format::from_extension(path),
            None if self.usual_format.is_some() => self.usual_format,
            None if terminal => Some(Format::Table),
            None => Some(Format::Csv),
        };
        (self.format.or(usual), path, terminal)
    }
}

impl Output {
    /// The file, unless it is standard output.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The letters in a line, if it is a terminal's.
    pub fn width(&self) -> Option<usize> {
        let width = terminal_size::terminal_size_of(stdout()).map(|(width, _)| width.0.into());
        width.filter(|_| self.terminal)
    }

    fn check_folder(&self) -> Result<()> {
        match (&self.folder, &self.path) {
            (None, _) => Ok(()),
            (Some(_), Some(_)) => FolderArgs::check(self.format),
            (Some(_), None) => Err(Error::invalid_input("standard output is no folder")
                .remedy("name the folder with -o, or leave out --partition-by and --file-size")),
        }
    }

    /// Writes all batches; `None` if the reader went away.
    ///
    /// # Errors
    /// Those of the batches, and of writing.
    pub fn write(
        &self,
        schema: SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch>>,
        progress: Option<&Arc<RunProgress>>,
        options: SinkOptions,
    ) -> Result<Option<SinkReport>> {
        let mut batches = batches.peekable();
        // A query that fails before its first row prints no header. A file shows nothing before its
        // end, and is made first: whether it can be is better known before the query has run.
        if self.path.is_none()
            && let Some(Err(error)) = batches.next_if(Result::is_err)
        {
            return Err(error);
        }
        match self.write_all(schema, &mut batches, progress, options) {
            Err(error) if is_broken_pipe(&error) => Ok(None),
            other => other.map(Some),
        }
    }

    fn write_all(
        &self,
        schema: SchemaRef,
        batches: &mut dyn Iterator<Item = Result<RecordBatch>>,
        progress: Option<&Arc<RunProgress>>,
        options: SinkOptions,
    ) -> Result<SinkReport> {
        let target = self.target(progress)?;
        let options = SinkOptions { table: self.table_options(), ..options };
        let mut sink = create_sink(target, self.format, schema, &options)?;
        for batch in batches {
            sink.write(&batch?).map_err(|error| self.named(error))?;
        }
        sink.finish().map_err(|error| self.named(error))
    }

    /// The error of a sink, with the name of what could not be written.
    fn named(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Io | ErrorKind::OutOfDisk => {
                error.file(self.path().unwrap_or(Path::new("standard output")))
            }
            _ => error,
        }
    }

    /// Writes text as it is; a file only as a whole.
    ///
    /// # Errors
    /// Writing fails; not if the reader went away.
    pub fn write_text(&self, text: &str) -> Result<()> {
        let written = match &self.path {
            Some(path) => WholeFile::create(path)
                .and_then(|file| file.finish(text))
                .map_err(|error| Error::io("cannot write the file", error).file(path)),
            None => raw_stdout().and_then(|mut out| {
                out.write_all(text.as_bytes())
                    .map_err(|error| self.named(Error::io("cannot write", error)))
            }),
        };
        match written {
            Err(error) if is_broken_pipe(&error) => Ok(()),
            other => other,
        }
    }

    fn target(&self, progress: Option<&Arc<RunProgress>>) -> Result<Target> {
        if let Some(path) = &self.path {
            return Ok(match &self.folder {
                Some(folder) => Target::Folder(path.clone(), folder.clone()),
                None => Target::File(path.clone()),
            });
        }
        let out = raw_stdout()?;
        Ok(Target::Stdout(match progress.filter(|_| self.terminal) {
            Some(progress) => Box::new(AfterProgress { out, progress: progress.clone() }),
            None => Box::new(out),
        }))
    }

    fn table_options(&self) -> TableOptions {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        TableOptions {
            width: self.width().and_then(|width| width.try_into().ok()),
            styled: self.terminal && !plain,
            ..TableOptions::default()
        }
    }
}

/// Standard output without a buffer of its own: sinks have theirs.
fn raw_stdout() -> Result<File> {
    let owned = stdout().as_fd().try_clone_to_owned();
    owned.map(File::from).map_err(|error| Error::io("cannot write to standard output", error))
}

/// Erases the progress line before rows appear on the same terminal.
struct AfterProgress {
    out: File,
    progress: Arc<RunProgress>,
}

impl Write for AfterProgress {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.progress.finish();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(output: Option<&str>, format: Option<Format>) -> OutputArgs {
        let (output, folder) = (output.map(PathBuf::from), FolderArgs::default());
        OutputArgs { output, format, plot: None, usual_format: None, folder }
    }

    fn format(output: Option<&str>, format: Option<Format>, terminal: bool) -> Option<Format> {
        args(output, format).unchecked(terminal).0
    }

    #[test]
    fn the_format_is_named_or_told_by_the_name_or_usual() {
        assert_eq!(format(Some("a.csv"), Some(Format::Json), true), Some(Format::Json));
        assert_eq!(format(Some("a.parquet"), None, true), Some(Format::Parquet));
        assert_eq!(format(Some("a.xyz"), None, true), None);
        assert_eq!(format(Some("-"), None, true), Some(Format::Table));
        assert_eq!(format(None, None, true), Some(Format::Table));
        assert_eq!(format(None, None, false), Some(Format::Csv));
    }

    #[test]
    fn an_unknown_extension_is_refused_with_the_remedy() {
        let error = args(Some("a.xyz"), None).resolve().unwrap_err();
        assert_eq!(error.message(), "the format of 'a.xyz' is unknown");
        assert!(error.remedy_text().is_some_and(|remedy| remedy.contains("-f")));
    }
}
