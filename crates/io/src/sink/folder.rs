//! A folder of files: one after the other, each as large as wanted, in folders of their own by columns.
//!
//! ```text
//!   rows, those of a partition together --stretches--> name=value/part-000000.csv, part-000001.csv, ...
//! ```
//!
//! One file is open at a time, whatever the number of partitions: whoever writes brings the rows of a partition
//! together. Rows of a partition that come back later go to a further file of its folder. The folder is one of a disk,
//! or a prefix of a store.

use std::fs;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use dframe_core::{Budget, Error, Result};
use dframe_expr::resolve_name;

use super::folder_name::Partitioner;
use super::object::{self, Ending};
use super::output::Output;
use super::packed::Packing;
use super::pending::{PendingFolder, failed};
use super::pending_objects::{PendingObjects, is_in_store};
use super::{Format, Sink, SinkOptions, SinkReport, create_file_sink};

/// Rows that are written before the size of a file is looked at again, at least.
const STEP_ROWS: usize = 1024;

/// How a folder of files is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderOptions {
    /// The columns that rows are partitioned by: folders have their values for names, files do not have them.
    pub partition_by: Vec<String>,
    /// The bytes after which a file is closed and the next one begun.
    pub file_bytes: Option<u64>,
    /// Whether a folder that is there, and not empty, is replaced. It stays as it is until the new one is whole.
    pub overwrite: bool,
}

/// Writes a folder.
pub(super) struct FolderSink {
    place: Place,
    files: Files,
    schema: SchemaRef,
    partitioner: Partitioner,
    /// The columns that files have.
    kept: Vec<usize>,
    file_bytes: u64,
    /// The folder of the partition in work, relative to the whole, and the number of its next file.
    folder: String,
    part: usize,
    open: Option<OpenFile>,
    /// The rows to write before the size is looked at.
    step_rows: usize,
    report: SinkReport,
}

/// Where the files are until they are in their place.
enum Place {
    Disk(PendingFolder),
    Store(PendingObjects),
}

/// What all files have in common.
struct Files {
    format: Format,
    packing: Packing,
    schema: SchemaRef,
    options: SinkOptions,
}

/// The file in work.
struct OpenFile {
    sink: Box<dyn Sink>,
    rows: u64,
}

impl FolderSink {
    pub(super) fn new(
        path: &Path,
        format: Format,
        schema: SchemaRef,
        options: &SinkOptions,
        folder: &FolderOptions,
    ) -> Result<Self> {
        if format == Format::Sqlite {
            return Err(Error::unsupported("a folder has no files of the format sqlite")
                .remedy("choose another format with -f, such as parquet"));
        }
        let by = folder.partition_by.iter().map(|name| resolve_name(&schema, name));
        let by = by.collect::<Result<Vec<usize>>>()?;
        let kept: Vec<usize> = (0..schema.fields().len()).filter(|i| !by.contains(i)).collect();
        if kept.is_empty() && !by.is_empty() {
            return Err(Error::invalid_input("no column is left for the files")
                .remedy("partition by fewer columns than there are"));
        }
        let partitioner = Partitioner::new(&schema, by)?;
        let inner = schema.project(&kept)?.into();
        let packing = Packing::choose(format, Some(path), options.compression)?;
        Ok(Self {
            place: Place::create(path, folder.overwrite, options)?,
            files: Files { format, packing, schema: inner, options: options.clone() },
            schema,
            partitioner,
            kept,
            file_bytes: folder.file_bytes.unwrap_or(u64::MAX),
            folder: String::new(),
            part: 0,
            open: None,
            step_rows: STEP_ROWS,
            report: SinkReport::default(),
        })
    }

    /// Goes on with another partition, unless it is the one in work.
    fn enter(&mut self, folder: String) -> Result<()> {
        if self.folder == folder {
            return Ok(());
        }
        self.close()?;
        self.part = self.place.enter(&folder)?;
        self.folder = folder;
        Ok(())
    }

