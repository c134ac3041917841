//! The one error type of the workspace: a kind, a message, where it happened, and the remedy.
//!
//! Kinds are named by what the caller can do about them; `cli` maps each to an exit status. The
//! context fields (file, row group, column, operator) are attached by whoever knows them, on the way
//! up, so that a kernel can fail without knowing which file its batch came from.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of everything that can fail in dframe.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The request is wrong: an unknown column, a type error, a bad option. Change the request.
    InvalidInput,
    /// The data is wrong: corrupt, overflowing, or of conflicting schemas. Change the data.
    InvalidData,
    /// The request is understood but not implemented.
    Unsupported,
    /// The query does not fit the memory limit even with spilling.
    OverBudget,
    /// The temp directory is full, or its limit is reached.
    OutOfDisk,
    /// The operating system refused a read or a write.
    Io,
    /// The query was cancelled.
    Cancelled,
    /// A task of the caller's own has failed.
    Task,
    /// A bug in dframe.
    Internal,
}

/// A piece of the user's text that an error points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// The whole text, such as the value of `--where`.
    pub text: String,
    /// The byte range within `text` that is at fault.
    pub range: Range<usize>,
}

/// Where in the input and the plan an error happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The file that was read or written.
    pub file: Option<PathBuf>,
    /// The row group within the file, from 0.
    pub row_group: Option<usize>,
    /// The column at fault.
    pub column: Option<String>,
    /// The operator that was running.
    pub operator: Option<String>,
}

/// An error with its place and remedy. Cheap to move: one pointer.
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    context: Context,
    span: Option<Range<usize>>,
    snippet: Option<Snippet>,
    remedy: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind`; `message` is lower case and without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            context: Context::default(),
            span: None,
            snippet: None,
            remedy: None,
            source: None,
        }))
    }

    /// The request is wrong.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// The data is wrong.
    pub fn invalid_data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidData, message)
    }

    /// The request is understood but not implemented.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// The query does not fit the memory limit.
    pub fn over_budget(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::OverBudget, message)
    }

    /// The operating system refused. A full disk becomes [`ErrorKind::OutOfDisk`].
    pub fn io(message: impl Into<String>, source: std::io::Error) -> Self {
        let kind = match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ErrorKind::OutOfDisk
            }
            _ => ErrorKind::Io,
        };
        Self::new(kind, message).source(source)
    }

    /// The query was cancelled.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }

    /// A bug in dframe.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Names the file, unless one is named already.
    pub fn file(mut self, file: impl AsRef<Path>) -> Self {
        self.0.context.file.get_or_insert_with(|| file.as_ref().to_path_buf());
        self
    }

    /// Names the row group, unless one is named already.
    pub fn row_group(mut self, row_group: usize) -> Self {
        self.0.context.row_group.get_or_insert(row_group);
        self
    }

    /// Names the column, unless one is named already.
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.0.context.column.get_or_insert_with(|| column.into());
        self
    }

    /// Names the operator, unless one is named already.
    pub fn operator(mut self, operator: impl Into<String>) -> Self {
        self.0.context.operator.get_or_insert_with(|| operator.into());
        self
    }

    /// Says what to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Keeps the cause.
    pub fn source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
    ) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Marks the byte range of the user's text at fault, unless an inner part is marked already.
    /// Whoever holds the text turns it into a [`Snippet`] with [`Error::in_text`].
    pub fn span(mut self, span: Range<usize>) -> Self {
        self.0.span.get_or_insert(span);
        self
    }

    /// Attaches the text that the span of this error points into; without a span, nothing changes.
    pub fn in_text(mut self, text: &str) -> Self {
        if self.0.snippet.is_none()
            && let Some(range) = self.0.span.clone()
            && range.end <= text.len()
        {
            self.0.snippet = Some(Snippet { text: text.to_string(), range });
        }
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What happened, without place and remedy.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it happened.
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// The text at fault, if the error is about a piece of the user's text.
    pub fn snippet(&self) -> Option<&Snippet> {
        self.0.snippet.as_ref()
    }

    /// What to do about it, if something helps.
    pub fn remedy_text(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }
}

impl fmt::Display for Error {
    /// One line: `message [file, row group, column, operator]: cause`, then `; remedy`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { message, context, remedy, source, .. } = &*self.0;
        f.write_str(message)?;
        let places: Vec<String> = [
            context.file.as_ref().map(|file| format!("file '{}'", file.display())),
            context.row_group.map(|index| format!("row group {index}")),
            context.column.as_ref().map(|column| format!("column '{column}'")),
            context.operator.as_ref().map(|operator| format!("in {operator}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !places.is_empty() {
            write!(f, " [{}]", places.join(", "))?;
        }
        if let Some(source) = source {
            write!(f, ": {source}")?;
        }
        if let Some(remedy) = remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

impl From<arrow::error::ArrowError> for Error {
    /// Kernels report overflow, division by zero and bad casts this way: the data is at fault.
    fn from(error: arrow::error::ArrowError) -> Self {
        use arrow::error::ArrowError;
        match error {
            ArrowError::IoError(message, source) => Self::io(message, source),
            ArrowError::DivideByZero => Self::invalid_data("division by zero")
                .remedy("guard the divisor with nullif(divisor, 0)"),
            ArrowError::ArithmeticOverflow(message) => {
                Self::invalid_data(format!("arithmetic overflow: {message}"))
                    .remedy("cast an operand to a wider type, such as DOUBLE or DECIMAL(38, 0)")
            }
            ArrowError::CastError(message) => {
                Self::invalid_data(message).remedy("use try_cast to turn bad values into NULL")
            }
            ArrowError::ComputeError(message)
            | ArrowError::InvalidArgumentError(message)
            | ArrowError::ParseError(message)
            | ArrowError::IpcError(message)
            | ArrowError::CsvError(message)
            | ArrowError::JsonError(message) => Self::invalid_data(message),
            ArrowError::NotYetImplemented(message) => Self::unsupported(message),
            other => Self::internal(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_with_place_cause_and_remedy() {
        let error = Error::invalid_data("page is corrupt")
            .file("a.parquet")
            .row_group(3)
            .column("x")
            .remedy("restore the file");
        assert_eq!(
            error.to_string(),
            "page is corrupt [file 'a.parquet', row group 3, column 'x']; restore the file"
        );
    }

    #[test]
    fn inner_context_wins() {
        let error = Error::invalid_input("no").column("inner").column("outer");
        assert_eq!(error.context().column.as_deref(), Some("inner"));
        let error = Error::invalid_input("no").span(2..3).span(0..9).in_text("a + b");
        assert_eq!(error.snippet().map(|s| s.range.clone()), Some(2..3));
    }

    #[test]
    fn a_full_disk_is_out_of_disk() {
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Error::io("cannot spill", full).kind(), ErrorKind::OutOfDisk);
    }
}
