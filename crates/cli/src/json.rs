//! Objects as one line of JSON, for messages that programs read.
//!
//! Only what messages need: a writer of flat and nested objects, in the order the fields are added.

use std::fmt::Write;

/// An object being written.
#[derive(Debug)]
pub struct Object(String);

impl Object {
    /// An object without fields.
    pub fn new() -> Self {
        Self("{".into())
    }

    /// Adds a text.
    pub fn text(self, name: &str, value: &str) -> Self {
        let value = quoted(value);
        self.raw(name, &value)
    }

    /// Adds a whole number.
    pub fn number(self, name: &str, value: u64) -> Self {
        self.raw(name, &value.to_string())
    }

    /// Adds a number of seconds, to the microsecond.
    pub fn seconds(self, name: &str, value: std::time::Duration) -> Self {
        self.raw(name, &format!("{:.6}", value.as_secs_f64()))
    }

    /// Adds an object.
    pub fn object(self, name: &str, value: Object) -> Self {
        let value = value.finish();
        self.raw(name, &value)
    }

    /// Adds a list of objects.
    pub fn objects(self, name: &str, values: impl IntoIterator<Item = Object>) -> Self {
        let values: Vec<String> = values.into_iter().map(Object::finish).collect();
        self.raw(name, &format!("[{}]", values.join(",")))
    }

    /// Adds a list of texts.
    pub fn texts(self, name: &str, values: &[String]) -> Self {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.raw(name, &format!("[{}]", values.join(",")))
    }

    /// The object as text, without a line break.
    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn raw(mut self, name: &str, value: &str) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(name));
        self.0.push(':');
        self.0.push_str(value);
        self
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_nests() {
        let inner = Object::new().number("start", 3);
        let list = [Object::new(), Object::new().text("b", "ü")];
        let object = Object::new().text("a\"", "x\\\n\u{1}").object("in", inner);
        assert_eq!(
            object.objects("list", list).finish(),
            r#"{"a\"":"x\\\n\u0001","in":{"start":3},"list":[{},{"b":"ü"}]}"#
        );
    }
}
