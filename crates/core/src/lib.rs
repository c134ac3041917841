//! The words every dframe crate shares: errors, sizes, the memory budget, cancellation, events.
//!
//! This crate knows nothing of files, plans or threads. What is here is used by at least two others.

mod budget;
mod cancel;
mod error;
mod fetched;
mod observe;
pub mod size;
mod workers;

pub use budget::{Budget, Reclaim, Reservation};
pub use cancel::CancelToken;
pub use error::{Context, Error, ErrorKind, Result, Snippet};
pub use fetched::Fetched;
pub use observe::{Event, Observer, Silent};
pub use workers::{Piece, Workers};
