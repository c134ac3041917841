//! Who may see what: requests of browsers, answered.
//!
//! | request | answer |
//! |---|---|
//! | `GET /?token=..` | the page |
//! | `GET /events?token=..` | what happens, until the run is over |
//! | another name for this machine (a page elsewhere that has its own name point here), a wrong token | 403 |
//! | another path | 404 |
//! | another method | 405 |
//!
//! Nothing is read from disks, and no request changes anything.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::feed::{Feed, Reader};
use crate::profile::{Page, SCRIPT};

/// Connections at once; further ones wait.
const CONNECTIONS: usize = 64;
/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(10);
/// After an accept that failed, for want of files say.
const PAUSE: Duration = Duration::from_millis(100);
/// Listens to events.
const LISTENER: &str = include_str!("live.js");

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What is served.
#[derive(Debug)]
pub struct Site {
    /// The run.
    pub feed: Arc<Feed>,
    /// What a request must know.
    pub token: String,
    /// The name of the address that is listened at.
    pub name: String,
}

/// Serves until the run is over and all readers know.
pub async fn serve(listener: TcpListener, site: Arc<Site>) {
    let mut outcome = site.feed.outcome.subscribe();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    let accept = async {
        loop {
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let site = site.clone();
                    open.spawn(async move {
                        connection(stream, site).await;
                        drop(permit);
                    });
                    // Those that have ended.
                    while open.try_join_next().is_some() {}
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    tokio::select! {
        () = accept => {}
        _ = outcome.wait_for(Option::is_some) => {}
    }
    drop(listener);
    open.join_all().await;
}

/// Answers one request. Who has asked for nothing when the run is over gets nothing any more.
async fn connection(stream: TcpStream, site: Arc<Site>) {
    let mut outcome = site.feed.outcome.subscribe();
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        std::future::ready(Ok::<_, Infallible>(answer(&site, &request)))
    });
    let talk = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service);
    let leave = async {
        let over = outcome.wait_for(Option::is_some).await.is_ok();
        if over && has_asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    // A connection that breaks is the reader's end, and nobody else's.
    tokio::select! {
        _ = talk => {}
        () = leave => {}
    }
}

fn answer(site: &Site, request: &Request<Incoming>) -> Response<Body> {
    let mut response = match refusal(site, request) {
        Some((status, text)) => short(status, text),
        None => match request.uri().path() {
            "/" => page(site),
            "/events" => events(site),
            _ => short(StatusCode::NOT_FOUND, "there is nothing here\n"),
        },
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    response
}

/// Why a request gets nothing.
fn refusal(site: &Site, request: &Request<Incoming>) -> Option<(StatusCode, &'static str)> {
    let has_token = || {
        let pairs = request.uri().query().unwrap_or_default().split('&');
        let mut tokens = pairs.filter_map(|pair| pair.strip_prefix("token="));
        tokens.any(|token| token.as_bytes().ct_eq(site.token.as_bytes()).into())
    };
    if !is_for(request.headers(), &site.name) {
        Some((StatusCode::FORBIDDEN, "not a name of this machine\n"))
    } else if request.method() != Method::GET {
        Some((StatusCode::METHOD_NOT_ALLOWED, "there is nothing to change here\n"))
    } else if !has_token() {
        Some((StatusCode::FORBIDDEN, "the token is not that of the address that dframe printed\n"))
    } else {
        None
    }
}

/// Whether a request is for this machine by one of its own names; the port may be that of a tunnel.
fn is_for(headers: &HeaderMap, name: &str) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    let names = ["localhost", "127.0.0.1", "[::1]", name];
    authority.is_some_and(|host| names.iter().any(|name| host.host().eq_ignore_ascii_case(name)))
}

fn short(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = whole(text.into(), HeaderValue::from_static("text/plain; charset=utf-8"));
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

fn whole(bytes: Bytes, kind: HeaderValue) -> Response<Body> {
    let mut response = Response::new(Full::new(bytes).boxed_unsync());
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The page; of all scripts a browser runs only those that were put there.
fn page(site: &Site) -> Response<Body> {
    // Who sees the page knows the token, and is meant to: a second secret would hide nothing more.
    let nonce = &site.token;
    let page = Page {
        data: &site.feed.beginning(),
        graph: "",
        scripts: &[SCRIPT, LISTENER],
        attributes: &format!(" nonce=\"{nonce}\""),
    };
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let mut response = whole(page.html().into(), kind);
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn events(site: &Site) -> Response<Body> {
    let events = stream::unfold(Reader::new(site.feed.clone()), |mut reader| async {
        let event = reader.event().await?;
        Some((Ok::<_, Infallible>(Frame::data(event)), reader))
    });
    let mut response = Response::new(StreamBody::new(events).boxed_unsync());
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let asked = |host: &str| {
            let host = HeaderValue::from_str(host).unwrap();
            is_for(&HeaderMap::from_iter([(header::HOST, host)]), "127.0.0.2")
        };
        for host in ["127.0.0.1:8787", "localhost", "LOCALHOST:1", "[::1]:80", "127.0.0.2:5"] {
            assert!(asked(host), "{host}");
        }
        for host in
            ["example.org", "127.0.0.1.example.org:80", "localhost.", "", "a b", "127.0.0.3"]
        {
            assert!(!asked(host), "{host}");
        }
        assert!(!is_for(&HeaderMap::new(), "127.0.0.1"));
    }
}
