//! Cuts text into records and fields, by RFC 4180 with any delimiter.
//!
//! ```text
//!   a,"b ""c""",d\r\n    delimiters, quotes and newlines are found 64 bytes at a time
//!   ^ ^^         ^       a quote opens a field only where the field begins; elsewhere it is text
//! ```
//!
//! Knows no types and no columns. A record that the text ends in is only a record if the text is the
//! last of its file: otherwise it goes on in what is read next.

use crate::text::TEXT_BYTES_MAX;

use super::block;

/// How fields are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) delimiter: u8,
    /// `None` if quotes are text like any.
    pub(super) quote: Option<u8>,
    /// Lines that begin with this are no records.
    pub(super) comment: Option<u8>,
}

/// Where a field lies in the text, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    /// The length, shifted by two; below it, whether the field was quoted and whether quotes in it
    /// are doubled.
    length: u32,
}

const QUOTED: u32 = 1;
const DOUBLED: u32 = 2;

impl Span {
    fn new(start: usize, end: usize, flags: u32) -> Self {
        Self { start: start as u32, length: ((end - start) as u32) << 2 | flags }
    }

    /// No field: for what is missing, or at fault.
    pub(super) fn missing() -> Self {
        Self { start: 0, length: 0 }
    }

    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start()..self.start() + (self.length >> 2) as usize
    }

    pub(super) fn is_quoted(self) -> bool {
        self.length & QUOTED != 0
    }

    /// Whether quotes in it are doubled.
    pub(super) fn is_doubled(self) -> bool {
        self.length & DOUBLED != 0
    }
}

/// What comes next in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A record; its fields have been handed out. `end` is where the next one begins.
    Record { start: usize, end: usize, fault: Option<Fault> },
    /// A record that goes on beyond the text, which begins here; or nothing, at its end.
    Open(usize),
}

/// Why a record is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Text follows the quote that closes the field of this number, whose span is that of no field.
    AfterQuote(u32),
    /// A quoted field is not closed before the file ends.
    Unclosed,
}

/// Walks through a text, record by record.
pub(super) struct Splitter<'a> {
    text: &'a [u8],
    specials: Specials<'a>,
    marks: Marks,
    at: usize,
    /// Whether the file ends where the text does.
    is_last: bool,
    /// Whether an empty line is a record of one empty field.
    keeps_empty: bool,
}

impl<'a> Splitter<'a> {
    /// Records of `text` from `at`, which must be where one begins.
    pub(super) fn new(text: &'a [u8], at: usize, marks: Marks, is_last: bool) -> Self {
        debug_assert!(text.len() <= TEXT_BYTES_MAX);
        let specials = Specials::new(text, at, marks);
        Self { text, specials, marks, at, is_last, keeps_empty: false }
    }

    /// Where a table has one column, an empty line is a row.
    pub(super) fn keeping_empty(mut self, keeps_empty: bool) -> Self {
        self.keeps_empty = keeps_empty;
        self
    }

    /// The next record, its fields in `fields`, replacing what was there.
    pub(super) fn next(&mut self, fields: &mut Vec<Span>) -> Next {
        loop {
            fields.clear();
            let start = self.at;
            if start >= self.text.len() {
                return Next::Open(start);
            }
            if self.marks.comment == Some(self.text[start]) {
                match memchr::memchr(b'\n', &self.text[start..]) {
                    Some(length) => self.go_to(start + length + 1),
                    None if self.is_last => self.go_to(self.text.len()),
                    None => return Next::Open(start),
                }
                continue;
            }
            let next = self.record(start, fields);
            let is_empty = fields.len() == 1 && fields[0].length == 0;
            if is_empty && !self.keeps_empty && matches!(next, Next::Record { fault: None, .. }) {
                continue;
            }
            return next;
        }
    }

    fn go_to(&mut self, at: usize) {
        self.at = at;
        self.specials = Specials::new(self.text, at, self.marks);
    }

    fn record(&mut self, start: usize, fields: &mut Vec<Span>) -> Next {
        let mut field = start;
        let mut fault = None;
        loop {
            match self.plain(field, fields) {
                Plain::Open { field } => return self.at_end(start, field, fields, fault),
                Plain::Record { end } => {
                    self.at = end;
                    return Next::Record { start, end, fault };
                }
                Plain::Quote { field: at } => field = at,
            }
            let Some(closed) = self.quoted(field, fields) else {
                return self.unclosed(start, field, fields);
            };
            fault = fault.or(closed.fault);
            if let Some(next) = closed.next {
                field = next;
                continue;
            }
            self.at = closed.end;
            if !closed.ended && !self.is_last {
                return Next::Open(start);
            }
            return Next::Record { start, end: closed.end, fault };
        }
    }

