//! The objects that a name stands for: itself, those below it, or those that match it.
//!
//! ```text
//!   s3://b/x.parquet   an object             s3://b/2024/, s3://b/2024   all below that the format wants
//!   s3://b/*/x.csv     those that match
//! ```

use std::path::Path;

use dframe_core::{Error, Result};
use futures_util::TryStreamExt;
use object_store::{ObjectMeta, ObjectStoreExt};
use std::sync::Arc;

use super::fault::{READ, WRITE, failed};
use super::stores::{Store, Stores};
use super::url::{Kind, Url};
use super::{Object, read};
use crate::paths::{LIKE_A_SHELL, bad_pattern, is_hidden, nearest};

/// The objects that a name stands for, in the order of names; of those below it, the ones that `fit`.
///
/// # Errors
/// There is none, or the store does not answer.
pub(crate) fn expand(
    url: &Url<'_>,
    stores: &Stores,
    what: &str,
    fit: &dyn Fn(&Path) -> bool,
) -> Result<Vec<Object>> {
    let store = stores.of(url)?;
    if url.is_pattern() {
        return matching(&store, url);
    }
    if url.is_prefix() {
        let found = below(&store, url.key, fit)?;
        return if found.is_empty() { Err(nothing_below(url, what)) } else { Ok(found) };
    }
    let key = key_of(url)?;
    match found(&store, &key)? {
        Ok(object) => Ok(vec![object]),
        Err(object_store::Error::NotFound { .. }) if url.kind != Kind::Http => {
            let found = below(&store, &format!("{}/", url.key), fit)?;
            if found.is_empty() { Err(no_such(&store, url)) } else { Ok(found) }
        }
        Err(error) => Err(failed(error, url.kind, Path::new(&name_of(url)), READ)),
    }
}

/// All objects below a prefix, but for those that writers keep for themselves; there may be none.
///
/// # Errors
/// The store does not answer.
pub(crate) fn all_below(url: &Url<'_>, stores: &Stores) -> Result<Vec<Object>> {
    below(&stores.of(url)?, url.key, &|_| true)
}

impl Object {
    /// Removes it.
    ///
    /// # Errors
    /// The store does not.
    pub(crate) fn delete(&self) -> Result<()> {
        let object = self.clone();
        self.store.network.wait(async move {
            let deleted = object.store.store.delete(&object.key).await;
            deleted.map_err(|error| failed(error, object.store.kind, &object.name, WRITE))
        })
    }
}

fn name_of(url: &Url<'_>) -> String {
    format!("{}/{}{}", url.root, url.key, url.query)
}

pub(super) fn key_of(url: &Url<'_>) -> Result<object_store::path::Path> {
    use object_store::path::Path as Key;
    let key = match url.kind {
        // A URL has escapes where a key has the characters themselves.
        Kind::Http => Key::from_url_path(url.key),
        _ => Key::parse(url.key),
    };
    key.map_err(|error| {
        Error::invalid_input("the name is none of an object")
            .source(error)
            .file(name_of(url))
            .remedy("check the slashes in it")
    })
}

/// Asks for an object. The outer error is that nobody waits any longer.
fn found(
    store: &Arc<Store>,
    key: &object_store::path::Path,
) -> Result<object_store::Result<Object>> {
    let (client, wanted) = (store.store.clone(), key.clone());
    let asked = store.network.wait(async move { Ok(client.head(&wanted).await) })?;
    Ok(asked.map(|meta| store.object(key.clone(), Some(read::version_of(&meta)))))
}

/// The objects whose keys begin so, which ends at a slash, without those that writers keep for themselves.
fn below(store: &Arc<Store>, prefix: &str, fit: &dyn Fn(&Path) -> bool) -> Result<Vec<Object>> {
    let depth = prefix.trim_matches('/').split('/').filter(|part| !part.is_empty()).count();
    let listed = listed(store, prefix)?;
    let wanted = listed.into_iter().filter(|meta| {
        let key = Path::new(meta.location.as_ref());
        let hidden = key.iter().skip(depth).any(|part| is_hidden(Path::new(part)));
        !hidden && fit(key)
    });
    Ok(in_order(wanted.map(|meta| object_of(store, meta)).collect()))
}

