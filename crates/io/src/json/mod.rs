//! JSON files as a [`Source`]: an object on each line (NDJSON), or one array of objects.
//!
//! ```text
//!   JsonSurvey::open --pieces, looked through by anybody--> finish --> JsonSource --fetch, decode--> batches
//!                      records, shapes of values                        rows and types are known
//! ```
//!
//! As CSV files, they are looked through once before they are read, so that types are those of all
//! rows; `crate::text` is what both have in common. Values are decoded by the `arrow` crate.
//!
//! | file | question it answers |
//! |---|---|
//! | `options` | what is done about records that are none? |
//! | `records` | where do records begin and end? |
//! | `scan`, `shape` | is a text JSON, what is it made of, and which type holds that? |
//! | `survey` | where are the rows? |
//! | `flaw` | what is wrong with a record, and with which? |
//! | `unit_batches`, `scalars`, `values` | what becomes of what was read? |

mod flaw;
mod options;
mod records;
mod scalars;
mod scan;
mod shape;
mod survey;
#[cfg(test)]
mod tests;
mod unit_batches;
mod values;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use dframe_core::{Budget, CancelToken, Error, Fetched, Result};
use dframe_expr::{resolve_name, type_name};
use dframe_plan::{Partitions, ScanRequest, ScanUnit, ScannedBatches, Source, Statistics};

pub use options::JsonOptions;

use crate::hive;
use crate::partitioning::file_of;
use crate::paths::{self, Inputs};
use crate::text::{Blocks, Grain, Piece, Rest, Survey, TextFile, UnitFile, units};
use flaw::{Flaw, What};
use records::Layout;
use scan::Fault;
use shape::{Members, Shape};
use survey::{Bad, Findings, Look, PIECE_BYTES_MAX, Surveyed};
use unit_batches::{UnitBatches, Wanted};

/// JSON files, scanned as one table.
///
/// Members of the records are columns, matched by name; one that a record lacks is NULL there. The type of a
/// column holds the values of all files.
#[derive(Debug)]
pub struct JsonSource {
    files: Vec<SourceFile>,
    options: JsonOptions,
    schema: SchemaRef,
    /// For each column, whether its type was asked for.
    given: Vec<bool>,
    rows: u64,
}

/// A file of the source.
#[derive(Debug)]
struct SourceFile {
    file: TextFile,
    layout: Layout,
    start: u64,
    blocks: Blocks,
    bad: Bad,
    /// For each column of the source, whether a record of the file has it.
    has: Vec<bool>,
}

/// JSON files that are being looked through, piece by piece.
#[derive(Debug)]
pub struct JsonSurvey {
    files: Vec<Surveyed>,
    pieces: Vec<(usize, Piece)>,
    options: JsonOptions,
}

/// What has been found in a piece; nothing if it has to be looked through again, alone.
#[derive(Clone, Debug)]
pub struct JsonFound(Option<Findings>);

impl JsonSurvey {
    /// Opens files, directories (searched for `*.ndjson`, `*.jsonl` and `*.json`, compressed or not) and globs.
    ///
    /// # Errors
    /// A path that does not exist.
    pub fn open(inputs: impl Into<Inputs>, options: &JsonOptions) -> Result<Self> {
        Self::open_with(inputs, options, Grain::of)
    }

    fn open_with(
        inputs: impl Into<Inputs>,
        options: &JsonOptions,
        grain: impl Fn(&TextFile) -> Grain,
    ) -> Result<Self> {
        options.check()?;
        let mut survey = Self { files: vec![], pieces: vec![], options: options.clone() };
        let places = paths::expand(&inputs.into(), &paths::JSON)?;
        for opened in TextFile::open_all(&places, "JSON", options.encoding) {
            let (file, start) = opened?;
            let (layout, before) = Layout::of(&file.head(start, HEAD_BYTES)?);
            let grain = grain(&file);
            let start = start + before as u64;
            let surveyed = Surveyed { file: file.opened(), layout, start, grain };
            let index = survey.files.len();
            survey.pieces.extend(surveyed.pieces().into_iter().map(|piece| (index, piece)));
            survey.files.push(surveyed);
        }
        Ok(survey)
    }

