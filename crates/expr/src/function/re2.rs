//! Regular expressions as users of DuckDB write them, in RE2's syntax, compiled with the `regex` crate.
//!
//! The two differ in little: RE2's `\d`, `\w`, `\s` and `\b` are ASCII, `\Q..\E` quotes, a `{` that starts
//! no repetition is a character, and classes know no set operations.

use dframe_core::{Error, Result};
use regex::{Regex, RegexBuilder};

/// What the letters of an options argument say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Options {
    case_insensitive: bool,
    dot_matches_newline: bool,
    literal: bool,
    /// Replace all matches rather than the first.
    pub(super) global: bool,
}

impl Options {
    /// `c` and `i`: with and without regard to case; `s`, against `m`, `n`, `p`: `.` matches line ends;
    /// `l`: a literal, no pattern; `g`: all matches.
    pub(super) fn parse(letters: &str) -> Result<Self> {
        let mut options = Self::default();
        for letter in letters.chars() {
            match letter {
                'c' => options.case_insensitive = false,
                'i' => options.case_insensitive = true,
                's' => options.dot_matches_newline = true,
                'm' | 'n' | 'p' => options.dot_matches_newline = false,
                'l' => options.literal = true,
                'g' => options.global = true,
                c if c.is_whitespace() => {}
                other => {
                    return Err(Error::invalid_input(format!("unknown regex option '{other}'"))
                        .remedy("options are c, i, l, m, n, p, s, and g to replace all"));
                }
            }
        }
        Ok(options)
    }
}

/// Compiles `pattern`, which must match the whole text if `full`.
pub(super) fn compile(pattern: &str, options: Options, full: bool) -> Result<Regex> {
    let translated = if options.literal { regex::escape(pattern) } else { translate(pattern) };
    let anchored = if full { format!(r"\A(?:{translated})\z") } else { translated };
    RegexBuilder::new(&anchored)
        .case_insensitive(options.case_insensitive)
        .dot_matches_new_line(options.dot_matches_newline)
        .build()
        .map_err(|error| {
            // The first lines draw the translated pattern, which the user has not seen.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or("").trim_start_matches("error: ");
            Error::invalid_input(format!("bad regular expression '{pattern}': {reason}"))
                .remedy(r"escape special characters with \, or pass the option 'l' for a literal")
        })
}

/// `pattern` in the syntax of the `regex` crate. What is wrong stays wrong.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => translate_escape(rest, Place::Outside, &mut out),
            '[' => translate_class(rest, &mut out),
            '{' if !is_repetition(rest) => {
                out.push_str(r"\{");
                1
            }
            _ => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Outside,
    InClass,
}

/// Translates the escape that `rest` starts with; gives its length.
fn translate_escape(rest: &str, place: Place, out: &mut String) -> usize {
    let Some(c) = rest[1..].chars().next() else {
        out.push('\\');
        return 1;
    };
    match c {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\t\n\x0C\r ]"),
        'S' => out.push_str(r"[^\t\n\x0C\r ]"),
        'b' if place == Place::Outside => out.push_str(r"(?-u:\b)"),
        '<' | '>' => out.push(c),
        'Q' => {
            let quoted = &rest[2..];
            let end = quoted.find(r"\E");
            out.push_str(&regex::escape(&quoted[..end.unwrap_or(quoted.len())]));
            return end.map_or(rest.len(), |end| end + 4);
        }
        _ => {
            out.push('\\');
            out.push(c);
        }
    }
    1 + c.len_utf8()
}

/// Translates the bracketed class that `rest` starts with; gives its length.
fn translate_class(rest: &str, out: &mut String) -> usize {
    let negated = rest[1..].starts_with('^');
    out.push_str(if negated { "[^" } else { "[" });
    let first = 1 + usize::from(negated);
    let mut at = first;
    while let Some(c) = rest[at..].chars().next() {
        match c {
            ']' if at > first => {
                out.push(']');
                return at + 1;
            }
            '\\' => {
                at += translate_escape(&rest[at..], Place::InClass, out);
                continue;
            }
            '[' => {
                let named = named_class(&rest[at..]);
                out.push_str(named.unwrap_or(r"\["));
                at += named.map_or(1, str::len);
                continue;
            }
            ']' | '&' | '~' => out.push('\\'),
            _ => {}
        }
        out.push(c);
        at += c.len_utf8();
    }
    rest.len()
}

/// The `[:name:]` that `rest` starts with.
fn named_class(rest: &str) -> Option<&str> {
    let end = rest.strip_prefix("[:")?.find(":]")?;
    Some(&rest[..end + 4])
}

/// Whether `rest` starts with `{n}`, `{n,}` or `{n,m}`.
fn is_repetition(rest: &str) -> bool {
    let Some((bounds, _)) = rest[1..].split_once('}') else { return false };
    let (min, max) = bounds.split_once(',').unwrap_or((bounds, ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    !min.is_empty() && digits(min) && digits(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        compile(pattern, Options::default(), false).unwrap().is_match(text)
    }

    #[test]
    fn patterns_mean_what_they_mean_in_re2() {
        let cases = [
            (r"^\d$", "1", true),
            (r"^\d$", "٣", false),
            (r"a\w", "añ", false),
            (r"[\w-]+$", "a-b", true),
            (r"^[^\d]$", "1", false),
            (r"[[:alpha:]]", "ñ", false),
            (r"[[:alpha:]]", "n", true),
            (r"\bñ", "ñ", false),
            (r"\pL", "é", true),
            (r"\Qa.b\E", "a.b", true),
            (r"\Qa.b\E", "axb", false),
            (r"\Qa.", "xa.", true),
            ("{", "{", true),
            ("a{x}", "a{x}", true),
            ("^a{2}$", "aa", true),
            ("^a{2,}$", "aaa", true),
            ("a]", "a]", true),
            ("[a&&b]&&", "b&&", true),
            ("[[]", "[", true),
            ("[]a]", "]", true),
            ("[^]a]", "]", false),
            ("[a~~b]", "~", true),
            (r"\<a\>", "<a>", true),
            (r"a\/b", "a/b", true),
            ("a.b", "a\nb", false),
            ("a$", "a\nb", false),
            ("(?m)^b", "a\nb", true),
            ("(?i)HE", "hello", true),
            ("ñ+", "ññ", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn options_are_letters() {
        let find = |letters: &str, pattern: &str, text: &str| {
            compile(pattern, Options::parse(letters).unwrap(), false).unwrap().is_match(text)
        };
        assert!(find("i", "é", "É"));
        assert!(!find("ic", "a", "A"));
        assert!(find("ci", "a", "A"));
        assert!(find("s", "a.b", "a\nb"));
        assert!(!find("sn", "a.b", "a\nb"));
        assert!(!find("l", "a.b", "axb"));
        assert!(Options::parse("z").is_err());
    }

    #[test]
    fn a_bad_pattern_is_the_users_error() {
        for pattern in ["(", "[a", r"\", "(?<a", r"\1"] {
            let error = compile(pattern, Options::default(), false).unwrap_err();
            assert_eq!(error.kind(), dframe_core::ErrorKind::InvalidInput, "{pattern}");
        }
    }
}
