//! Where the messages of a file are: its record batches, and the dictionaries that each of them needs.
//!
//! ```text
//!   file:    ARROW1 | schema | dictionary* | batch* | footer: places of all | ARROW1
//!   stream:  schema | (dictionary | batch)* | end            gone through from message to message
//! ```
//!
//! Of a stream on disk the heads of messages tell where the next one begins, so that it is read in
//! parallel like a file. Bodies are not read here.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::{Block, Message, MessageHeader, root_as_footer, root_as_message};
use bytes::Bytes;
use dframe_core::{Error, Result};

use super::corrupt;
use crate::file::{OpenFile, Place as FilePlace, Version};
use crate::partitioning::FILE_ROWS_MAX;

/// What the files are, in errors.
pub(super) const KIND: &str = "arrow";
const MAGIC: &[u8] = b"ARROW1";
const MAGIC_FEATHER_1: &[u8] = b"FEA1";
/// The bytes at the end of a file: the length of the footer, and the magic.
const TAIL: u64 = 10;
/// A file's first message begins here: after the magic, padded.
const HEAD: u64 = 8;
const CONTINUATION: [u8; 4] = [0xff; 4];
/// The bytes of a message that are read at first: most heads are not longer.
const HEAD_BYTES: u64 = 4 << 10;

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    /// The bytes of its head, with what says how long it is.
    pub(super) head: u64,
    pub(super) body: u64,
}

impl Place {
    /// Where its body begins.
    pub(super) fn body_start(&self) -> u64 {
        self.offset + self.head
    }

    /// Where it ends.
    pub(super) fn end(&self) -> u64 {
        self.body_start() + self.body
    }
}

/// A record batch.
#[derive(Clone, Debug)]
pub(super) struct BatchPlace {
    pub(super) place: Place,
    /// The rows of the file before it.
    pub(super) first_row: u64,
    pub(super) rows: u64,
    pub(super) is_compressed: bool,
    /// The dictionaries it may need, in the order in which they are to be read. Batches that
    /// need the same share one list.
    pub(super) dictionaries: Arc<Vec<DictionaryPlace>>,
}

/// A dictionary, or values that one goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DictionaryPlace {
    pub(super) id: i64,
    pub(super) place: Place,
}

/// What is where in a file.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    pub(super) place: FilePlace,
    pub(super) version: Version,
    /// The columns as they were written.
    pub(super) wire: SchemaRef,
    pub(super) batches: Vec<BatchPlace>,
    pub(super) rows: u64,
}

impl Index {
    /// Looks through the heads of all messages.
    ///
    /// # Errors
    /// It is no Arrow file, is cut off, or has what cannot be read.
    pub(super) fn read(place: FilePlace) -> Result<Self> {
        let file = OpenFile::open(&place, KIND)?;
        let mut magic = vec![0; file.length.min(HEAD) as usize];
        file.read_into(0, &mut magic)?;
        let found = match magic.as_slice() {
            head if head.starts_with(MAGIC) => Self::of_file(&file),
            head if head.starts_with(MAGIC_FEATHER_1) => {
                Err(Error::unsupported("the file is of the first version of Feather")
                    .remedy("write it again with `pyarrow.feather.write_feather`, version 2"))
            }
            head if is_stream(head) => Self::of_stream(&file),
            head => Err(not_arrow(head)),
        };
        let found = found.map_err(|error| error.file(place.path()))?;
        Ok(Self { place, ..found })
    }

    /// Opens the file, which must still be what it was.
    pub(super) fn open(&self) -> Result<OpenFile> {
        OpenFile::again(&self.place, KIND, &self.version)
    }

    fn empty(file: &OpenFile, wire: SchemaRef) -> Self {
        let (path, length, version) = (file.path.clone(), file.length, file.version.clone());
        let place = FilePlace::Local(path.clone());
        Self { path, length, place, version, wire, batches: Vec::new(), rows: 0 }
    }

