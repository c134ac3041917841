//! Goes through a JSON text once, checks it, and adds what it sees to a shape (RFC 8259).
//!
//! Numbers and strings are not made values of: what kinds they are is seen by their text.

use super::records::quote_or_escape;
use super::shape::Shape;
use crate::text::Kinds;

/// Lists and objects within each other at most.
const DEPTH_MAX: usize = 64;

/// Why a text is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is another value.
    NoObject,
    /// It breaks the rules, at this byte.
    Syntax(usize),
    /// It ends too early.
    Open,
    /// Lists or objects are within each other too often.
    Deep,
    /// There are more different members than columns could be.
    Members,
    /// It is not UTF-8.
    NotText,
}

/// Whole numbers of so many digits certainly have 64 bits.
const SHORT_DIGITS: usize = 18;

type Scanned = Result<(), Fault>;

/// Adds the object that `text` is.
pub(super) fn record(text: &[u8], shape: &mut Shape) -> Scanned {
    if text.first() != Some(&b'{') {
        return Err(Fault::NoObject);
    }
    if std::str::from_utf8(text).is_err() {
        return Err(Fault::NotText);
    }
    let mut scanner = Scanner { text, at: 0 };
    scanner.value(shape, 0)?;
    scanner.blanks();
    match scanner.at == text.len() {
        true => Ok(()),
        false => Err(scanner.wrong()),
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn value(&mut self, shape: &mut Shape, depth: usize) -> Scanned {
        if depth > DEPTH_MAX {
            return Err(Fault::Deep);
        }
        match self.peek()? {
            b'{' => self.object(shape, depth),
            b'[' => self.list(shape, depth),
            b'"' => {
                let string = self.string()?;
                if !shape.kinds.is_text() {
                    shape.kinds = shape.kinds | Kinds::of_text(string);
                }
                Ok(())
            }
            b'-' | b'0'..=b'9' => {
                shape.kinds = shape.kinds | self.number()?;
                Ok(())
            }
            b't' => self.boolean(b"true", shape),
            b'f' => self.boolean(b"false", shape),
            b'n' => self.word(b"null"),
            _ => Err(self.wrong()),
        }
    }

    fn object(&mut self, shape: &mut Shape, depth: usize) -> Scanned {
        let members = shape.members.get_or_insert_default();
        members.begin();
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek()? != b'"' {
                return Err(self.wrong());
            }
            let raw = self.string()?;
            if self.peek()? != b':' {
                return Err(self.wrong());
            }
            self.at += 1;
            let member = match unescaped(raw)? {
                Name::Plain(name) => members.named(name),
                Name::Made(name) => members.named(&name),
            };
            self.value(member.ok_or(Fault::Members)?, depth + 1)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(self.wrong()),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn list(&mut self, shape: &mut Shape, depth: usize) -> Scanned {
        let items = shape.items.get_or_insert_default();
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(items, depth + 1)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(self.wrong()),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// The string at hand, without its quotes.
    fn string(&mut self) -> Result<&'a [u8], Fault> {
        let start = self.at + 1;
        self.at = start;
        loop {
            self.at = quote_or_escape(self.text, self.at).ok_or(Fault::Open)?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Ok(&self.text[start..self.at - 1]);
            }
            self.escape()?;
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Scanned {
        match self.text.get(self.at + 1).ok_or(Fault::Open)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let first = self.unicode()?;
                // The halves of a surrogate pair come together.
                let is_pair = match first {
                    0xd800..0xdc00 => {
                        self.text.get(self.at..self.at + 2) == Some(b"\\u")
                            && (0xdc00..0xe000).contains(&self.unicode()?)
                    }
                    0xdc00..0xe000 => false,
                    _ => true,
                };
                if !is_pair {
                    return Err(self.wrong());
                }
            }
            _ => return Err(self.wrong()),
        }
        Ok(())
    }

    fn unicode(&mut self) -> Result<u32, Fault> {
        let digits = self.text.get(self.at + 2..self.at + 6).ok_or(Fault::Open)?;
        let digit =
            |value: Option<u32>, byte: &u8| Some(value? * 16 + char::from(*byte).to_digit(16)?);
        let value = digits.iter().fold(Some(0), digit).ok_or(self.wrong())?;
        self.at += 6;
        Ok(value)
    }

    fn number(&mut self) -> Result<Kinds, Fault> {
        let start = self.at;
        self.at += usize::from(self.text[start] == b'-');
        let first = self.at;
        let digits = self.digits();
        match digits {
            0 => return Err(self.wrong()),
            1 => (),
            _ if self.text[first] == b'0' => return Err(self.wrong()),
            _ => (),
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.wrong());
            }
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.text.get(self.at) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.wrong());
            }
        }
        Ok(match self.at - first == digits {
            true if digits <= SHORT_DIGITS => Kinds::INTEGER,
            true => Kinds::of_field(&self.text[start..self.at]),
            false => Kinds::FLOAT,
        })
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    fn boolean(&mut self, word: &[u8], shape: &mut Shape) -> Scanned {
        self.word(word)?;
        shape.kinds = shape.kinds | Kinds::BOOLEAN;
        Ok(())
    }

    fn word(&mut self, word: &[u8]) -> Scanned {
        match self.text[self.at..].starts_with(word) {
            true => {
                self.at += word.len();
                Ok(())
            }
            false => Err(self.wrong()),
        }
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is no blank.
    #[inline]
    fn peek(&mut self) -> Result<u8, Fault> {
        self.blanks();
        self.text.get(self.at).copied().ok_or(Fault::Open)
    }

    fn wrong(&self) -> Fault {
        match self.at < self.text.len() {
            true => Fault::Syntax(self.at),
            false => Fault::Open,
        }
    }
}

