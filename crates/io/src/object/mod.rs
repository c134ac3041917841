//! Objects in stores, and files of web servers: `s3://`, `gs://`, `az://`, `abfss://`, `http://`, `https://`.
//!
//! | file | question it answers |
//! |---|---|
//! | `url` | what does a name name? |
//! | `stores` | which store is that, and what is known of it: endpoint, credentials, retries? |
//! | `network` | who waits for the network? |
//! | `list` | which objects does a name, a prefix, a glob name? |
//! | `read` | how are parts of an object read, that must not change meanwhile? |
//! | `stream` | how is an object read from some place on? |
//! | `write` | how does an object come to be, whole or not at all? |
//! | `fault` | what went wrong, and what helps? |
//!
//! Requests are made by the crate `object_store`, which tries again what may succeed. Nothing here knows what
//! objects hold.

mod fault;
mod list;
mod network;
mod read;
mod stores;
mod stream;
mod url;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use list::{all_below, expand};
pub(crate) use read::Ending;
pub(crate) use stores::Store;
pub use stores::{StoreOptions, Stores};
pub(crate) use stream::{ObjectReader, READER_BYTES};
pub(crate) use url::{Kind, Url};
pub(crate) use write::{ObjectWriter, writable};

use crate::file::Version;

/// An object, by its name.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    store: Arc<Store>,
    key: object_store::path::Path,
    /// As the user would write it.
    name: PathBuf,
    /// What it was when it was found.
    found: Option<Version>,
}

impl Object {
    /// Its name: a URL.
    pub(crate) fn name(&self) -> &Path {
        &self.name
    }

    /// Its place in the store, whose last part may have an extension.
    pub(crate) fn key(&self) -> &Path {
        Path::new(self.key.as_ref())
    }
}