    /// Takes in fields without quotes, from `field` on. Most fields are such: what the loop needs is in
    /// registers.
    #[inline]
    fn plain(&mut self, mut field: usize, fields: &mut Vec<Span>) -> Plain {
        let (text, quote, mut specials) = (self.text, self.marks.quote, self.specials);
        let plain = loop {
            let Some(at) = specials.next() else { break Plain::Open { field } };
            let byte = text[at];
            if byte == b'\n' {
                let end = at - usize::from(at > field && text[at - 1] == b'\r');
                fields.push(Span::new(field, end, 0));
                break Plain::Record { end: at + 1 };
            }
            if Some(byte) == quote {
                // Elsewhere than where a field begins, a quote is text.
                if at == field {
                    break Plain::Quote { field };
                }
                continue;
            }
            fields.push(Span::new(field, at, 0));
            field = at + 1;
        };
        self.specials = specials;
        plain
    }

    /// The text ends within a field that is not quoted.
    fn at_end(
        &mut self,
        start: usize,
        field: usize,
        fields: &mut Vec<Span>,
        fault: Option<Fault>,
    ) -> Next {
        if !self.is_last {
            return Next::Open(start);
        }
        let end = self.text.len();
        let without = end - usize::from(end > field && self.text[end - 1] == b'\r');
        fields.push(Span::new(field, without, 0));
        self.at = end;
        Next::Record { start, end, fault }
    }

    fn unclosed(&mut self, start: usize, field: usize, fields: &mut Vec<Span>) -> Next {
        if !self.is_last {
            return Next::Open(start);
        }
        self.at = self.text.len();
        fields.push(Span::new(field + 1, self.at, QUOTED));
        Next::Record { start, end: self.at, fault: Some(Fault::Unclosed) }
    }

    /// Takes in the field whose opening quote is at `field`; `None` if it is not closed.
    fn quoted(&mut self, field: usize, fields: &mut Vec<Span>) -> Option<Closed> {
        let quote = self.marks.quote;
        let mut flags = QUOTED;
        let close = loop {
            let at = self.specials.next()?;
            if Some(self.text[at]) != quote {
                continue;
            }
            if self.text.get(at + 1).copied() != quote {
                break at;
            }
            flags |= DOUBLED;
            self.specials.next();
        };
        fields.push(Span::new(field + 1, close, flags));
        // What follows is a delimiter or the end of the line, or else at fault.
        let (at, ended) = loop {
            match self.specials.next() {
                Some(at) if Some(self.text[at]) == quote => (),
                Some(at) => break (at, true),
                None => break (self.text.len(), false),
            }
        };
        let between = &self.text[close + 1..at];
        let is_line = !ended || self.text[at] == b'\n';
        let fine = between.is_empty() || (is_line && between == b"\r");
        if !fine && let Some(field) = fields.last_mut() {
            *field = Span::missing();
        }
        let fault = (!fine).then_some(Fault::AfterQuote(fields.len() as u32 - 1));
        Some(match is_line {
            true => Closed { next: None, end: at + usize::from(ended), ended, fault },
            false => Closed { next: Some(at + 1), end: at + 1, ended, fault },
        })
    }
}

/// Where fields without quotes end.
enum Plain {
    /// With the record.
    Record { end: usize },
    /// With a quote that opens a field.
    Quote { field: usize },
    /// With the text, within a field.
    Open { field: usize },
}

/// A quoted field that has been taken in.
struct Closed {
    /// Where the next field of the record begins.
    next: Option<usize>,
    end: usize,
    /// Whether a delimiter or newline was there.
    ended: bool,
    fault: Option<Fault>,
}

/// The first place after a newline that is not within quotes, where `in_quotes` says whether the text
/// begins within them. Right as long as quotes come in pairs.
pub(super) fn first_record(text: &[u8], in_quotes: bool, marks: Marks) -> Option<usize> {
    let mut in_quotes = in_quotes;
    for at in Specials::new(text, 0, marks) {
        match text[at] {
            byte if Some(byte) == marks.quote => in_quotes = !in_quotes,
            b'\n' if !in_quotes => return Some(at + 1),
            _ => (),
        }
    }
    None
}