/// The objects that match a pattern; a prefix that matches stands for nothing.
fn matching(store: &Arc<Store>, url: &Url<'_>) -> Result<Vec<Object>> {
    let pattern = glob::Pattern::new(url.key).map_err(|error| bad_pattern(url.key, error.msg))?;
    let special = url.key.find(['*', '?', '[']).unwrap_or(url.key.len());
    let start = url.key[..special].rfind('/').map_or(0, |slash| slash + 1);
    let options = glob::MatchOptions { require_literal_separator: true, ..LIKE_A_SHELL };
    let listed = listed(store, &url.key[..start])?;
    let wanted =
        listed.into_iter().filter(|meta| pattern.matches_with(meta.location.as_ref(), options));
    let objects: Vec<Object> = wanted.map(|meta| object_of(store, meta)).collect();
    match objects.is_empty() {
        false => Ok(in_order(objects)),
        true => Err(Error::invalid_input(format!("no object matches '{}'", name_of(url)))
            .remedy("check the pattern; quote it so that the shell leaves it alone")),
    }
}

fn object_of(store: &Arc<Store>, meta: ObjectMeta) -> Object {
    let version = read::version_of(&meta);
    store.object(meta.location, Some(version))
}

/// As files of directories come: by the parts of their names.
fn in_order(mut objects: Vec<Object>) -> Vec<Object> {
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    objects
}

fn listed(store: &Arc<Store>, prefix: &str) -> Result<Vec<ObjectMeta>> {
    let name = format!("{}/{prefix}", store.root);
    let (client, kind) = (store.store.clone(), store.kind);
    let prefix = object_store::path::Path::parse(prefix.trim_end_matches('/'))
        .map_err(|error| failed(error.into(), kind, Path::new(&name), READ))?;
    store.network.wait(async move {
        let all: Vec<ObjectMeta> = client
            .list(Some(&prefix))
            .try_collect()
            .await
            .map_err(|error| failed(error, kind, Path::new(&name), READ))?;
        Ok(all.into_iter().filter(|meta| meta.size > 0 || !is_marker(meta)).collect())
    })
}

/// Whether an empty object stands for a folder.
fn is_marker(meta: &ObjectMeta) -> bool {
    meta.location.filename().is_none_or(|name| !name.contains('.'))
}

fn nothing_below(url: &Url<'_>, what: &str) -> Error {
    Error::invalid_input(format!("there is no {what} object below it"))
        .file(name_of(url))
        .remedy(format!("name a prefix of *.{what} objects, or the objects themselves"))
}

/// The error for an object that is not there, with the nearest names.
fn no_such(store: &Arc<Store>, url: &Url<'_>) -> Error {
    let missing = Error::io("no such object", std::io::ErrorKind::NotFound.into());
    let missing = missing.file(name_of(url));
    let (folder, wanted) = url.key.rsplit_once('/').unwrap_or(("", url.key));
    let client = store.store.clone();
    let folder = object_store::path::Path::parse(folder).unwrap_or_default();
    let beside = store.network.wait(async move {
        let listed = client.list_with_delimiter(Some(&folder)).await;
        Ok(listed.map(|listed| listed.objects).unwrap_or_default())
    });
    let keys = beside.unwrap_or_default().into_iter();
    let names: Vec<(String, String)> = keys
        .filter_map(|meta| {
            let name = meta.location.filename()?.to_string();
            Some((name, format!("{}/{}", store.root, meta.location)))
        })
        .collect();
    match nearest(wanted, names).as_slice() {
        [] => missing.remedy("check the name"),
        names => missing.remedy(format!("did you mean {}?", names.join(" or "))),
    }
}
