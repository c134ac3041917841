//! What can be wrong with a record, and how the user is told.

use dframe_core::{Error, Result};

use super::records::Layout;
use super::scan::Fault;
use super::shape::MEMBERS_MAX;
use crate::text::TextFile;

/// Where a record begins that is none, and why it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) offset: u64,
    pub(super) what: What,
}

/// Why a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Fault(Fault),
    /// The array is not closed.
    OpenArray,
    /// Something follows the array.
    AfterArray,
    /// It does not end within what can be held.
    TooLong,
}

impl Flaw {
    /// The error that says so. Reads the file up to the record, to count lines.
    pub(super) fn error(self, file: &TextFile, layout: Layout) -> Error {
        match self.described(file, layout) {
            Ok(error) | Err(error) => error,
        }
    }

    fn described(self, file: &TextFile, layout: Layout) -> Result<Error> {
        let inside = match self.what {
            What::Fault(Fault::Syntax(at)) => at as u64,
            _ => 0,
        };
        let line = file.line_of(self.offset + inside)?;
        let whole = match layout {
            Layout::Lines => {
                "a record is an object on one line; put objects of several lines into an array"
            }
            Layout::Array => "the items of the array must be objects",
        };
        let invalid = |text: String| Error::invalid_data(text);
        let error = match self.what {
            What::Fault(Fault::NoObject) => {
                invalid(format!("line {line} is no JSON object")).remedy(whole)
            }
            What::Fault(Fault::Open) => {
                invalid(format!("the object that begins in line {line} is not whole")).remedy(whole)
            }
            What::Fault(Fault::Syntax(_)) => invalid(format!("line {line} is no JSON")).remedy(
                "put the line right, or leave such lines out with --on-bad-row skip",
            ),
            What::Fault(Fault::Deep) => {
                Error::unsupported(format!("the record in line {line} is nested too deeply"))
                    .remedy("64 lists and objects may be within each other")
            }
            What::Fault(Fault::Members) => Error::unsupported(format!(
                "there are more than {MEMBERS_MAX} different members up to line {line}"
            ))
            .remedy("members are columns; write names that are data as values"),
            What::Fault(Fault::NotText) => invalid(format!("line {line} is not UTF-8"))
                .remedy("say what it is, as in --encoding latin1"),
            What::OpenArray => invalid("the array is not closed".to_string())
                .remedy("the file may be cut off: copy or write it again"),
            What::AfterArray => invalid(format!("something follows the array in line {line}"))
                .remedy("a file is one array, or an object on each line"),
            What::TooLong => invalid(format!(
                "the record that begins in line {line} does not end within the memory there is for it"
            ))
            .remedy("raise --memory-limit if it really is so long"),
        };
        Ok(error.file(&file.path))
    }
}