/// The places of delimiters, quotes and newlines.
#[derive(Clone, Copy)]
struct Specials<'a> {
    text: &'a [u8],
    /// Where the block that `found` is about begins.
    base: usize,
    /// A bit for each byte of the block that is special and not yet handed out.
    found: u64,
    /// The special bytes.
    wanted: [u8; 3],
}

/// The bytes that are looked at together.
const BLOCK: usize = 64;

impl<'a> Specials<'a> {
    fn new(text: &'a [u8], at: usize, marks: Marks) -> Self {
        let wanted = [marks.delimiter, marks.quote.unwrap_or(marks.delimiter), b'\n'];
        let mut specials = Self { text, base: at, found: 0, wanted };
        specials.look();
        specials
    }

    #[inline]
    fn look(&mut self) {
        let rest = self.text.get(self.base..).unwrap_or_default();
        self.found = match rest.first_chunk::<BLOCK>() {
            Some(block) => block::places(block, self.wanted),
            None => {
                let mut block = [0; BLOCK];
                block[..rest.len()].copy_from_slice(rest);
                // Bytes beyond the text are none, whatever the marks are.
                block::places(&block, self.wanted) & ((1 << rest.len()) - 1)
            }
        };
    }
}

impl Iterator for Specials<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.found == 0 {
            self.base += BLOCK;
            if self.base >= self.text.len() {
                return None;
            }
            self.look();
        }
        let at = self.base + self.found.trailing_zeros() as usize;
        self.found &= self.found - 1;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: Marks = Marks { delimiter: b',', quote: Some(b'"'), comment: Some(b'#') };

    fn records(text: &str) -> Vec<(Vec<String>, Option<Fault>)> {
        let mut splitter = Splitter::new(text.as_bytes(), 0, MARKS, true);
        let (mut fields, mut all) = (Vec::new(), Vec::new());
        while let Next::Record { fault, .. } = splitter.next(&mut fields) {
            let texts = fields.iter().map(|span| text[span.range()].to_string());
            all.push((texts.collect(), fault));
        }
        all
    }

    #[test]
    fn fields_are_found() {
        let cases: [(&str, &[&[&str]]); 12] = [
            ("", &[]),
            ("a", &[&["a"]]),
            ("a,b\n", &[&["a", "b"]]),
            ("a,b\r\nc,d\r\n", &[&["a", "b"], &["c", "d"]]),
            ("a,b\r", &[&["a", "b"]]),
            (",\n,", &[&["", ""], &["", ""]]),
            ("\n\na,b\n\n", &[&["a", "b"]]),
            ("\"a\nb\",c\n", &[&["a\nb", "c"]]),
            ("\"a,\"\"b\"\"\",\"\"\r\nx", &[&["a,\"\"b\"\"", ""], &["x"]]),
            ("5\" pipe,x\ny", &[&["5\" pipe", "x"], &["y"]]),
            ("# \"no\na,b\n#x", &[&["a", "b"]]),
            ("\"\"\n", &[&[""]]),
        ];
        for (text, wanted) in cases {
            let found: Vec<Vec<String>> = records(text).into_iter().map(|(f, _)| f).collect();
            assert_eq!(found, wanted, "{text:?}");
        }
    }

    #[test]
    fn faults_are_told() {
        assert_eq!(
            records("\"a\"b,c\nd,e").iter().map(|r| r.1).collect::<Vec<_>>(),
            [Some(Fault::AfterQuote(0)), None]
        );
        assert_eq!(records("a,\"b\nc").last().map(|r| r.1), Some(Some(Fault::Unclosed)));
    }

    #[test]
    fn what_is_not_whole_stays_open() {
        for text in ["a,b", "a,\"b", "a,\"b\"", "a,\"b\"\r", "#x"] {
            let text = format!("x,y\n{text}");
            let mut splitter = Splitter::new(text.as_bytes(), 0, MARKS, false);
            let mut fields = Vec::new();
            assert!(matches!(splitter.next(&mut fields), Next::Record { end: 4, .. }));
            assert_eq!(splitter.next(&mut fields), Next::Open(4), "{text}");
        }
    }
}
