//! The stores that names are about: made once for each bucket or server, with what the environment says.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dframe_core::{CancelToken, Error, Result};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::limit::LimitStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::Object;
use super::network::Network;
use super::url::{Kind, Url};
use crate::file::Version;

/// Requests to a store that are made at once.
const REQUESTS_MAX: usize = 64;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a server may send nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// The whole answer; large, as a slow network is none that has failed.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// How stores are reached.
#[derive(Clone, Debug, Default)]
pub struct StoreOptions {
    /// The URL of the server, where it is not the one of the cloud's owner.
    pub endpoint: Option<String>,
    /// Ends all waiting.
    pub cancel: CancelToken,
}

/// The stores that objects are in, with their connections. Cloning shares them. Nothing is started before
/// the first object is named.
#[derive(Clone, Debug, Default)]
pub struct Stores {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    endpoint: Option<String>,
    network: Arc<Network>,
    known: Mutex<HashMap<String, Arc<Store>>>,
}

/// A bucket, or a web server.
#[derive(Debug)]
pub(crate) struct Store {
    pub(super) kind: Kind,
    /// What names of its objects begin with: `s3://bucket`.
    pub(super) root: String,
    /// What follows their names.
    query: String,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) network: Arc<Network>,
}

impl Stores {
    /// Stores that are reached so.
    pub fn new(options: StoreOptions) -> Self {
        let network = Arc::new(Network::new(options.cancel));
        let shared = Shared { endpoint: options.endpoint, network, known: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// The store of a name.
    ///
    /// # Errors
    /// What the environment says of it cannot be.
    pub(super) fn of(&self, url: &Url<'_>) -> Result<Arc<Store>> {
        let name = format!("{}{}", url.root, url.query);
        let mut known = self.shared.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = known.get(&name) {
            return Ok(store.clone());
        }
        let endpoint = self.shared.endpoint.as_deref();
        let store = made(url, endpoint).map_err(|error| {
            let message = format!("the store cannot be used: {error}");
            Error::invalid_input(message).file(url.root).remedy(url.kind.environment())
        })?;
        let store = Arc::new(Store {
            kind: url.kind,
            root: url.root.to_string(),
            query: url.query.to_string(),
            store: Arc::new(LimitStore::new(store, REQUESTS_MAX)),
            network: self.shared.network.clone(),
        });
        known.insert(name, store.clone());
        Ok(store)
    }
}

impl Store {
    /// The object of a key.
    pub(super) fn object(
        self: &Arc<Self>,
        key: object_store::path::Path,
        found: Option<Version>,
    ) -> Object {
        let name = PathBuf::from(format!("{}/{key}{}", self.root, self.query));
        Object { store: self.clone(), key, name, found }
    }
}

fn made(url: &Url<'_>, endpoint: Option<&str>) -> object_store::Result<Arc<dyn ObjectStore>> {
    // An application that has chosen another one keeps it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(READ_TIMEOUT)
        .with_timeout(TIMEOUT);
    Ok(match url.kind {
        Kind::S3 => Arc::new(s3(url, endpoint, client)?),
        Kind::Gcs => Arc::new(gcs(url, endpoint, client)?),
        Kind::Azure => Arc::new(azure(url, endpoint, client)?),
        Kind::Http => {
            let builder = HttpBuilder::new().with_url(format!("{}/{}", url.root, url.query));
            // Whoever writes http:// means it.
            let client = client.with_allow_http(true);
            Arc::new(builder.with_client_options(client).with_retry(retries()).build()?)
        }
    })
}

fn s3(
    url: &Url<'_>,
    endpoint: Option<&str>,
    client: ClientOptions,
) -> object_store::Result<object_store::aws::AmazonS3> {
    let mut builder = AmazonS3Builder::new().with_client_options(client).with_retry(retries());
    for (key, value) in variables("AWS_") {
        if is_loopback(&value) && key.starts_with("aws_endpoint") {
            builder = builder.with_allow_http(true);
        }
        if let Ok(key) = key.parse() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = endpoint {
        // Above all variables of the environment.
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        builder = if is_loopback(endpoint) { builder.with_allow_http(true) } else { builder };
    }
    builder.with_bucket_name(url.bucket).build()
}

fn gcs(
    url: &Url<'_>,
    endpoint: Option<&str>,
    client: ClientOptions,
) -> object_store::Result<object_store::gcp::GoogleCloudStorage> {
    let client = client.with_allow_http(endpoint.is_some_and(is_loopback));
    let builder = GoogleCloudStorageBuilder::new();
    let mut builder = builder.with_client_options(client).with_retry(retries());
    for (key, value) in variables("GOOGLE_") {
        // As Google's own programs call it.
        let key = key.parse().or_else(|error| match key.as_str() {
            "google_application_credentials" => Ok(GoogleConfigKey::ApplicationCredentials),
            _ => Err(error),
        });
        if let Ok(key) = key {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_config(GoogleConfigKey::BaseUrl, endpoint);
    }
    builder.with_bucket_name(url.bucket).build()
}

fn azure(
    url: &Url<'_>,
    endpoint: Option<&str>,
    client: ClientOptions,
) -> object_store::Result<object_store::azure::MicrosoftAzure> {
    let client = client.with_allow_http(endpoint.is_some_and(is_loopback));
    let builder = MicrosoftAzureBuilder::new();
    let mut builder = builder.with_client_options(client).with_retry(retries());
    for (key, value) in variables("AZURE_") {
        if let Ok(key) = key.parse() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.to_string());
    }
    builder.with_url(url.root).build()
}

/// The variables of the environment that begin so, in lower case.
fn variables(prefix: &str) -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(move |(key, value)| {
        let key = key.to_str().filter(|key| key.starts_with(prefix))?.to_ascii_lowercase();
        Some((key, value.into_string().ok()?))
    })
}

/// Whether a URL is one of this machine without encryption, where there is nothing to protect.
fn is_loopback(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or_default();
    let host = host.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}

/// What may succeed is tried again, for a few seconds.
fn retries() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(4),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries: 5, retry_timeout: Duration::from_secs(60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_trusted_without_encryption() {
        for url in ["http://127.0.0.1:9000", "http://localhost/x", "http://[::1]:1", "http://127.1"]
        {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["https://127.0.0.1", "http://example.org", "http://localhost.org:1", "x", ""] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
