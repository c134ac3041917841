//! Which rows go into which row group of which file.

use std::ops::Range;

use crate::Options;

/// A row group to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowGroup {
    /// The file it belongs to.
    pub(crate) file: usize,
    /// Its rows, numbered through the whole table. Empty only for a file without rows.
    pub(crate) rows: Range<u64>,
}

/// All row groups in row order: files get contiguous and even shares, and every file at least one
/// row group, if an empty one.
pub(crate) fn row_groups(options: &Options) -> impl Iterator<Item = RowGroup> + use<> {
    let (rows, files, step) = (options.rows, options.files, options.row_group_rows as u64);
    (0..files).flat_map(move |file| {
        let (start, end) = (file_start(rows, files, file), file_start(rows, files, file + 1));
        let groups = (end - start).div_ceil(step).max(1);
        (0..groups).map(move |group| {
            let from = start + group * step;
            RowGroup { file, rows: from..end.min(from.saturating_add(step)) }
        })
    })
}

fn file_start(rows: u64, files: usize, file: usize) -> u64 {
    (u128::from(rows) * file as u128 / files as u128) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(rows: u64, files: usize, row_group_rows: usize) -> Vec<(usize, Range<u64>)> {
        let options = Options { rows, files, row_group_rows, ..Options::default() };
        row_groups(&options).map(|group| (group.file, group.rows)).collect()
    }

    #[test]
    fn rows_are_shared_evenly_and_in_order() {
        assert_eq!(groups(10, 1, 4), [(0, 0..4), (0, 4..8), (0, 8..10)]);
        assert_eq!(
            groups(10, 3, 2),
            [(0, 0..2), (0, 2..3), (1, 3..5), (1, 5..6), (2, 6..8), (2, 8..10)]
        );
    }

    #[test]
    fn files_without_rows_still_exist() {
        assert_eq!(groups(0, 1, 4), [(0, 0..0)]);
        assert_eq!(groups(1, 2, 4), [(0, 0..0), (1, 0..1)]);
    }
}