    fn of_file(file: &OpenFile) -> Result<Self> {
        if file.length < HEAD + TAIL {
            return Err(file.truncated());
        }
        let tail = file.read(file.length - TAIL, TAIL)?;
        let footer_bytes = tail.first_chunk().map(|bytes| i32::from_le_bytes(*bytes));
        let footer_bytes = footer_bytes.and_then(|length| u64::try_from(length).ok());
        let footer_bytes = footer_bytes.filter(|length| *length <= file.length - HEAD - TAIL);
        let Some(footer_bytes) = footer_bytes.filter(|_| &tail[4..] == MAGIC) else {
            return Err(file.truncated());
        };
        let bytes = file.read(file.length - TAIL - footer_bytes, footer_bytes)?;
        let footer = root_as_footer(&bytes).map_err(|error| corrupt("the footer", error))?;
        let schema = footer.schema().ok_or_else(|| corrupt("the footer", "it has no schema"))?;
        let mut walk = Walk::new(file, schema_of(schema)?);
        for block in footer.dictionaries().into_iter().flatten() {
            walk.take(place_of(block)?)?;
        }
        for block in footer.recordBatches().into_iter().flatten() {
            walk.take(place_of(block)?)?;
        }
        Ok(walk.index)
    }

    fn of_stream(file: &OpenFile) -> Result<Self> {
        let Some((place, head)) = next_head(file, 0)? else {
            return Err(corrupt("the stream", "it has no schema"));
        };
        let message = message_of(&head)?;
        let schema = message.header_as_schema();
        let schema = schema.ok_or_else(|| corrupt("the stream", "it has no schema"))?;
        let mut walk = Walk::new(file, schema_of(schema)?);
        let mut at = place.end();
        while let Some((place, head)) = next_head(file, at)? {
            walk.take_message(place, &message_of(&head)?)?;
            at = place.end();
        }
        Ok(walk.index)
    }
}

/// Takes in messages, in order.
struct Walk<'a> {
    file: &'a OpenFile,
    index: Index,
    /// The dictionaries as they are at this place.
    dictionaries: Arc<Vec<DictionaryPlace>>,
}

impl<'a> Walk<'a> {
    fn new(file: &'a OpenFile, wire: SchemaRef) -> Self {
        Self { file, index: Index::empty(file, wire), dictionaries: Arc::default() }
    }

    fn take(&mut self, place: Place) -> Result<()> {
        if place.end() > self.file.length {
            return Err(corrupt("the footer", "a record batch lies beyond the end of the file"));
        }
        let head = self.file.read(place.offset, place.head)?;
        self.take_message(place, &message_of(&head)?)
    }

    fn take_message(&mut self, place: Place, message: &Message<'_>) -> Result<()> {
        if place.end() > self.file.length {
            return Err(self.file.truncated());
        }
        match message.header_type() {
            MessageHeader::DictionaryBatch => self.dictionary(place, message),
            MessageHeader::RecordBatch => self.batch(place, message),
            MessageHeader::NONE => Ok(()),
            other => Err(Error::unsupported(format!("the file has a message of kind {other:?}"))),
        }
    }

    fn dictionary(&mut self, place: Place, message: &Message<'_>) -> Result<()> {
        let batch = message.header_as_dictionary_batch();
        let batch = batch.ok_or_else(|| corrupt("a dictionary", "it has no head"))?;
        let known = Arc::make_mut(&mut self.dictionaries);
        if !batch.isDelta() {
            known.retain(|dictionary| dictionary.id != batch.id());
        }
        known.push(DictionaryPlace { id: batch.id(), place });
        Ok(())
    }

    fn batch(&mut self, place: Place, message: &Message<'_>) -> Result<()> {
        let batch = message.header_as_record_batch();
        let batch = batch.ok_or_else(|| corrupt("a record batch", "it has no head"))?;
        let rows = u64::try_from(batch.length())
            .map_err(|_| corrupt("a record batch", "it has a negative number of rows"))?;
        let index = &mut self.index;
        let first_row = index.rows;
        index.rows = index.rows.saturating_add(rows);
        if index.rows >= FILE_ROWS_MAX {
            return Err(Error::unsupported("the file has more than 2^40 rows"));
        }
        index.batches.push(BatchPlace {
            place,
            first_row,
            rows,
            is_compressed: batch.compression().is_some(),
            dictionaries: self.dictionaries.clone(),
        });
        Ok(())
    }
}

