//! Keys that come in order need no hash table: one that is greater than all before is a new group.
//!
//! ```text
//!   ticker  id            the column `id` never falls, and where it stays the same, so does the whole key
//!   B       10   group 0
//!   A       10   broken: an earlier row may have had the same key, so that the groups so far are hashed
//! ```
//!
//! It looks at codes, whose order need not be that of the values. Nothing here hashes.

use super::key_column::Codes;

/// Groups of rows in order.
#[derive(Default)]
pub(super) struct InOrder {
    /// The column that never falls, once there was a row.
    column: Option<usize>,
    /// The codes of the last row.
    last: Vec<u64>,
}

impl InOrder {
    /// Puts the group of each row into `groups`, and the rows that begin one into `new_rows`; `next` is the number of
    /// the next group. Says `false`, and does nothing, if the rows are not in order.
    pub(super) fn assign(
        &mut self,
        codes: &[Codes],
        next: u32,
        groups: &mut Vec<u32>,
        new_rows: &mut Vec<u32>,
    ) -> bool {
        if codes.iter().any(|codes| codes.nulls.is_some()) {
            return false;
        }
        if codes[0].codes.is_empty() {
            return true;
        }
        let candidates = match self.column {
            Some(column) => column..column + 1,
            None => 0..codes.len(),
        };
        let Some(column) = candidates.into_iter().find(|column| self.never_falls(codes, *column))
        else {
            return false;
        };
        self.column = Some(column);
        self.number(codes, column, next, groups, new_rows);
        let last = codes[0].codes.len() - 1;
        self.last = codes.iter().map(|codes| codes.codes[last]).collect();
        true
    }

    fn never_falls(&self, codes: &[Codes], column: usize) -> bool {
        let of_column = &codes[column].codes;
        let first_fits = self.last.get(column).is_none_or(|last| match last.cmp(&of_column[0]) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.last.iter().zip(codes).all(|(l, c)| *l == c.codes[0]),
            std::cmp::Ordering::Greater => false,
        });
        let fits = |row: usize| of_column[row] < of_column[row + 1] || same(codes, row);
        first_fits && (0..of_column.len() - 1).all(fits)
    }

    fn number(
        &self,
        codes: &[Codes],
        column: usize,
        next: u32,
        groups: &mut Vec<u32>,
        new_rows: &mut Vec<u32>,
    ) {
        let mut before = self.last.get(column).copied();
        let mut next = next;
        for (row, code) in codes[column].codes.iter().enumerate() {
            if before != Some(*code) {
                new_rows.push(row as u32);
                next += 1;
                before = Some(*code);
            }
            groups.push(next - 1);
        }
    }
}

/// Whether a row and the next one have the same key.
fn same(codes: &[Codes], row: usize) -> bool {
    codes.iter().all(|codes| codes.codes[row] == codes.codes[row + 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign(in_order: &mut InOrder, columns: &[&[u64]], next: u32) -> Option<(Vec<u32>, usize)> {
        let codes = |codes: &&[u64]| Codes { codes: codes.to_vec(), nulls: None };
        let codes: Vec<Codes> = columns.iter().map(codes).collect();
        let (mut groups, mut new_rows) = (Vec::new(), Vec::new());
        let fits = in_order.assign(&codes, next, &mut groups, &mut new_rows);
        fits.then_some((groups, new_rows.len()))
    }

    #[test]
    fn a_greater_key_is_a_group_and_an_equal_one_is_not() {
        let mut keys = InOrder::default();
        assert_eq!(assign(&mut keys, &[&[3, 3, 5]], 0), Some((vec![0, 0, 1], 2)));
        assert_eq!(assign(&mut keys, &[&[5, 9]], 2), Some((vec![1, 2], 1)));
        assert_eq!(assign(&mut keys, &[&[]], 3), Some((vec![], 0)));
        assert_eq!(assign(&mut keys, &[&[8]], 3), None);
    }

    #[test]
    fn any_column_may_be_in_order_and_others_must_not_change_under_it() {
        let mut keys = InOrder::default();
        assert_eq!(assign(&mut keys, &[&[7, 1, 1], &[1, 2, 2]], 0), Some((vec![0, 1, 1], 2)));
        assert_eq!(assign(&mut keys, &[&[2], &[2]], 2), None);
        assert_eq!(assign(&mut keys, &[&[1, 4], &[2, 3]], 2), Some((vec![1, 2], 1)));
        assert_eq!(assign(&mut keys, &[&[1, 4], &[4, 4]], 3), None);
    }
}
