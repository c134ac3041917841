//! An object in the making: parts that are sent while more is written, and an object only when all are there.
//!
//! ```text
//!   bytes --> part --full--> sent (a few at once) --finish--> the parts become the object, in place of an old one
//!                               \--dropped--> the parts are given up; an old object stays as it was
//! ```
//!
//! What is sent twice because a store did not answer is the business of `object_store`. What the bytes are is not
//! known here.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use dframe_core::{Budget, Error, Reservation, Result};
use object_store::{MultipartUpload, ObjectStoreExt as _, PutPayload};

use super::Object;
use super::fault::{WRITE, failed};
use super::list::key_of;
use super::network::Pending;
use super::stores::Stores;
use super::url::{Kind, Url};

/// The bytes of a part at first; stores want 5 MiB at least.
const PART_BYTES: usize = 8 << 20;
/// After so many parts, they become twice as long: stores take 10,000 at most, and objects of 5 TiB.
const PARTS_OF_A_LENGTH: usize = 1_000;
/// The parts that are sent at once.
const AT_ONCE: usize = 3;
/// How long giving up may take.
const GIVING_UP: Duration = Duration::from_secs(5);

type Upload = Arc<tokio::sync::Mutex<Box<dyn MultipartUpload>>>;

/// Writes an object. Dropped unfinished, it leaves nothing.
#[derive(Debug)]
pub(crate) struct ObjectWriter {
    object: Object,
    /// Until it is finished.
    upload: Option<Upload>,
    part: Vec<u8>,
    parts: usize,
    /// What is being sent, with its memory.
    sent: VecDeque<(Pending<()>, Reservation)>,
    budget: Budget,
    /// The memory of the part that is filled.
    filled: Reservation,
    /// Writers of formats keep no more of an error than its words.
    failure: Option<Error>,
    is_broken: bool,
}

/// The name of an object that can be written, if it is one.
///
/// # Errors
/// It names an object that cannot.
pub(crate) fn writable(name: &str) -> Result<Option<Url<'_>>> {
    match Url::parse(name) {
        Some(url) if url.kind == Kind::Http => {
            Err(Error::unsupported("a web server takes no files")
                .file(name)
                .remedy("write a file, or an object of a store: s3://, gs:// or az://"))
        }
        Some(url) if url.is_prefix() => Err(Error::invalid_input("the name is none of an object")
            .file(name)
            .remedy("name the object after the bucket: s3://bucket/result.parquet")),
        other => Ok(other),
    }
}

impl ObjectWriter {
    /// Asks the store for the place.
    ///
    /// # Errors
    /// It gives none.
    pub(crate) fn begin(stores: &Stores, url: &Url<'_>, budget: Budget) -> Result<Self> {
        let object = stores.of(url)?.object(key_of(url)?, None);
        let wanted = object.clone();
        let upload = object.store.network.wait(async move {
            let begun = wanted.store.store.put_multipart(&wanted.key).await;
            begun.map_err(|error| wanted.failed_to_write(error))
        })?;
        let mut filled = budget.reservation();
        // Refused or not, there is one.
        filled.try_grow(PART_BYTES);
        Ok(Self {
            object,
            upload: Some(Arc::new(tokio::sync::Mutex::new(upload))),
            part: Vec::new(),
            parts: 0,
            sent: VecDeque::new(),
            budget,
            filled,
            failure: None,
            is_broken: false,
        })
    }

