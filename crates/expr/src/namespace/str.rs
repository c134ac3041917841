//! `col("x").str()`: functions of text, under the names that Polars gives them.

use arrow::datatypes::DataType;

use crate::build::{call, greatest, lit};
use crate::expr::Expr;

/// Functions of text. Positions count from 0, or from the end if negative; patterns are regular expressions in RE2's
/// syntax unless the name says `literal`.
///
/// ```
/// use dframe_expr::{call, col};
///
/// let domain = col("email").str().extract("@(.*)$", 1).str().to_lowercase();
/// assert_eq!(domain.to_string(), "lower(regexp_extract(email, '@(.*)$', 1))");
/// assert_eq!(col("tags").str().split(","), call("string_split", [col("tags"), ",".into()]));
/// ```
#[derive(Clone, Debug)]
pub struct Str(Expr);

impl Expr {
    /// Functions of text.
    pub fn str(self) -> Str {
        Str(self)
    }
}

impl Str {
    /// Whether `pattern` matches somewhere.
    pub fn contains(self, pattern: impl Into<Expr>) -> Expr {
        self.0.call("regexp_matches", [pattern.into()])
    }

    /// Whether `part` is in it, as it is.
    pub fn contains_literal(self, part: impl Into<Expr>) -> Expr {
        self.0.call("contains", [part.into()])
    }

    /// Whether it starts with `prefix`.
    pub fn starts_with(self, prefix: impl Into<Expr>) -> Expr {
        self.0.call("starts_with", [prefix.into()])
    }

    /// Whether it ends with `suffix`.
    pub fn ends_with(self, suffix: impl Into<Expr>) -> Expr {
        self.0.call("ends_with", [suffix.into()])
    }

    /// Where `part` is, in characters from 1; 0 if it is not there.
    pub fn find(self, part: impl Into<Expr>) -> Expr {
        self.0.call("strpos", [part.into()])
    }

    /// The number of characters.
    pub fn len_chars(self) -> Expr {
        self.0.call("length", [])
    }

    /// The number of bytes.
    pub fn len_bytes(self) -> Expr {
        self.0.call("strlen", [])
    }

    /// In upper case.
    pub fn to_uppercase(self) -> Expr {
        self.0.call("upper", [])
    }

    /// In lower case.
    pub fn to_lowercase(self) -> Expr {
        self.0.call("lower", [])
    }

    /// The first letter of each word in upper case, the others in lower.
    pub fn to_titlecase(self) -> Expr {
        self.0.call("initcap", [])
    }

    /// `length` characters from `offset`, which counts from 0, or from the end if negative.
    pub fn slice(self, offset: i64, length: i64) -> Expr {
        let start = if offset < 0 { offset } else { offset.saturating_add(1) };
        self.0.call("substr", [lit(start), lit(length)])
    }

    /// The first `count` characters; all but the last `-count` if negative.
    pub fn head(self, count: i64) -> Expr {
        self.0.call("left", [lit(count)])
    }

    /// The last `count` characters; all but the first `-count` if negative.
    pub fn tail(self, count: i64) -> Expr {
        self.0.call("right", [lit(count)])
    }

    /// The list of what is between the separators.
    pub fn split(self, separator: impl Into<Expr>) -> Expr {
        self.0.call("string_split", [separator.into()])
    }

    /// The list of what is between the matches of `pattern`.
    pub fn split_regex(self, pattern: impl Into<Expr>) -> Expr {
        self.0.call("regexp_split_to_array", [pattern.into()])
    }

    /// Part `index` of those between the separators, from 1, or from the end if negative; empty if there is none.
    pub fn split_part(self, separator: impl Into<Expr>, index: i64) -> Expr {
        self.0.call("split_part", [separator.into(), lit(index)])
    }

    /// The text of `group` in the first match, 0 being the whole match; empty if there is none.
    pub fn extract(self, pattern: impl Into<Expr>, group: i64) -> Expr {
        self.0.call("regexp_extract", [pattern.into(), lit(group)])
    }

