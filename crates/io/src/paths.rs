//! Turns what the user names (files, directories, globs) into a list of files of one format.
//!
//! Knows names only; whether a file is what its name says is found out when it is read.

use std::path::{Path, PathBuf};

use dframe_core::{Error, Result};

use crate::file::Place;
use crate::object::{self, Stores, Url};

/// What the user names, and the stores that objects among it are in.
///
/// ```
/// use dframe_io::{Inputs, InputFormat};
///
/// let inputs = Inputs::from(&["trades.parquet".to_string()]);
/// assert_eq!(InputFormat::of(&inputs)?, InputFormat::Parquet);
/// # Ok::<(), dframe_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inputs {
    pub(crate) names: Vec<String>,
    pub(crate) stores: Stores,
}

impl Inputs {
    /// Files, directories, globs, and URLs of objects, which are reached by `stores`.
    pub fn new(names: Vec<String>, stores: Stores) -> Self {
        Self { names, stores }
    }

    /// Of these, one.
    pub(crate) fn only(&self, name: &str) -> Self {
        Self { names: vec![name.to_string()], stores: self.stores.clone() }
    }
}

impl From<&Inputs> for Inputs {
    fn from(inputs: &Inputs) -> Self {
        inputs.clone()
    }
}

/// With stores of their own.
impl From<&[String]> for Inputs {
    fn from(names: &[String]) -> Self {
        Self::new(names.to_vec(), Stores::default())
    }
}

impl From<&Vec<String>> for Inputs {
    fn from(names: &Vec<String>) -> Self {
        Self::from(names.as_slice())
    }
}

impl<const N: usize> From<&[String; N]> for Inputs {
    fn from(names: &[String; N]) -> Self {
        Self::from(names.as_slice())
    }
}

/// The names of files that are taken from directories. A file named by the user may have any.
#[derive(Debug)]
pub(crate) struct Extensions {
    /// What such files are.
    what: &'static str,
    /// In lower case.
    names: &'static [&'static str],
    /// Extensions that may follow, in lower case.
    packed: &'static [&'static str],
}

pub(crate) const PARQUET: Extensions =
    Extensions { what: "parquet", names: &["parquet", "parq"], packed: &[] };
pub(crate) const CSV: Extensions = Extensions {
    what: "csv",
    names: &["csv", "tsv", "tab", "psv"],
    packed: &["gz", "gzip", "zst", "zstd", "bz2", "xz"],
};

pub(crate) const JSON: Extensions = Extensions {
    what: "json",
    names: &["ndjson", "jsonl", "json"],
    packed: &["gz", "gzip", "zst", "zstd", "bz2", "xz"],
};
pub(crate) const IPC: Extensions =
    Extensions { what: "arrow", names: &["arrow", "arrows", "ipc", "feather"], packed: &[] };

pub(crate) const AVRO: Extensions = Extensions { what: "avro", names: &["avro"], packed: &[] };
pub(crate) const SQLITE: Extensions =
    Extensions { what: "SQLite", names: &["sqlite", "sqlite3", "db"], packed: &[] };

impl Extensions {
    /// Whether a file is called like this.
    pub(crate) fn fit(&self, path: &Path) -> bool {
        self.of(path).is_some()
    }

    /// Which of these extensions a file has.
    pub(crate) fn of(&self, path: &Path) -> Option<&'static str> {
        let last = known(path, self.names);
        last.or_else(|| {
            known(path, self.packed).and_then(|_| known(Path::new(path.file_stem()?), self.names))
        })
    }
}

fn known(path: &Path, names: &[&'static str]) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?;
    names.iter().copied().find(|name| extension.eq_ignore_ascii_case(name))
}

/// The files that `inputs` name, in the order given; directories and globs in the order of names.
pub(crate) fn expand(inputs: &Inputs, wanted: &Extensions) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for name in &inputs.names {
        if let Some(url) = Url::parse(name) {
            let fit = |key: &Path| wanted.fit(key);
            let objects = object::expand(&url, &inputs.stores, wanted.what, &fit)?;
            places.extend(objects.into_iter().map(Place::Object));
            continue;
        }
        let mut files = Vec::new();
        expand_one(name, wanted, &mut files)?;
        places.extend(files.into_iter().map(Place::Local));
    }
    if places.is_empty() {
        let remedy = format!("name a {} file", wanted.what);
        return Err(Error::invalid_input("no input file is named").remedy(remedy));
    }
    Ok(places)
}

