//! What the columns of a file are called, and where its rows begin.

use std::collections::{HashMap, HashSet};

use dframe_core::{Budget, Error, Result};

use super::flaw::{Flaw, What};
use super::options::CsvOptions;
use super::records::{Fault, Marks, Next, Span, Splitter};
use super::usual_delimiter;
use crate::text::{Filled, TEXT_BYTES_MAX, TextFile, Window};

/// The columns of a file.
#[derive(Clone, Debug)]
pub(super) struct Header {
    /// The names, each once. Empty if the file is.
    pub(super) names: Vec<String>,
    /// Where the first row begins.
    pub(super) rows_start: u64,
}

impl Header {
    /// Reads the first record of the text that begins at `start`.
    pub(super) fn read(
        file: &TextFile,
        start: u64,
        options: &CsvOptions,
        budget: &Budget,
    ) -> Result<Self> {
        let marks = options.marks(usual_delimiter(file));
        let mut window = Window::new(file, start, TEXT_BYTES_MAX, budget)?;
        let mut fields = Vec::new();
        loop {
            if window.fill()? == Filled::TooLarge {
                let flaw = Flaw { offset: window.base(), what: What::TooLong };
                return Err(flaw.error(file, &[]));
            }
            let (text, base) = (window.text(), window.base());
            let mut splitter = Splitter::new(text, 0, marks, window.is_last());
            match splitter.next(&mut fields) {
                Next::Record { start, end, fault } => {
                    let first = Record { text, fields: &fields, offset: base + start as u64 };
                    first.check(fault, file)?;
                    return Ok(match options.has_header {
                        true => Self { names: first.names(marks), rows_start: base + end as u64 },
                        false => Self { names: numbered(fields.len()), rows_start: first.offset },
                    });
                }
                Next::Open(at) if window.is_last() => {
                    return Ok(Self { names: Vec::new(), rows_start: base + at as u64 });
                }
                Next::Open(at) => window.advance(at),
            }
        }
    }
}

/// The first record of a file.
struct Record<'a> {
    text: &'a [u8],
    fields: &'a [Span],
    offset: u64,
}

impl Record<'_> {
    /// # Errors
    /// It is not a record, not text, or the whole file in one line.
    fn check(&self, fault: Option<Fault>, file: &TextFile) -> Result<()> {
        let flaw = |what| Err(Flaw { offset: self.offset, what }.error(file, &[]));
        match fault {
            Some(Fault::AfterQuote(column)) => {
                return flaw(What::AfterQuote { column: column as usize });
            }
            Some(Fault::Unclosed) => return flaw(What::Unclosed { column: 0 }),
            None => (),
        }
        for (column, span) in self.fields.iter().enumerate() {
            let field = &self.text[span.range()];
            if std::str::from_utf8(field).is_err() {
                return flaw(What::NotText { column });
            }
            if !span.is_quoted() && field.contains(&b'\r') {
                return Err(Error::unsupported("lines end with a carriage return alone")
                    .file(&file.path)
                    .remedy("convert the line ends first, as with `tr '\\r' '\\n'`"));
            }
        }
        Ok(())
    }

    /// The fields as names: those without one by their position, those that occur again with a number.
    fn names(&self, marks: Marks) -> Vec<String> {
        let mut taken = HashMap::new();
        let text = |span: &Span| {
            let text = String::from_utf8_lossy(&self.text[span.range()]);
            match marks.quote.filter(|_| span.is_doubled()).map(char::from) {
                Some(quote) => text.replace(&format!("{quote}{quote}"), &quote.to_string()),
                None => text.into_owned(),
            }
        };
        let fields: Vec<String> = self.fields.iter().map(text).collect();
        let given: HashSet<&String> = fields.iter().collect();
        let mut names = Vec::with_capacity(fields.len());
        for (index, field) in fields.iter().enumerate() {
            let wanted = match field.as_str() {
                "" => format!("column{index}"),
                field => field.to_string(),
            };
            names.push(unique(wanted, &mut taken, &given));
        }
        names
    }
}

/// `wanted`, or `wanted_1`, `wanted_2`, ... if that is taken; not what another field is called.
fn unique(wanted: String, taken: &mut HashMap<String, u64>, given: &HashSet<&String>) -> String {
    let mut number = taken.get(&wanted).copied().unwrap_or(0);
    let mut name = wanted.clone();
    while number > 0 || taken.contains_key(&name) {
        number = number.max(1);
        name = format!("{wanted}_{number}");
        if !taken.contains_key(&name) && !given.contains(&name) {
            break;
        }
        number += 1;
    }
    taken.insert(wanted, number + 1);
    taken.entry(name.clone()).or_insert(1);
    name
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("column{index}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let mut taken = HashMap::new();
        let fields = ["a", "a", "a_1", "b", "a", "b"].map(str::to_string);
        let given = fields.iter().collect();
        let names: Vec<String> =
            fields.iter().map(|field| unique(field.clone(), &mut taken, &given)).collect();
        assert_eq!(names, ["a", "a_2", "a_1", "b", "a_3", "b_1"]);
    }
}
