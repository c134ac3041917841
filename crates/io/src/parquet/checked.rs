//! Pages whose counts are looked at before the `parquet` crate makes room for as many values as they say.
//!
//! ```text
//!   page reader --page--> checked: counts fit the page's header and bytes? --page--> decoders
//! ```
//!
//! A count in a broken page may be any number up to 2^64, and room for so many is a request that ends the process.
//! Everything else about a page is left to the decoders, which run guarded. (Encodings: Parquet's Encodings.md.)

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescriptor;

type Result<T> = std::result::Result<T, ParquetError>;

/// A page reader that hands out no page whose counts cannot be true.
pub(super) struct CheckedPages<R> {
    pages: R,
    /// Whether the values of the column have definition and repetition levels.
    has_definitions: bool,
    has_repetitions: bool,
}

impl<R: PageReader> CheckedPages<R> {
    pub(super) fn new(pages: R, column: &ColumnDescriptor) -> Self {
        let (definitions, repetitions) = (column.max_def_level(), column.max_rep_level());
        Self { pages, has_definitions: definitions > 0, has_repetitions: repetitions > 0 }
    }

    fn checked(&self, page: Page) -> Result<Page> {
        match &page {
            Page::DictionaryPage { buf, num_values, .. } if *num_values as usize > buf.len() => {
                return Err(corrupt("a dictionary has more values than bytes"));
            }
            Page::DictionaryPage { .. } => (),
            Page::DataPage { buf, num_values, encoding, .. } if is_delta(*encoding) => {
                check_counts(self.values(buf)?, *encoding, *num_values)?;
            }
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } if is_delta(*encoding) => {
                let levels = *def_levels_byte_len as usize + *rep_levels_byte_len as usize;
                let values = buf.get(levels..).ok_or_else(|| corrupt("levels are cut off"))?;
                check_counts(values, *encoding, *num_values)?;
            }
            _ => (),
        }
        Ok(page)
    }

    /// What follows the levels of a page of the first version: each of them has its length before it. (Levels of the
    /// encoding that came before that are not written beside these encodings of values.)
    fn values<'a>(&self, page: &'a [u8]) -> Result<&'a [u8]> {
        let mut rest = page;
        for _ in 0..u8::from(self.has_repetitions) + u8::from(self.has_definitions) {
            let (length, behind) =
                rest.split_first_chunk().ok_or_else(|| corrupt("levels are cut off"))?;
            let length = u32::from_le_bytes(*length) as usize;
            rest = behind.get(length..).ok_or_else(|| corrupt("levels are cut off"))?;
        }
        Ok(rest)
    }
}

/// The encodings of which the values have a count of their own.
fn is_delta(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::DELTA_BYTE_ARRAY
            | Encoding::DELTA_LENGTH_BYTE_ARRAY
            | Encoding::DELTA_BINARY_PACKED
    )
}

fn check_counts(values: &[u8], encoding: Encoding, most: u32) -> Result<()> {
    let mut rest = Varints(values);
    rest.skip_deltas(most)?;
    // Lengths of what values share with the one before, then those of what they do not.
    if encoding == Encoding::DELTA_BYTE_ARRAY {
        rest.skip_deltas(most)?;
    }
    Ok(())
}

/// Numbers packed as differences, read as far as needed to know where they end.
struct Varints<'a>(&'a [u8]);

impl Varints<'_> {
    /// Moves behind a run of packed differences, which must not say that it has more than `most` values.
    fn skip_deltas(&mut self, most: u32) -> Result<()> {
        let (block, parts) = (self.number()?, self.number()?);
        let count = self.number()?;
        self.number()?;
        if count > u64::from(most) {
            return Err(corrupt("a page has more values than its header says"));
        }
        if parts == 0 || block % parts != 0 || parts > self.0.len() as u64 {
            // There may be no block at all, where there is one value.
            return if count <= 1 { Ok(()) } else { Err(corrupt("blocks have no size")) };
        }
        let part = block / parts;
        let mut left = count.saturating_sub(1);
        while left > 0 {
            left = self.skip_block(left, parts, part)?;
        }
        Ok(())
    }

    /// Moves behind a block; how many values are left after it.
    fn skip_block(&mut self, mut left: u64, parts: u64, part: u64) -> Result<u64> {
        self.number()?;
        let (widths, behind) = self
            .0
            .split_at_checked(parts as usize)
            .filter(|_| part > 0)
            .ok_or_else(|| corrupt("a block is cut off"))?;
        let mut bytes = 0_u64;
        for width in widths {
            if left == 0 {
                break;
            }
            bytes = bytes.saturating_add(part.saturating_mul(u64::from(*width)) / 8);
            left = left.saturating_sub(part);
        }
        // The last part of a run may be shorter than its width says.
        let bytes = bytes.min(behind.len() as u64) as usize;
        self.0 = &behind[bytes..];
        Ok(left)
    }

    /// A number of seven bits a byte, lowest first.
    fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or_else(|| corrupt("a page is cut off"))?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(corrupt("a number has too many bytes"))
    }
}

fn corrupt(what: &str) -> ParquetError {
    ParquetError::General(what.to_string())
}

impl<R: PageReader> Iterator for CheckedPages<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: PageReader> PageReader for CheckedPages<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        self.pages.get_next_page()?.map(|page| self.checked(page)).transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.pages.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>> {
        self.pages.take_deferred_dictionary()?.map(|page| self.checked(page)).transpose()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of packed differences: blocks of 128 in 4 parts, `count` values, all the same.
    fn run(count: &[u8]) -> Vec<u8> {
        [&[0x80, 1, 4][..], count, &[0], &[0, 0, 0, 0, 0]].concat()
    }

    #[test]
    fn counts_beyond_the_page_are_errors() {
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f];
        let (fits, not) = (run(&[7]), run(&huge));
        let check = |first: &[u8], second: &[u8]| {
            check_counts(&[first, second].concat(), Encoding::DELTA_BYTE_ARRAY, 7)
        };
        assert!(check(&fits, &fits).is_ok());
        assert!(check(&not, &fits).is_err());
        assert!(check(&fits, &not).is_err());
        assert!(check(&run(&[8]), &fits).is_err());
        assert!(check(&fits, &[]).is_err());
        assert!(check_counts(&[0x80; 20], Encoding::DELTA_BINARY_PACKED, 7).is_err());
    }
}
