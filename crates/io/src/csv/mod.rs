//! CSV and TSV files as a [`Source`]: one or many, with one schema, of types that hold every value.
//!
//! ```text
//!   CsvSurvey::open --pieces, looked through by anybody--> finish --> CsvSource --fetch, decode--> batches
//!     headers          records, kinds of fields                        rows and types are known
//! ```
//!
//! Text says neither how many rows it has nor what types, so each file is looked through once before
//! it is read. In return types are those of all rows, what is wrong with a file is told before a query
//! begins, and a file is read by as many tasks as a Parquet file.
//!
//! | file | question it answers |
//! |---|---|
//! | `options` | what separates and quotes? |
//! | `records`, `block` | where do records and fields begin and end? |
//! | `header` | what are the columns called? |
//! | `survey`, `source_file` | where are the rows? |
//! | `flaw` | what is wrong with a line, and with which? |
//! | `decode` | what becomes of what was read? |
//!
//! Files, units and what a text could be are in `crate::text`, as JSON has them, too.

mod block;
mod decode;
mod flaw;
mod header;
mod options;
mod records;
mod source_file;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use bytes::Bytes;
use dframe_core::{Budget, CancelToken, Error, Fetched, Result};
use dframe_expr::resolve_name;
use dframe_plan::{Partitions, ScanRequest, ScanUnit, ScannedBatches, Source, Statistics};

pub use options::CsvOptions;

use crate::hive;
use crate::partitioning::file_of;
use crate::paths::{self, Inputs};
use crate::text::{Grain, Kinds, Piece, Rest, Survey, TextFile, units};
use decode::{UnitBatches, Wanted};
use header::Header;
use source_file::SourceFile;
use survey::{Findings, Look, Surveyed};

/// CSV files, scanned as one table.
///
/// Columns are matched by name; a column that a file lacks is NULL there. The type of a column holds
/// the values of all files.
#[derive(Debug)]
pub struct CsvSource {
    files: Vec<SourceFile>,
    options: CsvOptions,
    schema: SchemaRef,
    /// For each column, whether its type was asked for.
    given: Vec<bool>,
    rows: u64,
}

/// CSV files that are being looked through, piece by piece.
#[derive(Debug)]
pub struct CsvSurvey {
    files: Vec<Surveyed>,
    pieces: Vec<(usize, Piece)>,
    options: CsvOptions,
}

/// What has been found in a piece.
#[derive(Clone, Debug)]
pub struct PieceSurvey(Option<Findings>);

impl CsvSurvey {
    /// Opens files, directories (searched for `*.csv` and `*.tsv`, compressed or not) and globs, and reads the headers.
    ///
    /// # Errors
    /// A path that does not exist, or a header that is none.
    pub fn open(inputs: impl Into<Inputs>, options: &CsvOptions, budget: &Budget) -> Result<Self> {
        Self::open_with(inputs, options, budget, Grain::of)
    }

    fn open_with(
        inputs: impl Into<Inputs>,
        options: &CsvOptions,
        budget: &Budget,
        grain: impl Fn(&TextFile) -> Grain,
    ) -> Result<Self> {
        options.check()?;
        let mut survey = Self { files: vec![], pieces: vec![], options: options.clone() };
        let places = paths::expand(&inputs.into(), &paths::CSV)?;
        for opened in TextFile::open_all(&places, "CSV", options.encoding) {
            let (file, start) = opened?;
            let header = Header::read(&file, start, options, budget)?;
            let marks = options.marks(usual_delimiter(&file));
            let grain = grain(&file);
            let surveyed = Surveyed { file: file.opened(), header, marks, grain };
            let index = survey.files.len();
            survey.pieces.extend(surveyed.pieces().into_iter().map(|piece| (index, piece)));
            survey.files.push(surveyed);
        }
        Ok(survey)
    }

    /// The columns of all files, each once: headers are read, and no rows.
    ///
    /// # Errors
    /// As [`CsvSurvey::open`].
    pub fn column_names(inputs: impl Into<Inputs>, options: &CsvOptions) -> Result<Vec<String>> {
        let survey = Self::open(inputs, options, &Budget::unlimited())?;
        let mut names = Vec::new();
        for name in survey.files.into_iter().flat_map(|file| file.header.names) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn look<'a>(&'a self, file: usize, cancel: &'a CancelToken, budget: &'a Budget) -> Look<'a> {
        Look { surveyed: &self.files[file], options: &self.options, budget, cancel }
    }
}

impl Survey for CsvSurvey {
    type Found = PieceSurvey;
    type Source = CsvSource;

    const PIECE_MEMORY: usize = survey::GUESS_BYTES_MAX;

    fn piece_count(&self) -> usize {
        self.pieces.len()
    }

    fn look_through(&self, piece: usize, cancel: &CancelToken) -> Result<PieceSurvey> {
        let (file, piece) = self.pieces[piece];
        // Who calls has claimed what is held.
        self.look(file, cancel, &Budget::unlimited()).guess(piece).map(PieceSurvey)
    }

    fn finish(
        &self,
        found: Vec<PieceSurvey>,
        cancel: &CancelToken,
        budget: &Budget,
    ) -> Result<CsvSource> {
        let mut found = self.pieces.iter().zip(found).peekable();
        let mut files = Vec::with_capacity(self.files.len());
        for index in 0..self.files.len() {
            let mut of_file = Vec::new();
            while let Some(((_, piece), look)) = found.next_if(|((file, _), _)| *file == index) {
                of_file.push((*piece, look.0));
            }
            files.push(SourceFile::join(&self.look(index, cancel, budget), of_file)?);
        }
        let (schema, given) = unite(&mut files, &self.options)?;
        if schema.fields().is_empty() {
            return Err(Error::invalid_data("there are no columns: the file is empty")
                .file(&files[0].file.path)
                .remedy("a CSV file has a line that names its columns"));
        }
        let rows = files.iter().map(|file| file.blocks.rows).sum();
        Ok(CsvSource { files, options: self.options.clone(), schema, given, rows })
    }
}

