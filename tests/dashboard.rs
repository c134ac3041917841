//! `--dashboard`: who may see it, what readers are told, and that the run does not mind.
//!
//! A run that reads standard input goes on until the test closes it: nothing here depends on who is quicker.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Output, Stdio};

use serde_json::Value;

/// Rows enough to be more than one buffer.
fn table() -> String {
    let rows = (0..20_000).map(|row| format!("{},{}\n", ["a", "b", "c"][row % 3], row));
    std::iter::once("key,value\n".to_string()).chain(rows).collect()
}

const INPUT: [&str; 3] = ["-", "--input-format", "csv"];
const QUERY: [&str; 7] = ["groupby", "--by", "key", "--agg", "sum(value) as v", "--sort", "key"];

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dframe"));
    command
        .args(words)
        .args(INPUT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A run that waits for its input.
struct Run {
    child: Child,
    input: ChildStdin,
    errors: BufReader<std::process::ChildStderr>,
    address: String,
    token: String,
}

impl Run {
    fn begin(words: &[&str]) -> Self {
        let mut child = command(words).spawn().unwrap();
        let (input, mut errors) =
            (child.stdin.take().unwrap(), BufReader::new(child.stderr.take().unwrap()));
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        let url =
            line.trim_end().strip_prefix("dashboard: http://").unwrap_or_else(|| panic!("{line}"));
        let (address, token) = url.split_once("/?token=").unwrap();
        let (address, token) = (address.to_string(), token.to_string());
        Self { child, input, errors, address, token }
    }

    /// Sends the input, and waits for the end.
    fn end(mut self) -> (Output, String) {
        self.input.write_all(table().as_bytes()).unwrap();
        drop(self.input);
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).unwrap();
        (self.child.wait_with_output().unwrap(), errors)
    }

    /// A connection on which this was asked for.
    fn ask(&self, method: &str, target: &str, host: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    fn events(&self) -> TcpStream {
        self.ask("GET", &format!("/events?token={}", self.token), &self.address)
    }

    fn status(&self, method: &str, target: &str, host: &str) -> u32 {
        status(&all(self.ask(method, target, host)))
    }
}

fn all(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

fn status(answer: &str) -> u32 {
    answer.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap()
}

/// The body of an answer in chunks.
fn unchunked(answer: &str) -> String {
    let (head, mut rest) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("transfer-encoding: chunked"), "{head}");
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        if size == 0 {
            return body;
        }
        rest = &after[size + 2..];
    }
}

/// The names and values of server-sent events.
fn told(answer: &str) -> Vec<(String, Value)> {
    let body = unchunked(answer);
    let events = body.split_terminator("\n\n").map(|event| {
        let (name, data) = event.split_once('\n').unwrap();
        let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        (name.strip_prefix("event: ").unwrap().to_string(), data)
    });
    events.collect()
}

#[test]
fn who_has_the_address_sees_the_page_and_nobody_else() {
    let run = Run::begin(&[&QUERY[..], &["--dashboard"]].concat());
    assert!(run.address.starts_with("127.0.0.1:") && run.token.len() == 32, "{}", run.address);
    let (home, page) = (run.address.clone(), format!("/?token={}", run.token));
    let answer = all(run.ask("GET", &page, &home));
    assert_eq!(status(&answer), 200);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-security-policy: default-src 'none';"), "{head}");
    assert!(body.ends_with("</html>\n") && body.contains("EventSource") && !body.contains("src="));
    let wrong = format!("/?token={}", "0".repeat(32));
    for target in ["/", "/events", "/?token=", &wrong, &page[..page.len() - 1], "/favicon.ico"] {
        assert_eq!(run.status("GET", target, &home), 403, "{target}");
    }
    assert_eq!(run.status("GET", &format!("/../etc/passwd?token={}", run.token), &home), 404);
    for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        assert_eq!(run.status(method, &page, &home), 405, "{method}");
    }
    for host in ["example.org", "127.0.0.1.example.org"] {
        assert_eq!(run.status("GET", &page, host), 403, "{host}");
    }
    let port = home.rsplit_once(':').unwrap().1;
    assert_eq!(run.status("GET", &page, &format!("localhost:{port}")), 200);
    // No request at all.
    let mut stream = TcpStream::connect(&home).unwrap();
    stream.write_all(b"\0\x16\x03\r\n\r\n").unwrap();
    assert!(all(stream).starts_with("HTTP/1.1 400"));
    let (output, errors) = run.end();
    assert!(output.status.success(), "{errors}");
}

