//! Where records begin and end: lines, or the items of one array.
//!
//! A line break within a JSON text is never part of a value, so that a file of lines can be cut at any
//! of them. Where an item of an array ends is only known to who comes from its beginning.

use std::ops::Range;

/// How the records of a file are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One on each line; empty lines are none.
    Lines,
    /// The items of an array.
    Array,
}

/// What comes next in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A record, and where the rest begins.
    Record(Range<usize>, usize),
    /// What begins here is not whole, or is nothing yet.
    Open(usize),
    /// The array ends here.
    End(usize),
}

impl Layout {
    /// The layout of a text that begins so, and how many bytes there are before its records.
    pub(super) fn of(head: &[u8]) -> (Self, usize) {
        match head.iter().position(|byte| !byte.is_ascii_whitespace()) {
            Some(at) if head[at] == b'[' => (Self::Array, at + 1),
            _ => (Self::Lines, 0),
        }
    }

    /// The next record of `text` from `at`, which must be where one begins.
    #[inline]
    pub(super) fn next(self, text: &[u8], at: usize, is_last: bool) -> Next {
        match self {
            Self::Lines => line(text, at, is_last),
            Self::Array => item(text, at),
        }
    }
}

fn line(text: &[u8], mut at: usize, is_last: bool) -> Next {
    loop {
        let (end, next) = match memchr::memchr(b'\n', &text[at..]) {
            Some(length) => (at + length, at + length + 1),
            None if is_last && at < text.len() => (text.len(), text.len()),
            None => return Next::Open(at),
        };
        let line = &text[at..end];
        let first = line.iter().position(|byte| !byte.is_ascii_whitespace());
        match first {
            Some(first) => return Next::Record(at + first..at + line.trim_ascii_end().len(), next),
            None => at = next,
        }
    }
}

fn item(text: &[u8], at: usize) -> Next {
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == b',';
    let Some(skip) = text[at..].iter().position(|byte| !blank(byte)) else {
        return Next::Open(text.len());
    };
    let start = at + skip;
    match text[start] {
        b']' => Next::End(start + 1),
        _ => match end_of_value(&text[start..]) {
            Some(length) => {
                let record = &text[start..start + length];
                Next::Record(start..start + record.trim_ascii_end().len(), start + length)
            }
            None => Next::Open(start),
        },
    }
}

/// The bytes of the value that `text` begins with; `None` if it goes on.
pub(super) fn end_of_value(text: &[u8]) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        match text.get(at)? {
            b'"' => at += string_bytes(&text[at..])? - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return Some(at + usize::from(depth == 1)),
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return Some(at),
            _ => (),
        }
        at += 1;
    }
}

/// The bytes of the string, with its quotes, that `text` begins with; `None` if it goes on.
#[inline]
pub(super) fn string_bytes(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at = quote_or_escape(text, at)?;
        match text[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// Where the next quote or backslash is.
#[inline]
pub(super) fn quote_or_escape(text: &[u8], at: usize) -> Option<usize> {
    Some(at + memchr::memchr2(b'"', b'\\', text.get(at..)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, is_last: bool) -> (Vec<&str>, Next) {
        let (layout, mut at) = Layout::of(text.as_bytes());
        let mut found = Vec::new();
        loop {
            match layout.next(text.as_bytes(), at, is_last) {
                Next::Record(range, next) => {
                    found.push(&text[range]);
                    at = next;
                }
                end => return (found, end),
            }
        }
    }

    #[test]
    fn lines_are_records() {
        let (found, end) = records("{\"a\":1}\r\n\n  {\"a\":2} \n{\"a\"", true);
        assert_eq!(found, ["{\"a\":1}", "{\"a\":2}", "{\"a\""]);
        assert_eq!(end, Next::Open(25));
        let (found, end) = records("{}\n{\"a\"", false);
        assert_eq!((found, end), (vec!["{}"], Next::Open(3)));
    }

    #[test]
    fn items_are_records() {
        let text = " [{\"a\":\"]},{\\\"\"} ,\n {\"b\":[{},{}]}, 12 , \"x\", [1]]\n";
        let (found, end) = records(text, true);
        assert_eq!(found, ["{\"a\":\"]},{\\\"\"}", "{\"b\":[{},{}]}", "12", "\"x\"", "[1]"]);
        assert_eq!(end, Next::End(text.len() - 1));
        assert_eq!(records("[{},{\"a\":\"", true), (vec!["{}"], Next::Open(4)));
        assert_eq!(records("[]", true).1, Next::End(2));
    }
}