    /// The members that the first records of each file have, each once; later records may have others.
    ///
    /// # Errors
    /// A file cannot be read, or its first records are no JSON.
    pub fn leading_names(inputs: impl Into<Inputs>, options: &JsonOptions) -> Result<Vec<String>> {
        let survey = Self::open(inputs, options)?;
        let (cancel, budget) = (CancelToken::new(), Budget::unlimited());
        let mut names = Vec::new();
        for (index, file) in survey.files.iter().enumerate() {
            let end = file.start + LEADING_BYTES;
            let piece = Piece { start: file.start, end, is_first: true };
            let found = survey.look(index, &cancel, &budget).exactly(piece)?;
            for (name, _) in found.shape.members.into_iter().flat_map(|members| members.list) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    fn look<'a>(&'a self, file: usize, cancel: &'a CancelToken, budget: &'a Budget) -> Look<'a> {
        Look { surveyed: &self.files[file], options: &self.options, budget, cancel }
    }
}

/// The bytes that tell a file's layout: blanks may be before the first record.
const HEAD_BYTES: usize = 4 << 10;
/// The bytes whose records are the first ones of a file.
const LEADING_BYTES: u64 = 64 << 10;
/// What a decoder holds for each byte of a batch's text: a tape of its values, and they themselves.
const DECODER_SHARE: u64 = 4;

impl Survey for JsonSurvey {
    type Found = JsonFound;
    type Source = JsonSource;

    const PIECE_MEMORY: usize = PIECE_BYTES_MAX;

    fn piece_count(&self) -> usize {
        self.pieces.len()
    }

    fn look_through(&self, piece: usize, cancel: &CancelToken) -> Result<JsonFound> {
        let (file, piece) = self.pieces[piece];
        // Who calls has claimed what is held.
        let look = self.look(file, cancel, &Budget::unlimited()).within(piece, PIECE_BYTES_MAX);
        look.map(JsonFound)
    }

    fn finish(
        &self,
        found: Vec<JsonFound>,
        cancel: &CancelToken,
        budget: &Budget,
    ) -> Result<JsonSource> {
        let mut files: Vec<SourceFile> = self.files.iter().map(SourceFile::new).collect();
        let mut shapes = vec![Shape::default(); files.len()];
        for ((index, piece), found) in self.pieces.iter().zip(found) {
            let findings = match found.0 {
                Some(findings) => findings,
                None => self.look(*index, cancel, budget).exactly(*piece)?,
            };
            let (file, shape) = (&mut files[*index], &mut shapes[*index]);
            if !shape.merge(&findings.shape) {
                return Err(file.has_too_many());
            }
            file.append(findings)?;
        }
        let (schema, given) = unite(&mut files, &shapes, &self.options)?;
        let rows = files.iter().map(|file| file.blocks.rows).sum();
        Ok(JsonSource { files, options: self.options.clone(), schema, given, rows })
    }
}

impl SourceFile {
    fn new(surveyed: &Surveyed) -> Self {
        Self {
            file: surveyed.file.clone(),
            layout: surveyed.layout,
            start: surveyed.start,
            blocks: Blocks::new(surveyed.start),
            bad: Bad::default(),
            has: Vec::new(),
        }
    }

    fn append(&mut self, findings: Findings) -> Result<()> {
        if let Some(flaw) = findings.flaw {
            return Err(flaw.error(&self.file, self.layout));
        }
        self.bad.rows += findings.bad.rows;
        self.bad.first = self.bad.first.or(findings.bad.first);
        self.blocks.append(findings.blocks, &self.file)
    }

    fn has_too_many(&self) -> Error {
        let what = What::Fault(Fault::Members);
        Flaw { offset: self.blocks.rows_end, what }.error(&self.file, self.layout)
    }

    fn for_units(&self) -> UnitFile<'_> {
        let (file, blocks) = (&self.file, &self.blocks);
        UnitFile { file, blocks, decoder_bytes: 0, decoder_share: DECODER_SHARE }
    }
}