/// What is between fields, by the file's name.
fn usual_delimiter(file: &TextFile) -> u8 {
    match paths::CSV.of(file.name()) {
        Some("tsv" | "tab") => b'\t',
        Some("psv") => b'|',
        _ => b',',
    }
}

/// The columns of all files, in the order of their appearance, and whether their types are those that were asked
/// for; tells the files where they have them.
fn unite(files: &mut [SourceFile], options: &CsvOptions) -> Result<(SchemaRef, Vec<bool>)> {
    let mut columns: Vec<(String, Kinds)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for file in files.iter() {
        for (name, kinds) in file.header.names.iter().zip(&file.kinds) {
            let index = *known.entry(name.clone()).or_insert_with(|| {
                columns.push((name.clone(), Kinds::NONE));
                columns.len() - 1
            });
            columns[index].1 = columns[index].1 | *kinds;
        }
    }
    for file in files.iter_mut() {
        file.places = vec![None; columns.len()];
        for (place, name) in file.header.names.iter().enumerate() {
            file.places[known[name]] = Some(place);
        }
    }
    let mut given = vec![false; columns.len()];
    let mut fields: Vec<Field> = columns
        .into_iter()
        .map(|(name, kinds)| Field::new(name, kinds.data_type(), true))
        .collect();
    let found = Schema::new(fields.clone());
    for (name, data_type) in &options.types {
        let index = resolve_name(&found, name)?;
        fields[index].set_data_type(data_type.clone());
        given[index] = true;
    }
    Ok((Arc::new(Schema::new(fields)), given))
}

impl CsvSource {
    /// Opens files, and looks through them on the caller's thread.
    ///
    /// # Errors
    /// As [`CsvSurvey::open`] and [`Survey::finish`].
    pub fn open(inputs: impl Into<Inputs>, options: &CsvOptions) -> Result<Self> {
        CsvSurvey::open(inputs, options, &Budget::unlimited())?.finish_alone()
    }

    /// How many rows were bad and are left out or have NULLs, and where the first of them is.
    pub fn bad_rows(&self) -> Option<(u64, Error)> {
        let rows = self.files.iter().map(|file| file.bad.rows).sum();
        let first = self
            .files
            .iter()
            .find_map(|file| file.bad.first.map(|flaw| flaw.error(&file.file, &file.header.names)));
        first.map(|error| (rows, error))
    }

    fn file(&self, unit: &ScanUnit) -> Result<&SourceFile> {
        file_of(&self.files, unit)
    }

    fn wanted(&self, file: &SourceFile, request: &ScanRequest) -> Result<Wanted> {
        let schema = Arc::new(self.schema.project(&request.projection)?);
        let places = request.projection.iter().map(|column| file.places[*column]).collect();
        let file_columns = file.header.names.len();
        let given = request.projection.iter().map(|column| self.given[*column]).collect();
        Ok(Wanted { schema, places, given, file_columns, batch: units::batch_size(request) })
    }

    /// The source with a column for each `key=value` among the names of the files' folders, if all have the same.
    ///
    /// # Errors
    /// A value that cannot be read.
    pub fn with_folder_columns(self: Arc<Self>) -> Result<Arc<dyn Source>> {
        let files = self.clone();
        let names: Vec<_> = files.files.iter().map(|file| file.file.name()).collect();
        hive::with_folder_columns(self, &names)
    }
}

impl Source for CsvSource {
    fn name(&self) -> String {
        paths::name_of(&self.files[0].file.path, self.files.len())
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn statistics(&self) -> Statistics {
        let bytes = self.files.iter().map(|file| file.file.length).sum();
        Statistics { rows: Some(self.rows), bytes: Some(bytes) }
    }

    fn fetches_ahead(&self) -> usize {
        self.files[0].file.fetches_ahead()
    }

    fn partitions(&self, request: &ScanRequest) -> Result<Partitions> {
        Ok(units::partitions(self.files.iter().map(SourceFile::for_units), request))
    }

    fn fetch(&self, unit: &ScanUnit, request: &ScanRequest) -> Result<Fetched> {
        if request.projection.is_empty() {
            return Ok(Fetched::default());
        }
        let file = self.file(unit)?;
        if !file.file.is_plain() {
            // Decoding reads it: how much of the text that will be is not known before.
            return Ok(Fetched::default());
        }
        let text = file.blocks.unit_text(unit)?.bytes;
        let bytes = file.file.read(text.start, text.end)?;
        Ok(Fetched { ranges: vec![(text.start, bytes)] })
    }

    fn decode(
        self: Arc<Self>,
        unit: &ScanUnit,
        fetched: Fetched,
        request: &ScanRequest,
    ) -> Result<ScannedBatches> {
        let file = self.file(unit)?;
        let wanted = self.wanted(file, request)?;
        let rest = match fetched.ranges.into_iter().next() {
            Some((start, bytes)) => Rest::Whole { bytes, start, at: 0 },
            None if wanted.has_text() => Rest::unpacked(&file.file, file.header.rows_start)?,
            None => Rest::Whole { bytes: Bytes::new(), start: 0, at: 0 },
        };
        Ok(Box::new(UnitBatches {
            file: file.file.clone(),
            options: self.options.clone(),
            marks: file.marks,
            wanted,
            rest,
            position: unit.position,
            skip: file.blocks.unit_text(unit)?.skip,
            remaining: unit.row_count(),
        }))
    }
}
