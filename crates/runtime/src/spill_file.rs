//! A file of encoded batches: written front to back, read at any place.
//!
//! ```text
//!   SpillFileWriter --append--> [blob][blob][blob]...  --finish-->  SpillFile --read(entry)--> batch
//! ```
//!
//! Where each blob is and its checksum stay in memory. The file is opened for each read, so that any
//! number of spilled parts needs no file descriptors, and removed when the last holder lets go.

use std::fs::File;
use std::hash::BuildHasher;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::SchemaRef;
use dframe_core::{Error, Result};

use crate::message::{Encoder, Format};
use crate::spill::SpillDir;

/// Blobs are gathered until there are this many bytes to write.
const WRITE_BYTES: usize = 256 << 10;

/// Where a batch is in its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    offset: u64,
    length: u64,
    checksum: u64,
    format: u32,
}

/// A finished file.
pub(crate) struct SpillFile {
    place: Place,
    formats: Vec<Format>,
}

impl SpillFile {
    /// The size of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.place.claimed
    }

    /// Reads one batch.
    pub(crate) fn read(&self, entry: Entry) -> Result<RecordBatch> {
        let mut blob = MutableBuffer::from_len_zeroed(entry.length as usize);
        let read =
            |blob: &mut [u8]| File::open(&self.place.path)?.read_exact_at(blob, entry.offset);
        read(&mut blob).map_err(|error| {
            Error::io("cannot read back a spilled chunk", error).file(&self.place.path)
        })?;
        let blob = Buffer::from(blob);
        if checksum(&blob) != entry.checksum {
            return Err(self.damaged("the bytes read are not those that were written"));
        }
        let format = &self.formats[entry.format as usize];
        format.decode(&blob).map_err(|error| self.damaged(&error.to_string()))
    }

    fn damaged(&self, reason: &str) -> Error {
        Error::invalid_data(format!("a spilled chunk is damaged: {reason}"))
            .file(&self.place.path)
            .remedy("check the disk, or choose another one with --temp-dir")
    }
}

/// A file being written.
pub(crate) struct SpillFileWriter {
    file: File,
    place: Place,
    formats: Vec<Format>,
    encoder: Encoder,
    pending: Vec<u8>,
}

impl SpillFileWriter {
    pub(crate) fn create(directory: Arc<SpillDir>) -> Result<Self> {
        let path = directory.new_path();
        let file = File::create_new(&path).map_err(|error| directory.write_error(error))?;
        let place = Place { directory, path, claimed: 0 };
        Ok(Self { file, place, formats: Vec::new(), encoder: Encoder::new()?, pending: Vec::new() })
    }

    /// Writes one batch behind the others.
    pub(crate) fn append(&mut self, batch: &RecordBatch) -> Result<Entry> {
        let format = self.format(batch.schema_ref())?;
        let start = self.pending.len();
        self.encoder.encode(batch, &mut self.pending)?;
        let blob = &self.pending[start..];
        let entry = Entry {
            offset: self.place.claimed + start as u64,
            length: blob.len() as u64,
            checksum: checksum(blob),
            format,
        };
        if self.pending.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(entry)
    }

    /// Ends the file.
    pub(crate) fn finish(mut self) -> Result<SpillFile> {
        self.flush()?;
        Ok(SpillFile { place: self.place, formats: self.formats })
    }

    fn flush(&mut self) -> Result<()> {
        let bytes = self.pending.len() as u64;
        self.place.directory.claim(bytes)?;
        self.place.claimed += bytes;
        let written = self.file.write_all(&self.pending);
        written.map_err(|error| self.place.directory.write_error(error))?;
        self.pending.clear();
        self.pending.shrink_to(WRITE_BYTES);
        Ok(())
    }

    fn format(&mut self, schema: &SchemaRef) -> Result<u32> {
        let known = self.formats.iter().rposition(|format| format.is_of(schema));
        if known.is_none() {
            self.formats.push(Format::new(schema.clone())?);
        }
        Ok(known.unwrap_or(self.formats.len() - 1) as u32)
    }
}

/// A path in the spill directory and the bytes claimed for it; dropping it removes the file.
struct Place {
    directory: Arc<SpillDir>,
    path: PathBuf,
    claimed: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        self.directory.release(self.claimed);
    }
}

/// Tells bytes that are not those which were written; not meant against forgery.
fn checksum(bytes: &[u8]) -> u64 {
    foldhash::fast::FixedState::default().hash_one(bytes)
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn batch(seed: i64, rows: i64) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|i| i * seed)));
        RecordBatch::try_from_iter([("a", column)]).unwrap()
    }

    fn file(temp: &tempfile::TempDir) -> (SpillFile, Vec<Entry>) {
        let directory = SpillDir::create(temp.path(), None).unwrap();
        let mut writer = SpillFileWriter::create(directory).unwrap();
        let entries = (0..20).map(|seed| writer.append(&batch(seed, 5000)).unwrap()).collect();
        (writer.finish().unwrap(), entries)
    }

    #[test]
    fn any_batch_can_be_read_in_any_order() {
        let temp = tempfile::tempdir().unwrap();
        let (file, entries) = file(&temp);
        for seed in (0..20).rev() {
            assert_eq!(file.read(entries[seed]).unwrap(), batch(seed as i64, 5000));
        }
        assert_eq!(file.bytes(), std::fs::metadata(&file.place.path).unwrap().len());
        let path = file.place.path.clone();
        drop(file);
        assert!(!path.exists());
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn damage_is_an_error() {
        let temp = tempfile::tempdir().unwrap();
        let (file, entries) = file(&temp);
        let path = &file.place.path;
        let mut bytes = std::fs::read(path).unwrap();
        let at = entries[3].offset as usize + 200;
        bytes[at] ^= 1;
        std::fs::write(path, &bytes).unwrap();
        let error = file.read(entries[3]).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
        assert!(file.read(entries[2]).is_ok());
        std::fs::write(path, &bytes[..at]).unwrap();
        assert!(file.read(entries[3]).unwrap_err().to_string().contains("cannot read back"));
    }

    #[test]
    fn exceeding_the_limit_leaves_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let directory = SpillDir::create(temp.path(), Some(10)).unwrap();
        let mut writer = SpillFileWriter::create(directory.clone()).unwrap();
        writer.append(&batch(1, 1000)).unwrap();
        assert!(writer.finish().is_err());
        directory.claim(10).expect("nothing is claimed any more");
    }
}
