//! Ctrl-C and its kin: the first asks the run to end, the second ends the process.
//!
//! After the first, tasks stop, temporary files are removed, and the process ends with status 130. The
//! second does not wait for that; what it leaves in the temp directory is swept by the next run.

use std::sync::atomic::{AtomicBool, Ordering};

use dframe::CancelToken;

use crate::messages::{Messages, print};

/// The status of an interrupted process.
pub const INTERRUPTED: u8 = 130;

/// Cancels `cancel` on SIGINT, SIGTERM and SIGHUP; the second of them ends the process.
pub fn install(cancel: CancelToken, messages: Messages) {
    let told = AtomicBool::new(false);
    let handler = move || {
        if told.swap(true, Ordering::AcqRel) {
            std::process::exit(INTERRUPTED.into());
        }
        cancel.cancel();
        if messages.on_terminal() && !messages.quiet() {
            print("\ninterrupted: stopping; once more to stop at once\n");
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        messages.note(&format!("signals end the run without tidying up: {error}"));
    }
}
