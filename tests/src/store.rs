//! A store on this machine for tests: speaks S3 as far as readers and writers need it, and fails when it is told to.
//!
//! ```text
//!   Store::start --url--> dframe --endpoint url        or http://host:port/key
//!      | put, fail, forget                             one thread for each connection
//! ```

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The bucket that there is.
pub const BUCKET: &str = "bucket";
/// The user who may read it.
pub const USER: &str = "somebody";
/// Keys that one answer lists at most.
const PAGE: usize = 5;

/// What an answer to a request about an object is instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A status, such as 503.
    Status(u16),
    /// Half of the body, and the end of the connection.
    Truncated,
    /// The whole body, in drops.
    Slow,
    /// No answer, and the end of the connection.
    Hangup,
    /// All of the object, whatever part was asked for.
    Whole,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    /// How many answers are faults, and which; once some others have been given.
    after: usize,
    faults: usize,
    fault: Option<Fault>,
    /// What is put instead of an object once it has been read so many times.
    change: Option<(usize, String, Vec<u8>)>,
    latency: Duration,
    requests: usize,
    puts: u64,
    /// Parts of objects that are not there yet, by upload and number.
    uploads: BTreeMap<u64, BTreeMap<u64, Vec<u8>>>,
}

/// A running store; it ends with the test.
#[derive(Clone)]
pub struct Store {
    /// Where it is: `http://127.0.0.1:1234`.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Store {
    /// Starts one.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let store = Self { url, state: Arc::default() };
        let served = store.clone();
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = served.clone();
                spawn(move || served.serve(stream));
            }
        });
        store
    }

    /// Puts an object.
    pub fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.with(|state| state.put(key, bytes.into()));
    }

    /// The object.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.with(|state| state.objects.get(key).map(|(bytes, _)| bytes.clone()))
    }

    /// The names of all objects, in order.
    pub fn names(&self) -> Vec<String> {
        self.with(|state| state.objects.keys().cloned().collect())
    }

    /// How many objects are begun, and neither whole nor given up.
    pub fn unfinished(&self) -> usize {
        self.with(|state| state.uploads.len())
    }

    /// Gives `count` faults for answers, after `after` that are none.
    pub fn fail(&self, fault: Fault, after: usize, count: usize) {
        self.with(|state| {
            (state.fault, state.after, state.faults) = (Some(fault), after, count);
        });
    }

    /// Puts an object once objects have been read so many times.
    pub fn change_after(&self, reads: usize, key: &str, bytes: impl Into<Vec<u8>>) {
        self.with(|state| state.change = Some((reads, key.to_string(), bytes.into())));
    }

    /// Lets every answer take this long.
    pub fn delay(&self, latency: Duration) {
        self.with(|state| state.latency = latency);
    }

    /// The requests so far.
    pub fn requests(&self) -> usize {
        self.with(|state| state.requests)
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn serve(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some(request) = Request::read(&mut lines) {
            std::thread::sleep(self.with(|state| state.latency));
            let (answer, fault) = self.with(|state| state.answer(&request));
            if answer.send(&mut stream, request.method == "HEAD", fault).is_none() {
                return;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a server of a test is beside the engine")]
fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

struct Request {
    method: String,
    /// Without the query.
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    fn read(lines: &mut impl BufRead) -> Option<Self> {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_string(), words.next()?.to_string());
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_string());
        }
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = pairs.map(|(key, value)| (key.to_string(), unescaped(value))).collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        Some(Self { method, path: unescaped(path), query, headers, body })
    }
}

fn unescaped(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| char::from(byte.unwrap()).to_digit(16).unwrap() as u8;
        out.push(if byte == b'%' { hex(bytes.next()) * 16 + hex(bytes.next()) } else { byte });
    }
    String::from_utf8(out).unwrap()
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn error(status: u16, code: &str) -> Self {
        let body = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
        Self { status, headers: Vec::new(), body: body.into_bytes() }
    }

    /// `None` ends the connection.
    fn send(&self, stream: &mut TcpStream, head: bool, fault: Option<Fault>) -> Option<()> {
        if fault == Some(Fault::Hangup) {
            return None;
        }
        let mut out =
            format!("HTTP/1.1 {} X\r\nContent-Length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            out += &format!("{name}: {value}\r\n");
        }
        stream.write_all((out + "\r\n").as_bytes()).ok()?;
        match fault {
            _ if head => Some(()),
            Some(Fault::Truncated) => {
                stream.write_all(&self.body[..self.body.len() / 2]).ok()?;
                None
            }
            Some(Fault::Slow) => {
                for drop in self.body.chunks(self.body.len().div_ceil(20).max(1)) {
                    stream.write_all(drop).ok()?;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Some(())
            }
            _ => stream.write_all(&self.body).ok(),
        }
    }
}

impl State {
    fn put(&mut self, key: &str, bytes: Vec<u8>) {
        self.puts += 1;
        self.objects.insert(key.to_string(), (bytes, self.puts));
    }

    fn answer(&mut self, request: &Request) -> (Answer, Option<Fault>) {
        self.requests += 1;
        let path = request.path.trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let signature = request.headers.get("authorization").cloned().unwrap_or_default();
        if !signature.is_empty() && !signature.contains(&format!("Credential={USER}/")) {
            return (Answer::error(403, "InvalidAccessKeyId"), None);
        }
        if bucket != BUCKET {
            return (Answer::error(404, "NoSuchBucket"), None);
        }
        if key.is_empty() && request.query.contains_key("delete") {
            return (self.delete(request), None);
        }
        if key.is_empty() {
            return (self.list(request), None);
        }
        let fault = self.fault();
        if let Some(Fault::Status(status)) = fault {
            return (Answer::error(status, "Injected"), None);
        }
        let answer = match request.method.as_str() {
            "GET" | "HEAD" => self.read(key, request, fault),
            _ => self.write(key, request),
        };
        (answer, fault)
    }

    /// Many objects at once, which may be none.
    fn delete(&mut self, request: &Request) -> Answer {
        let body = String::from_utf8(request.body.clone()).unwrap();
        let keys = body.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap());
        let mut deleted = String::new();
        for key in keys {
            self.objects.remove(key);
            deleted += &format!("<Deleted><Key>{key}</Key></Deleted>");
        }
        let body = format!("<DeleteResult>{deleted}</DeleteResult>").into_bytes();
        Answer { status: 200, headers: Vec::new(), body }
    }

    /// A whole object, or one in parts: begun, filled, completed or given up.
    fn write(&mut self, key: &str, request: &Request) -> Answer {
        let number = |name: &str| request.query.get(name).and_then(|text| text.parse().ok());
        let upload: Option<u64> = number("uploadId");
        let tag = ("ETag", "\"part\"".to_string());
        let done =
            |body: String| Answer { status: 200, headers: vec![tag], body: body.into_bytes() };
        match (request.method.as_str(), upload) {
            ("POST", None) => {
                self.puts += 1;
                self.uploads.insert(self.puts, BTreeMap::new());
                let (kind, id) = ("InitiateMultipartUploadResult", self.puts);
                done(format!("<{kind}><UploadId>{id}</UploadId></{kind}>"))
            }
            ("PUT", None) => {
                self.put(key, request.body.clone());
                done(String::new())
            }
            (method, Some(id)) if self.uploads.contains_key(&id) => match method {
                "PUT" => {
                    let parts = self.uploads.get_mut(&id).unwrap();
                    parts.insert(number("partNumber").unwrap(), request.body.clone());
                    done(String::new())
                }
                "POST" => {
                    let parts = self.uploads.remove(&id).unwrap();
                    self.put(key, parts.into_values().flatten().collect::<Vec<u8>>());
                    let kind = "CompleteMultipartUploadResult";
                    done(format!("<{kind}><ETag>whole</ETag></{kind}>"))
                }
                _ => {
                    self.uploads.remove(&id);
                    Answer { status: 204, headers: Vec::new(), body: Vec::new() }
                }
            },
            _ => Answer::error(404, "NoSuchUpload"),
        }
    }

    fn fault(&mut self) -> Option<Fault> {
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        self.faults = self.faults.checked_sub(1)?;
        self.fault
    }

    fn read(&mut self, key: &str, request: &Request, fault: Option<Fault>) -> Answer {
        if let Some((reads, changed, bytes)) = self.change.take() {
            match reads.checked_sub(1) {
                None => self.put(&changed, bytes),
                Some(reads) => self.change = Some((reads, changed, bytes)),
            }
        }
        let Some((bytes, version)) = self.objects.get(key) else {
            return Answer::error(404, "NoSuchKey");
        };
        let tag = format!("\"v{version}\"");
        if request.headers.get("if-match").is_some_and(|wanted| *wanted != tag) {
            return Answer::error(412, "PreconditionFailed");
        }
        let mut headers = vec![
            ("ETag", tag),
            ("Last-Modified", "Sat, 28 Nov 2026 00:00:00 GMT".to_string()),
            ("Accept-Ranges", "bytes".to_string()),
        ];
        let whole = Answer { status: 200, headers: headers.clone(), body: bytes.clone() };
        let Some(range) = request.headers.get("range").filter(|_| fault != Some(Fault::Whole))
        else {
            return whole;
        };
        let (start, end) = range.trim_start_matches("bytes=").split_once('-').unwrap();
        let start: usize = start.parse().unwrap();
        let end = end.parse().map_or(bytes.len(), |last: usize| bytes.len().min(last + 1));
        if start >= end {
            return Answer::error(416, "InvalidRange");
        }
        headers.push(("Content-Range", format!("bytes {start}-{}/{}", end - 1, bytes.len())));
        Answer { status: 206, headers, body: bytes[start..end].to_vec() }
    }

    fn list(&self, request: &Request) -> Answer {
        let query = |name: &str| request.query.get(name).cloned().unwrap_or_default();
        let (prefix, delimiter) = (query("prefix"), query("delimiter"));
        let after = query("continuation-token");
        let mut body = "<?xml version=\"1.0\"?><ListBucketResult>".to_string();
        let mut listed = 0;
        let mut last = String::new();
        for (key, (bytes, version)) in &self.objects {
            let rest = key.strip_prefix(&prefix);
            let Some(rest) = rest.filter(|_| after.is_empty() || *key > after) else { continue };
            if !delimiter.is_empty() && rest.contains(&delimiter) {
                continue;
            }
            if listed == PAGE {
                body += "<IsTruncated>true</IsTruncated>";
                body += &format!("<NextContinuationToken>{last}</NextContinuationToken>");
                break;
            }
            (listed, last) = (listed + 1, key.clone());
            body += &format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><ETag>&quot;v{version}&quot;</ETag>\
                 <LastModified>2026-11-28T00:00:00.000Z</LastModified></Contents>",
                bytes.len()
            );
        }
        let body = (body + "</ListBucketResult>").into_bytes();
        Answer { status: 200, headers: Vec::new(), body }
    }
}