/// Whether a stream begins so: with a message, which begins with its length.
pub(crate) fn is_stream(head: &[u8]) -> bool {
    match head {
        [0xff, 0xff, 0xff, 0xff, a, b, c, d] => i32::from_le_bytes([*a, *b, *c, *d]) > 0,
        // Before version 0.15: a length, which is no text.
        [a, b, 0, 0, ..] => (*a, *b) != (0, 0),
        _ => false,
    }
}

fn not_arrow(head: &[u8]) -> Error {
    let remedy = match head {
        [] => "it is empty",
        [b'P', b'A', b'R', b'1', ..] => "it is parquet: leave the format out",
        head if head.iter().all(|byte| matches!(byte, b'\t'..=b'\r' | b' '..=b'~')) => {
            "it looks like text; if it is CSV, say --input-format csv"
        }
        _ => "check the path",
    };
    Error::invalid_data("not an arrow file").remedy(remedy)
}

fn schema_of(schema: arrow::ipc::Schema<'_>) -> Result<SchemaRef> {
    if !schema.endianness().equals_to_target_endianness() {
        return Err(Error::unsupported("the file was written by a machine with other byte order")
            .remedy("write it again as parquet"));
    }
    let found: Schema = try_fb_to_schema(schema).map_err(|error| corrupt("the schema", error))?;
    Ok(Arc::new(found))
}

fn place_of(block: &Block) -> Result<Place> {
    let number = |value: i64| u64::try_from(value).ok().filter(|value| *value < 1 << 62);
    let place = || {
        let head = number(block.metaDataLength().into())?;
        Some(Place { offset: number(block.offset())?, head, body: number(block.bodyLength())? })
    };
    place().ok_or_else(|| corrupt("the footer", "the place of a record batch is negative"))
}

/// What a message says, without its body. `head` begins with its length.
pub(super) fn message_of(head: &Bytes) -> Result<Message<'_>> {
    let skip = if head.starts_with(&CONTINUATION) { 8 } else { 4 };
    let head = head.get(skip..).ok_or_else(|| corrupt("a message", "it is too short"))?;
    root_as_message(head).map_err(|error| corrupt("a message", error))
}

/// The message at `at` of a stream; `None` at its end.
fn next_head(file: &OpenFile, at: u64) -> Result<Option<(Place, Bytes)>> {
    let rest = file.length - at;
    // A stream may end without the mark that says so.
    if rest == 0 {
        return Ok(None);
    }
    if rest < 4 {
        return Err(file.truncated());
    }
    let bytes = file.read(at, rest.min(HEAD_BYTES))?;
    let (skip, length) = match (bytes.starts_with(&CONTINUATION), bytes.get(4..8)) {
        (true, Some(length)) => (8, length),
        (true, None) => return Err(file.truncated()),
        (false, _) => (4, &bytes[..4]),
    };
    let length = length.first_chunk().map_or(0, |bytes| i32::from_le_bytes(*bytes));
    let Some(length) = u64::try_from(length).ok().filter(|length| *length > 0) else {
        return if length == 0 {
            Ok(None)
        } else {
            Err(corrupt("a message", "its length is negative"))
        };
    };
    let head = skip + length;
    if head > rest {
        return Err(file.truncated());
    }
    let bytes = match bytes.len() as u64 >= head {
        true => bytes.slice(..head as usize),
        false => file.read(at, head)?,
    };
    let body = u64::try_from(message_of(&bytes)?.bodyLength());
    let body = body.ok().filter(|body| *body < 1 << 62);
    let body = body.ok_or_else(|| corrupt("a message", "its body has a negative length"))?;
    let place = Place { offset: at, head, body };
    if place.end() > file.length {
        return Err(file.truncated());
    }
    Ok(Some((place, bytes)))
}
