//! What went wrong with a request, in the words of this house, and what helps.

use std::path::Path;

use dframe_core::Error;

use super::url::Kind;
use crate::file::changed;

/// Where a machine of a cloud is asked who it is: the last place that credentials are looked for in.
const METADATA: &str = "169.254.169.254";

/// What readers could not do, if nothing else is known.
pub(super) const READ: &str = "cannot read";
/// What writers could not do.
pub(super) const WRITE: &str = "cannot write";

impl Kind {
    /// Where access comes from.
    pub(super) fn environment(self) -> &'static str {
        match self {
            Self::S3 => {
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION; for a public bucket, \
                 AWS_SKIP_SIGNATURE=true"
            }
            Self::Gcs => {
                "set GOOGLE_APPLICATION_CREDENTIALS to a key file; for a public bucket, \
                 GOOGLE_SKIP_SIGNATURE=true"
            }
            Self::Azure => {
                "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY; for a public \
                 container, AZURE_SKIP_SIGNATURE=true"
            }
            Self::Http => "check the name, and whether the server wants a signature in it",
        }
    }
}

/// The error of a request about `name`; `what` could not be done if nothing else is known.
pub(super) fn failed(error: object_store::Error, kind: Kind, name: &Path, what: &str) -> Error {
    use object_store::Error as Fault;
    match error {
        Fault::Precondition { .. } | Fault::NotModified { .. } => changed(name),
        Fault::NotFound { .. } => missing(error, kind, name),
        Fault::PermissionDenied { .. } | Fault::Unauthenticated { .. } => {
            refused(error, kind, name)
        }
        error => generic(error, kind, name, what),
    }
}

fn refused(error: object_store::Error, kind: Kind, name: &Path) -> Error {
    io("the store refuses access", error).file(name).remedy(kind.environment())
}

/// What has no kind of its own there is told by its words.
fn generic(error: object_store::Error, kind: Kind, name: &Path, what: &str) -> Error {
    let text = with_causes(&error);
    let says = |word: &str| text.contains(word);
    if matches!(error, object_store::Error::NotSupported { .. }) || says("non-partial") {
        return Error::unsupported("the server serves no parts of files")
            .source(error)
            .file(name)
            .remedy("copy the file, and read the copy");
    }
    // Lists are refused in the same words as other errors of theirs.
    if says("403 Forbidden") || says("401 Unauthorized") {
        return refused(error, kind, name);
    }
    if says("404 Not Found") {
        return missing(error, kind, name);
    }
    if says(METADATA) {
        return io("there are no credentials", error).file(name).remedy(kind.environment());
    }
    let remedy = if says("redirect") {
        "set AWS_REGION to the region of the bucket"
    } else if says("URL scheme is not allowed") {
        "write https://, or set AWS_ALLOW_HTTP=true if nobody else can listen"
    } else if says("error sending request") {
        "check the network, the name and --endpoint"
    } else {
        "run the query again later"
    };
    io(what, error).file(name).remedy(remedy)
}

/// The error for what is not there.
pub(super) fn missing(error: object_store::Error, kind: Kind, name: &Path) -> Error {
    let no_bucket = ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"];
    let text = with_causes(&error);
    let what = match kind {
        Kind::Http => "no such file",
        _ if no_bucket.iter().any(|code| text.contains(code)) => "no such bucket",
        _ => "no such object",
    };
    let remedy = match what {
        "no such bucket" => "check its name, and --endpoint if it is not in the cloud",
        _ => "check the name",
    };
    io(what, error).file(name).remedy(remedy)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn io(message: &str, error: object_store::Error) -> Error {
    Error::io(message, std::io::Error::other(error))
}