    /// Writes rows of the partition in work.
    fn append(&mut self, rows: &RecordBatch) -> Result<()> {
        let mut done = 0;
        while done < rows.num_rows() {
            let step = match self.file_bytes {
                u64::MAX => rows.num_rows(),
                _ => self.step_rows.min(rows.num_rows() - done),
            };
            let mut file = match self.open.take() {
                Some(file) => file,
                None => self.begin()?,
            };
            file.sink.write(&rows.slice(done, step))?;
            file.rows += step as u64;
            done += step;
            let full = match self.file_bytes {
                u64::MAX => false,
                file_bytes => {
                    file.sink.settle()?;
                    self.step_rows = step_rows(&file, file_bytes);
                    file.sink.bytes() >= file_bytes
                }
            };
            self.open = Some(file);
            if full {
                self.close()?;
            }
        }
        Ok(())
    }

    /// Begins the next file of the partition in work.
    fn begin(&mut self) -> Result<OpenFile> {
        let (extension, packed) = (self.files.format.extension(), self.files.packing.extension());
        let name = format!("part-{:06}.{extension}{packed}", self.part);
        self.part += 1;
        let sink = self.place.begin(&Path::new(&self.folder).join(name), &self.files)?;
        Ok(OpenFile { sink, rows: 0 })
    }

    /// Finishes the file in work.
    fn close(&mut self) -> Result<()> {
        let Some(file) = self.open.take() else { return Ok(()) };
        let SinkReport { rows, bytes, not_numbers, .. } = file.sink.finish()?;
        self.report.rows += rows;
        self.report.bytes += bytes;
        self.report.not_numbers += not_numbers;
        self.report.files += 1;
        Ok(())
    }
}

impl Place {
    fn create(path: &Path, overwrite: bool, options: &SinkOptions) -> Result<Self> {
        if !is_in_store(path) {
            return Ok(Self::Disk(PendingFolder::create(path, overwrite)?));
        }
        let budget = options.budget.clone().unwrap_or_else(Budget::unlimited);
        let stores = options.stores.clone();
        Ok(Self::Store(PendingObjects::create(path, stores, budget, overwrite)?))
    }

    /// Makes the folder of a partition, unless it is there: the number of files in it.
    fn enter(&mut self, folder: &str) -> Result<usize> {
        let pending = match self {
            Self::Disk(pending) => pending,
            Self::Store(pending) => return Ok(pending.files_in(folder)),
        };
        let path = pending.path().join(folder);
        let files = fs::read_dir(&path).map_or(0, Iterator::count);
        if files == 0 {
            let made = fs::create_dir_all(&path);
            made.map_err(|error| failed(error, &pending.target().join(folder)))?;
        }
        Ok(files)
    }

    /// Begins a file, called so within the whole.
    fn begin(&mut self, name: &Path, files: &Files) -> Result<Box<dyn Sink>> {
        let Files { format, packing, schema, options } = files;
        match self {
            Self::Disk(pending) => {
                let (path, shown) = (pending.path().join(name), pending.target().join(name));
                let output = Output::create(&path, shown, *packing, options)?;
                create_file_sink(output, *format, schema.clone(), options)
            }
            Self::Store(pending) => {
                let writer = pending.begin(name)?;
                object::into(writer, Ending::Sent, (*format, *packing), schema, options)
            }
        }
    }

    fn put_in_place(self) -> Result<()> {
        match self {
            Self::Disk(pending) => pending.put_in_place(),
            Self::Store(pending) => pending.put_in_place(),
        }
    }
}

/// As many rows as the file still wants if they are as long as those it has.
fn step_rows(file: &OpenFile, file_bytes: u64) -> usize {
    let bytes = file.sink.bytes().max(1);
    let missing = file_bytes.saturating_sub(bytes);
    let rows = u128::from(missing) * u128::from(file.rows) / u128::from(bytes);
    usize::try_from(rows).unwrap_or(usize::MAX).max(STEP_ROWS)
}

impl Sink for FolderSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let inner = batch.project(&self.kept)?;
        for stretch in self.partitioner.stretches(batch, &self.schema)? {
            self.enter(stretch.folder)?;
            self.append(&inner.slice(stretch.rows.start, stretch.rows.len()))?;
        }
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.report.bytes + self.open.as_ref().map_or(0, |file| file.sink.bytes())
    }

    fn finish(mut self: Box<Self>) -> Result<SinkReport> {
        // Without rows, a file says what the columns would be.
        if self.report.files == 0
            && self.open.is_none()
            && self.kept.len() == self.schema.fields().len()
        {
            self.open = Some(self.begin()?);
        }
        self.close()?;
        self.place.put_in_place()?;
        Ok(self.report)
    }
}
