//! What a name names, if it is a URL: a kind of store, a bucket or server, and a key in it.

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    S3,
    Gcs,
    Azure,
    /// A web server: serves files, and lists none.
    Http,
}

const SCHEMES: [(&str, Kind); 10] = [
    ("s3://", Kind::S3),
    ("s3a://", Kind::S3),
    ("gs://", Kind::Gcs),
    ("gcs://", Kind::Gcs),
    ("az://", Kind::Azure),
    ("azure://", Kind::Azure),
    ("abfs://", Kind::Azure),
    ("abfss://", Kind::Azure),
    ("http://", Kind::Http),
    ("https://", Kind::Http),
];

/// A name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    pub(crate) kind: Kind,
    /// The scheme, and the bucket or server: `s3://bucket`.
    pub(crate) root: &'a str,
    /// The bucket or server.
    pub(crate) bucket: &'a str,
    /// What follows, without the slash between.
    pub(crate) key: &'a str,
    /// What a web server is asked besides: `?signature=...`.
    pub(crate) query: &'a str,
}

impl<'a> Url<'a> {
    /// Takes a name apart; `None` if it names a local file.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let is_scheme = |scheme: &str| {
            name.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        let (scheme, kind) = *SCHEMES.iter().find(|(scheme, _)| is_scheme(scheme))?;
        let (name, query) = match name.find('?') {
            Some(at) if kind == Kind::Http => name.split_at(at),
            _ => (name, ""),
        };
        let rest = &name[scheme.len()..];
        let end = rest.find('/').unwrap_or(rest.len());
        let (root, key) = name.split_at(scheme.len() + end);
        let key = key.strip_prefix('/').unwrap_or(key);
        Some(Self { kind, root, bucket: &rest[..end], key, query })
    }

    /// Whether it may name several objects by a pattern.
    pub(crate) fn is_pattern(&self) -> bool {
        self.kind != Kind::Http && crate::paths::is_pattern(self.key)
    }

    /// Whether it can only name what is below it.
    pub(crate) fn is_prefix(&self) -> bool {
        self.kind != Kind::Http && (self.key.is_empty() || self.key.ends_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str) -> Option<(Kind, &str, &str, &str)> {
        Url::parse(name).map(|url| (url.kind, url.bucket, url.key, url.query))
    }

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(parts("s3://b/a/x.parquet"), Some((Kind::S3, "b", "a/x.parquet", "")));
        assert_eq!(parts("S3://b"), Some((Kind::S3, "b", "", "")));
        assert_eq!(parts("s3://b/x?.csv"), Some((Kind::S3, "b", "x?.csv", "")));
        assert_eq!(parts("http://h:80/x.csv?a=b"), Some((Kind::Http, "h:80", "x.csv", "?a=b")));
        assert_eq!(parts("abfss://c@a.dfs.core.windows.net/x"), {
            Some((Kind::Azure, "c@a.dfs.core.windows.net", "x", ""))
        });
        assert_eq!(parts("s3:/b/x"), None);
        assert_eq!(parts("data/x.parquet"), None);
        assert!(Url::parse("s3://b/*/x.csv").is_some_and(|url| url.is_pattern()));
        assert!(Url::parse("s3://b/a/").is_some_and(|url| url.is_prefix()));
    }
}