    /// The list of all matches.
    pub fn extract_all(self, pattern: impl Into<Expr>) -> Expr {
        self.0.call("regexp_extract_all", [pattern.into()])
    }

    /// The number of matches.
    pub fn count_matches(self, pattern: impl Into<Expr>) -> Expr {
        self.extract_all(pattern).list().len()
    }

    /// With the first match replaced; `\1` is the first group.
    pub fn replace(self, pattern: impl Into<Expr>, replacement: impl Into<Expr>) -> Expr {
        self.0.call("regexp_replace", [pattern.into(), replacement.into()])
    }

    /// With every match replaced; `\1` is the first group.
    pub fn replace_all(self, pattern: impl Into<Expr>, replacement: impl Into<Expr>) -> Expr {
        self.0.call("regexp_replace", [pattern.into(), replacement.into(), lit("g")])
    }

    /// With `part` replaced wherever it is, as it is.
    pub fn replace_literal(self, part: impl Into<Expr>, replacement: impl Into<Expr>) -> Expr {
        self.0.call("replace", [part.into(), replacement.into()])
    }

    /// Without spaces around it.
    pub fn strip(self) -> Expr {
        self.0.call("trim", [])
    }

    /// Without any of `characters` around it.
    pub fn strip_chars(self, characters: impl Into<Expr>) -> Expr {
        self.0.call("trim", [characters.into()])
    }

    /// Without any of `characters` before it.
    pub fn strip_chars_start(self, characters: impl Into<Expr>) -> Expr {
        self.0.call("ltrim", [characters.into()])
    }

    /// Without any of `characters` behind it.
    pub fn strip_chars_end(self, characters: impl Into<Expr>) -> Expr {
        self.0.call("rtrim", [characters.into()])
    }

    /// At least `length` characters, with `fill` before it.
    pub fn pad_start(self, length: i64, fill: char) -> Expr {
        self.pad("lpad", length, fill)
    }

    /// At least `length` characters, with `fill` behind it.
    pub fn pad_end(self, length: i64, fill: char) -> Expr {
        self.pad("rpad", length, fill)
    }

    /// At least `length` characters, with zeros before it.
    pub fn zfill(self, length: i64) -> Expr {
        self.pad_start(length, '0')
    }

    /// The functions of SQL cut what is longer; these do not.
    fn pad(self, name: &str, length: i64, fill: char) -> Expr {
        let length = greatest([self.0.clone().call("length", []), lit(length)]);
        self.0.call(name, [length, lit(fill.to_string())])
    }

    /// `count` times.
    pub fn repeat(self, count: impl Into<Expr>) -> Expr {
        self.0.call("repeat", [count.into()])
    }

    /// From the last character to the first.
    pub fn reverse(self) -> Expr {
        self.0.call("reverse", [])
    }

    /// Followed by `other`; NULLs are left out.
    pub fn concat(self, other: impl Into<Expr>) -> Expr {
        call("concat", [self.0, other.into()])
    }

    /// The date that it says in a `format` such as `%d.%m.%Y`; an error where it says none.
    pub fn to_date(self, format: &str) -> Expr {
        self.to_datetime(format).cast(DataType::Date32)
    }

    /// As [`Str::to_date`], but NULL where it says none.
    pub fn try_to_date(self, format: &str) -> Expr {
        self.try_to_datetime(format).cast(DataType::Date32)
    }

    /// The timestamp that it says in a `format` such as `%Y-%m-%d %H:%M:%S`; an error where it says none.
    pub fn to_datetime(self, format: &str) -> Expr {
        self.0.call("strptime", [lit(format)])
    }

    /// As [`Str::to_datetime`], but NULL where it says none.
    pub fn try_to_datetime(self, format: &str) -> Expr {
        self.0.call("try_strptime", [lit(format)])
    }

    /// The edits from one to the other.
    pub fn levenshtein(self, other: impl Into<Expr>) -> Expr {
        self.0.call("levenshtein", [other.into()])
    }
}