#[test]
fn readers_are_told_all_of_the_run_and_it_says_what_it_says_without() {
    let mut alone = command(&QUERY).spawn().unwrap();
    alone.stdin.take().unwrap().write_all(table().as_bytes()).unwrap();
    let alone = alone.wait_with_output().unwrap();
    let run = Run::begin(&[&QUERY[..], &["--dashboard=0", "--threads", "2"]].concat());
    let readers: Vec<TcpStream> = (0..9).map(|_| run.events()).collect();
    // One that asks for nothing, and one that is gone.
    let _silent = TcpStream::connect(&run.address).unwrap();
    drop(run.events());
    let (output, errors) = run.end();
    assert_eq!((&output.stdout, output.status.code()), (&alone.stdout, Some(0)), "{errors}");
    assert_eq!(errors, "");
    for reader in readers {
        let told = told(&all(reader));
        let (last, news) = told.split_last().unwrap();
        assert_eq!((last.0.as_str(), last.1["outcome"].as_str()), ("done", Some("")));
        assert_eq!(news[0].0, "snapshot");
        assert_eq!(news.iter().filter(|(_, data)| data["graph"].is_string()).count(), 1);
        let end = &news.last().unwrap().1;
        assert!(end["command"].as_str().unwrap().contains("--dashboard=0"), "{end}");
        let stages = end["stages"].as_array().unwrap();
        let tasks: u64 = stages.iter().map(|stage| stage["tasks"].as_u64().unwrap()).sum();
        let length = |data: &Value| data["spans"]["start"].as_array().unwrap().len() as u64;
        let fresh = news.iter().rposition(|(name, _)| name == "snapshot").unwrap();
        let spans: u64 = news[fresh..].iter().map(|(_, data)| length(data)).sum();
        assert!(tasks > 0 && spans >= tasks, "{tasks} tasks, {spans} spans");
    }
}

#[test]
fn a_reader_that_does_not_read_does_not_hold_the_run() {
    let run = Run::begin(&[&QUERY[..], &["--dashboard"]].concat());
    let _idle: Vec<TcpStream> = (0..100).map(|_| run.events()).collect();
    let (output, errors) = run.end();
    assert!(output.status.success(), "{errors}");
}

#[test]
fn a_run_that_fails_says_why() {
    let words = ["select", "--columns", "cast(key as int) as n", "--dashboard=localhost"];
    let run = Run::begin(&words);
    let reader = run.events();
    let (output, errors) = run.end();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let told = told(&all(reader));
    let outcome = told.last().unwrap().1["outcome"].as_str().unwrap();
    assert!(!outcome.is_empty() && errors.contains(outcome), "{outcome}\n{errors}");
}

#[test]
fn a_query_that_cannot_begin_ends_at_once() {
    let run = Run::begin(&["select", "--columns", "no_such", "--dashboard"]);
    let mut reader = run.events();
    let (output, _) = run.end();
    assert_eq!(output.status.code(), Some(1));
    // The process may be gone before it has seen the reader.
    let mut answer = String::new();
    if reader.read_to_string(&mut answer).is_ok() && !answer.is_empty() {
        assert_eq!(told(&answer).last().unwrap().1["outcome"], "the query was not run");
    }
}

#[test]
fn a_port_that_is_taken_is_told_before_the_run() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let flag = format!("--dashboard={address}");
    let output = command(&[&QUERY[..], &[&flag]].concat()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(
        errors.starts_with(&format!("error: cannot serve the dashboard at {address}")),
        "{errors}"
    );
    assert!(errors.contains("\nhelp: leave the port out"), "{errors}");
}

#[test]
fn with_a_page_in_a_file_both_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.html");
    let words = ["--dashboard", "--profile", file.to_str().unwrap()];
    let run = Run::begin(&[&QUERY[..], &words].concat());
    let reader = run.events();
    let (output, errors) = run.end();
    assert!(output.status.success(), "{errors}");
    let page = std::fs::read_to_string(file).unwrap();
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    let data: Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    let told = told(&all(reader));
    let end = &told[told.len() - 2].1;
    for name in ["command", "stages", "operators", "threads", "order", "memory_limit"] {
        assert_eq!(data[name], end[name], "{name}");
    }
}