/// The name of a member.
enum Name<'a> {
    Plain(&'a str),
    Made(String),
}

fn unescaped(raw: &[u8]) -> Result<Name<'_>, Fault> {
    let text = std::str::from_utf8(raw).map_err(|_| Fault::NotText)?;
    if memchr::memchr(b'\\', raw).is_none() {
        return Ok(Name::Plain(text));
    }
    let made = serde_json::from_str(&format!("\"{text}\""));
    made.map(Name::Made).map_err(|_| Fault::Syntax(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<Shape, Fault> {
        let mut shape = Shape::default();
        record(text.as_bytes(), &mut shape).map(|()| shape)
    }

    #[test]
    fn what_json_allows_is_an_object_and_nothing_else() {
        for text in [
            "{}",
            "{ \"a\" : [ ] , \"b\":{}}",
            r#"{"a\u0062\n":"\ud83d\ude00\"\\","a":[-0,0.5,1E+3,-1e-2,null,true,false]}"#,
        ] {
            assert!(scan(text).is_ok(), "{text}");
            serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        }
        for text in [
            "",
            "1",
            "[]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":.5}",
            "{\"a\":1.}",
            "{\"a\":+1}",
            "{\"a\":1e}",
            "{\"a\":nul}",
            "{\"a\":[1,]}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\\udc00\"}",
            "{} {}",
            "{\"a\":1}x",
            "{\"a\":\"",
            "{\"a\":NaN}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":[}",
            "{\"a\":1 2}",
        ] {
            assert!(scan(text).is_err(), "{text}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
        assert_eq!(scan(&deep).err(), Some(Fault::Deep));
    }

    #[test]
    fn shapes_have_types() {
        let text = r#"{"i":1,"f":[1,2.5],"d":"2024-01-01","t":"x","o":{"z":"2024-01-01 10:00:00Z"},"n":null}"#;
        let fields = scan(text).expect("an object").members.expect("members").fields("");
        let types: Vec<String> =
            fields.expect("types").iter().map(|f| dframe_expr::type_name(f.data_type())).collect();
        assert_eq!(types[..4], ["BIGINT", "DOUBLE[]", "DATE", "VARCHAR"]);
        assert!(types[4].contains("TIMESTAMP WITH TIME ZONE"), "{}", types[4]);
        assert_eq!(types[5], "VARCHAR");
    }

    #[test]
    fn what_no_type_holds_is_named() {
        let mut shape = scan(r#"{"a":{"b":1}}"#).expect("an object");
        assert!(shape.merge(&scan(r#"{"a":{"b":[1]}}"#).expect("an object")));
        let error = shape.members.expect("members").fields("").expect_err("mixed");
        assert_eq!(error.context().column.as_deref(), Some("a.b"));
        assert_eq!(error.message(), "the values are lists and single values, which no type holds");
    }
}
