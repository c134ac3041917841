//! The words of the line that is being typed, as the shell hands them over.
//!
//! What they mean is for `columns`; here are only quotes and places.

use std::ffi::OsString;

/// Stands for the word that is being typed.
const OPEN_WORD: &str = "x";

/// The words of the line, without quotes, and with [`OPEN_WORD`] in place of the one that is being typed: so that
/// the flag before it has a value.
pub fn words() -> Vec<String> {
    let index = std::env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|index| index.parse().ok());
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    closed(words.collect(), index)
}

fn closed(words: Vec<OsString>, index: Option<usize>) -> Vec<String> {
    let last = words.len().saturating_sub(1);
    let mut words: Vec<String> =
        words.iter().map(|word| unquoted(&word.to_string_lossy())).collect();
    if let Some(word) = words.get_mut(index.unwrap_or(last)) {
        *word = match word.split_once('=') {
            Some((flag, _)) if flag.starts_with("--") => format!("{flag}={OPEN_WORD}"),
            _ => OPEN_WORD.into(),
        };
    }
    words
}

/// What a shell makes of a word: bash and zsh hand words over as they were typed.
fn unquoted(word: &str) -> String {
    let (mut out, mut quote) = (String::new(), None);
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => out.extend(letters.next()),
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => quote = Some(letter),
            _ => out.push(letter),
        }
    }
    match (out.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) if word.starts_with('~') => format!("{home}/{rest}"),
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_taken_off() {
        for (word, text) in [
            ("a.parquet", "a.parquet"),
            ("'a b.parquet'", "a b.parquet"),
            ("\"a 'b\"", "a 'b"),
            ("a\\ b", "a b"),
            ("'open", "open"),
            ("", ""),
        ] {
            assert_eq!(unquoted(word), text, "{word}");
        }
    }

    #[test]
    fn the_word_that_is_typed_is_no_value_yet() {
        let words = |index| closed(["dframe", "count", "a"].map(OsString::from).into(), index);
        assert_eq!(words(None), ["dframe", "count", OPEN_WORD]);
        assert_eq!(words(Some(1)), ["dframe", OPEN_WORD, "a"]);
        assert_eq!(words(Some(9)), ["dframe", "count", "a"]);
        let words = closed(["dframe", "sort", "--by=a,b"].map(OsString::from).into(), None);
        assert_eq!(words, ["dframe", "sort", "--by=x"]);
    }
}