/// The files that `names` name, for a format that is read with the means of the file system.
pub(crate) fn expand_local(names: &[String], wanted: &Extensions) -> Result<Vec<PathBuf>> {
    if let Some(name) = names.iter().find(|name| Url::parse(name).is_some()) {
        let what = wanted.what;
        return Err(Error::unsupported(format!("a {what} file cannot be read from a store"))
            .file(name)
            .remedy("copy it, and read the copy"));
    }
    let places = expand(&Inputs::from(names), wanted)?;
    Ok(places.iter().map(|place| place.path().to_path_buf()).collect())
}

fn expand_one(path: &str, wanted: &Extensions, files: &mut Vec<PathBuf>) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => expand_directory(Path::new(path), wanted, files),
        Ok(_) => {
            files.push(PathBuf::from(path));
            Ok(())
        }
        Err(_) if is_pattern(path) => expand_pattern(path, wanted, files),
        Err(error) => Err(unreadable(Path::new(path), error)),
    }
}

fn expand_directory(folder: &Path, wanted: &Extensions, files: &mut Vec<PathBuf>) -> Result<()> {
    let before = files.len();
    walk(folder, wanted, files)?;
    if files.len() == before {
        let message = format!("the directory holds no {} file", wanted.what);
        let remedy =
            format!("name a directory with *.{} files, or the files themselves", wanted.what);
        return Err(Error::invalid_input(message).file(folder).remedy(remedy));
    }
    Ok(())
}

/// Collects the files below `folder`, skipping names that writers use for themselves.
fn walk(folder: &Path, wanted: &Extensions, files: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |error| Error::io("cannot list the directory", error).file(folder);
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    entries.sort();
    for path in entries.into_iter().filter(|path| !is_hidden(path)) {
        if path.is_dir() {
            walk(&path, wanted, files)?;
        } else if wanted.fit(&path) {
            files.push(path);
        }
    }
    Ok(())
}

pub(crate) fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    matches!(name.first(), Some(b'_' | b'.'))
}

pub(crate) fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// As in a shell, `*` does not match the dot that hides a file.
pub(crate) const LIKE_A_SHELL: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: true,
};

fn expand_pattern(pattern: &str, wanted: &Extensions, files: &mut Vec<PathBuf>) -> Result<()> {
    let before = files.len();
    let matches = glob::glob_with(pattern, LIKE_A_SHELL);
    let matches = matches.map_err(|error| bad_pattern(pattern, error.msg))?;
    for found in matches {
        let path = found.map_err(|error| {
            let path = error.path().to_path_buf();
            Error::io("cannot list the directory", error.into()).file(path)
        })?;
        if path.is_dir() {
            walk(&path, wanted, files)?;
        } else {
            files.push(path);
        }
    }
    if files.len() == before {
        return Err(Error::invalid_input(format!("no file matches '{pattern}'"))
            .remedy("check the pattern; quote it so that the shell leaves it alone"));
    }
    Ok(())
}

/// The error for a glob that is none.
pub(crate) fn bad_pattern(pattern: &str, why: &str) -> Error {
    Error::invalid_input(format!("'{pattern}' is not a glob: {why}"))
        .remedy("escape special characters as [*], [?] or [[]")
}

/// What a source of so many files is called: after its first.
pub(crate) fn name_of(first: &Path, files: usize) -> String {
    let first = first.display();
    match files {
        1 => first.to_string(),
        count => format!("{first} and {} more", count - 1),
    }
}

/// The error for a path that cannot be read; a missing one comes with the nearest names.
pub(crate) fn unreadable(path: &Path, error: std::io::Error) -> Error {
    if error.kind() != std::io::ErrorKind::NotFound {
        return Error::io("cannot read", error).file(path);
    }
    let missing = Error::io("no such file", error).file(path);
    match nearest_names(path).as_slice() {
        [] => missing.remedy("check the path"),
        names => missing.remedy(format!("did you mean {}?", names.join(" or "))),
    }
}

/// Up to three names in the folder of `path` that look like its own.
fn nearest_names(path: &Path) -> Vec<String> {
    let Some(wanted) = path.file_name().map(|name| name.to_string_lossy()) else {
        return Vec::new();
    };
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten();
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let place = |name: &str| folder.map_or(name.into(), |f| f.join(name).display().to_string());
    nearest(&wanted, names.map(|name| (name.clone(), place(&name))).collect())
}

/// Up to three of the places, in quotes, whose names look most like the one wanted.
pub(crate) fn nearest(wanted: &str, names: Vec<(String, String)>) -> Vec<String> {
    let score = |name: &str| strsim::jaro_winkler(stem(name), stem(wanted));
    let mut scored: Vec<(f64, String)> = names
        .into_iter()
        .map(|(name, place)| (score(&name), place))
        .filter(|(score, _)| *score > 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    scored.into_iter().take(3).map(|(_, place)| format!("'{place}'")).collect()
}

/// What is left of a name without its extension, which most files share.
fn stem(name: &str) -> &str {
    Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name)
}