    /// Why it could not be written, if the store was to blame.
    pub(crate) fn take_failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    /// Sends what is left, and makes the parts the object.
    ///
    /// # Errors
    /// The store does not take them all.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.complete()?.wait()?;
        self.completed();
        Ok(())
    }

    /// Begins to send what is left. Nothing may be written any more.
    ///
    /// # Errors
    /// As [`ObjectWriter::finish`].
    pub(crate) fn send_rest(&mut self) -> Result<()> {
        if !self.part.is_empty() || self.parts == 0 {
            self.send()?;
        }
        self.filled.shrink(usize::MAX);
        Ok(())
    }

    /// Waits for all parts that were sent.
    ///
    /// # Errors
    /// As [`ObjectWriter::finish`].
    pub(crate) fn settle(&mut self) -> Result<()> {
        while self.wait_for_one()? {}
        Ok(())
    }

    /// Begins to make the parts the object: it is [completed](Self::completed) once that has ended.
    ///
    /// # Errors
    /// As [`ObjectWriter::finish`].
    pub(crate) fn complete(&mut self) -> Result<Pending<()>> {
        self.send_rest()?;
        self.settle()?;
        let Some(upload) = self.upload.clone() else { return Err(gone()) };
        let object = self.object.clone();
        self.object.store.network.start(async move {
            let completed = upload.lock().await.complete().await;
            completed.map(|_| ()).map_err(|error| object.failed_to_write(error))
        })
    }

    /// There is nothing to give up any more.
    pub(crate) fn completed(&mut self) {
        self.upload = None;
    }

    /// Whether it makes this object.
    pub(crate) fn is_of(&self, object: &Object) -> bool {
        self.object.key == object.key
    }

    fn part_bytes(&self) -> usize {
        PART_BYTES << (self.parts / PARTS_OF_A_LENGTH).min(10)
    }

    /// Begins to send the part. Waits for parts before it when they are many, or the memory is wanted elsewhere.
    fn send(&mut self) -> Result<()> {
        let bytes = std::mem::take(&mut self.part);
        let mut held = self.budget.reservation();
        while self.sent.len() >= AT_ONCE || !held.try_grow(bytes.len()) {
            if !self.wait_for_one()? {
                // One part has to go, whatever the limit says.
                break;
            }
        }
        let Some(upload) = self.upload.clone() else { return Err(gone()) };
        let object = self.object.clone();
        // The order of the parts is that of the calls.
        let network = self.object.store.network.clone();
        let sending = network
            .wait(async move { Ok(upload.lock().await.put_part(PutPayload::from(bytes))) })?;
        let sent = network
            .start(async move { sending.await.map_err(|error| object.failed_to_write(error)) })?;
        self.sent.push_back((sent, held));
        self.parts += 1;
        Ok(())
    }

    /// Waits for the part that was sent first; there may be none.
    fn wait_for_one(&mut self) -> Result<bool> {
        match self.sent.pop_front() {
            Some((sent, _held)) => sent.wait().map(|()| true),
            None => Ok(false),
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(self.part_bytes() - self.part.len()));
            self.part.extend_from_slice(now);
            rest = later;
            if self.part.len() == self.part_bytes() {
                self.send()?;
            }
        }
        Ok(())
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.is_broken {
            // A buffer that is dropped tries once more.
            return Err(std::io::ErrorKind::Other.into());
        }
        match self.take(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.is_broken = true;
                let words = error.message().to_string();
                self.failure = Some(error);
                Err(std::io::Error::other(words))
            }
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        self.sent.clear();
        // Also when the run was cancelled: parts that nobody gives up are paid for.
        let abort = async move {
            let _ = upload.lock().await.abort().await;
            Ok(())
        };
        if let Ok(pending) = self.object.store.network.start(abort) {
            pending.wait_at_most(GIVING_UP);
        }
    }
}

impl Object {
    fn failed_to_write(&self, error: object_store::Error) -> Error {
        failed(error, self.store.kind, &self.name, WRITE)
    }
}

fn gone() -> Error {
    Error::internal("an object that is finished is written to")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_refused() {
        for name in ["http://h/x.csv", "https://h/x.csv", "s3://b", "s3://b/a/"] {
            assert!(writable(name).is_err(), "{name}");
        }
        assert!(writable("s3://b/x.csv").is_ok_and(|url| url.is_some()));
        assert!(writable("x.csv").is_ok_and(|url| url.is_none()));
    }
}