/// The columns of all files, in the order of their appearance, and whether their types are those that were asked
/// for; tells the files which they have.
fn unite(
    files: &mut [SourceFile],
    shapes: &[Shape],
    options: &JsonOptions,
) -> Result<(SchemaRef, Vec<bool>)> {
    let mut all = Shape::default();
    for (file, shape) in files.iter().zip(shapes) {
        if !all.merge(shape) {
            return Err(file.has_too_many());
        }
    }
    let members = all.members.unwrap_or_default();
    if members.list.is_empty() {
        return Err(Error::invalid_data("there are no columns: no record has a member")
            .file(&files[0].file.path)
            .remedy("the members of JSON objects are columns"));
    }
    for (file, shape) in files.iter_mut().zip(shapes) {
        let own = shape.members.clone().unwrap_or_default();
        let has = |name: &String| own.list.iter().any(|(own, _)| own == name);
        file.has = members.list.iter().map(|(name, _)| has(name)).collect();
    }
    let named = |error: Error| error.file(&files[0].file.path);
    let mut fields: Vec<Field> =
        members.fields("").map_err(named)?.iter().map(|field| field.as_ref().clone()).collect();
    let given = give_types(&mut fields, &members, options)?;
    Ok((Arc::new(Schema::new(fields)), given))
}

/// Sets the types that were asked for; says which columns have one.
fn give_types(fields: &mut [Field], members: &Members, options: &JsonOptions) -> Result<Vec<bool>> {
    let found = Schema::new(fields.to_vec());
    let mut given = vec![false; fields.len()];
    for (name, data_type) in &options.types {
        let index = resolve_name(&found, name)?;
        let shape = &members.list[index].1;
        if shape.items.is_some() || shape.members.is_some() {
            let message = format!(
                "the values are {}, which cannot be read as {}",
                type_name(fields[index].data_type()),
                type_name(data_type)
            );
            return Err(Error::unsupported(message)
                .column(name)
                .remedy("leave the column out of --schema"));
        }
        fields[index].set_data_type(data_type.clone());
        given[index] = true;
    }
    Ok(given)
}

impl JsonSource {
    /// Opens files, and looks through them on the caller's thread.
    ///
    /// # Errors
    /// As [`JsonSurvey::open`] and [`Survey::finish`].
    pub fn open(inputs: impl Into<Inputs>, options: &JsonOptions) -> Result<Self> {
        JsonSurvey::open(inputs, options)?.finish_alone()
    }

    /// How many rows were bad and are left out or have NULLs, and where the first of them is.
    pub fn bad_rows(&self) -> Option<(u64, Error)> {
        let rows = self.files.iter().map(|file| file.bad.rows).sum();
        let first = self
            .files
            .iter()
            .find_map(|file| file.bad.first.map(|flaw| flaw.error(&file.file, file.layout)));
        first.map(|error| (rows, error))
    }

    fn file(&self, unit: &ScanUnit) -> Result<&SourceFile> {
        file_of(&self.files, unit)
    }

    fn wanted(&self, file: &SourceFile, request: &ScanRequest) -> Result<Wanted> {
        let schema = Arc::new(self.schema.project(&request.projection)?);
        let given = request.projection.iter().map(|column| self.given[*column]).collect();
        let mut decoded: Vec<(usize, Field)> = Vec::new();
        let places = request.projection.iter().map(|column| {
            if !file.has[*column] {
                return None;
            }
            let known = decoded.iter().position(|(known, _)| known == column);
            Some(known.unwrap_or_else(|| {
                let field = self.schema.field(*column);
                let data_type = match self.given[*column] {
                    true => DataType::Utf8,
                    false => values::decoded(field.data_type()),
                };
                decoded.push((*column, field.clone().with_data_type(data_type)));
                decoded.len() - 1
            }))
        });
        let places = places.collect();
        let decoded: Vec<Field> = decoded.into_iter().map(|(_, field)| field).collect();
        let (decoded, batch) = (Arc::new(Schema::new(decoded)), units::batch_size(request));
        Ok(Wanted { schema, places, given, decoded, batch })
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

impl Source for JsonSource {
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
        let file = self.file(unit)?;
        // What is compressed is read by decoding it: how much text it is is not known before.
        if request.projection.is_empty() || !file.file.is_plain() {
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
        let decoder = wanted.decoder()?;
        let rest = match fetched.ranges.into_iter().next() {
            Some((start, bytes)) => Rest::Whole { bytes, start, at: 0 },
            None if decoder.is_some() => Rest::unpacked(&file.file, file.start)?,
            None => Rest::Whole { bytes: Bytes::new(), start: 0, at: 0 },
        };
        Ok(Box::new(UnitBatches {
            file: file.file.clone(),
            layout: file.layout,
            options: self.options.clone(),
            wanted,
            rest,
            skip: file.blocks.unit_text(unit)?.skip,
            position: unit.position,
            remaining: unit.row_count(),
            decoder,
            scratch: Shape::default(),
        }))
    }
}
