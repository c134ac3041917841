//! Ctrl-C and its kin: the first asks the run to end, the second ends the process.
//!
//! After the first, tasks stop, temporary files are removed, and the process ends with status 130. The
//! second does not wait for tasks: it removes what was spilled, and may leave a hidden, unfinished file
//! beside `--output`, which the next run that writes there removes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use dframe::runtime::abandon;
use dframe::{CancelToken, ErrorKind};

use crate::error::exit_status;
use crate::messages::{Messages, print};

/// Cancels `cancel` on SIGINT, SIGTERM and SIGHUP; the second of them ends the process.
pub fn install(cancel: CancelToken, messages: Messages, temp_dir: PathBuf) {
    let told = AtomicBool::new(false);
    let handler = move || {
        if told.swap(true, Ordering::AcqRel) {
            abandon(&temp_dir);
            std::process::exit(exit_status(ErrorKind::Cancelled).into());
        }
        cancel.cancel();
        if messages.draws() {
            print("\ninterrupted: stopping; once more to stop at once\n");
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        messages.note(&format!("signals end the run without tidying up: {error}"));
    }
}
