//! The bounds of columns, from the statistics of row groups and pages.
//!
//! Statistics that cannot be trusted count as unknown: those of old writers whose order is not the
//! column's, of INT96, of columns inside lists and structs, and those whose minimum is above the maximum.

use arrow::array::{Array, ArrayRef, BooleanArray, UInt64Array};
use arrow::compute::{cast, nullif};
use arrow::datatypes::{DataType, Field};
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::basic::{ColumnOrder, SortOrder, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::metadata::page_index::PageIndexProvider;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::index_reader::{decode_column_index, decode_offset_index};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;

use super::footer::{SourceFile, guard};
use super::pruning::Bounds;
use crate::file::OpenFile;

/// A row group whose columns' bounds are asked for.
pub(super) struct BoundsOf<'a> {
    pub(super) file: &'a SourceFile,
    pub(super) metadata: &'a ParquetMetaData,
    pub(super) row_group: usize,
}

/// The bounds of each page of a column, and the row each page begins at.
pub(super) struct PageBounds {
    pub(super) bounds: Bounds,
    pub(super) first_rows: Vec<u64>,
}

impl BoundsOf<'_> {
    /// The bounds of the source's column `field` in the row group.
    pub(super) fn row_group(&self, field: &Field) -> Bounds {
        if let Some(constant) = self.file.constant(field.name()) {
            return Bounds::of_constant(constant, self.rows());
        }
        let rows = vec![self.rows()];
        let Some(root) = self.file.index_of(field.name()) else {
            return Bounds::all_null(field.data_type(), rows);
        };
        if *field.data_type() == DataType::Null {
            return Bounds::all_null(field.data_type(), rows);
        }
        let unknown = Bounds::unknown(field.data_type(), rows.clone());
        let Some(leaf) = self.flat_leaf(root) else { return unknown };
        let read = guard(|| self.statistics(root, leaf, rows));
        read.ok().and_then(|bounds| trusted(bounds, field)).unwrap_or(unknown)
    }

    /// Whether the bounds of `field` are values of it. Those of text and bytes may be cut short.
    pub(super) fn are_values(&self, field: &Field) -> bool {
        if self.file.constant(field.name()).is_some() {
            return true;
        }
        let leaf = self.file.index_of(field.name()).and_then(|root| self.flat_leaf(root));
        let Some(leaf) = leaf else { return false };
        let chunk = self.metadata.row_group(self.row_group).column(leaf);
        match chunk.column_type() {
            PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => {
                chunk.statistics().is_some_and(|found| found.min_is_exact() && found.max_is_exact())
            }
            _ => true,
        }
    }

    fn rows(&self) -> u64 {
        self.metadata.row_group(self.row_group).num_rows() as u64
    }

    /// The leaf of a column that is one value per row.
    pub(super) fn flat_leaf(&self, root: usize) -> Option<usize> {
        let leaves = &self.file.layout.leaves[root];
        let nested = self.file.layout.read[root].data_type().is_nested();
        (leaves.len() == 1 && !nested).then_some(leaves.start)
    }

    fn statistics(&self, root: usize, leaf: usize, rows: Vec<u64>) -> Result<Bounds, ParquetError> {
        let converter = self.converter(root, leaf)?;
        let row_group = self.metadata.row_group(self.row_group);
        let one = || std::iter::once(row_group);
        let mut bounds = Bounds {
            min: converter.row_group_mins(one())?,
            max: converter.row_group_maxes(one())?,
            nulls: counts(&converter.row_group_null_counts(one())?),
            nans: counts(&converter.row_group_nan_counts(one())?),
            rows,
        };
        let deprecated = row_group.column(leaf).statistics();
        if !self.has_order(leaf, deprecated.is_some_and(|found| found.is_min_max_deprecated())) {
            let unknown = Bounds::unknown(bounds.min.data_type(), vec![0]);
            (bounds.min, bounds.max) = (unknown.min, unknown.max);
        }
        Ok(bounds)
    }

    fn converter(&self, root: usize, leaf: usize) -> Result<StatisticsConverter<'_>, ParquetError> {
        let descriptor = self.metadata.file_metadata().schema_descr();
        let field = &self.file.layout.read[root];
        let converter = StatisticsConverter::from_column_index(leaf, field, descriptor)?;
        Ok(converter.with_missing_null_counts_as_zero(false))
    }

    /// Whether the writer ordered the values as we do.
    fn has_order(&self, leaf: usize, deprecated: bool) -> bool {
        let file = self.metadata.file_metadata();
        let column = file.schema_descr().column(leaf);
        match column.physical_type() {
            PhysicalType::INT96 => false,
            _ if column.sort_order() == SortOrder::SIGNED => true,
            _ if deprecated => false,
            _ => {
                let order = file.column_orders().and_then(|orders| orders.get(leaf));
                !matches!(order, None | Some(ColumnOrder::UNDEFINED | ColumnOrder::UNKNOWN))
            }
        }
    }

    /// The bounds of the pages of `field`; `None` where the file has no page index for it.
    pub(super) fn pages(&self, open: &OpenFile, field: &Field) -> Option<PageBounds> {
        let root = self.file.index_of(field.name())?;
        let leaf = self.flat_leaf(root).filter(|leaf| self.has_order(*leaf, false))?;
        let index = OneColumn::read(open, self.metadata, self.row_group, leaf)?;
        let read = guard(|| self.page_statistics(root, leaf, &index)).ok()?;
        let bounds = trusted(read.bounds, field)?;
        Some(PageBounds { bounds, ..read })
    }

    fn page_statistics(
        &self,
        root: usize,
        leaf: usize,
        index: &OneColumn,
    ) -> Result<PageBounds, ParquetError> {
        let converter = self.converter(root, leaf)?;
        let one = [self.row_group];
        let first_rows: Vec<u64> =
            index.offsets.page_locations().iter().map(|page| page.first_row_index as u64).collect();
        let ends = first_rows.iter().skip(1).copied().chain([self.rows()]);
        let rows: Vec<u64> =
            first_rows.iter().zip(ends).map(|(start, end)| end.saturating_sub(*start)).collect();
        let bounds = Bounds {
            min: converter.data_page_mins(index, &one)?,
            max: converter.data_page_maxes(index, &one)?,
            nulls: counts(&converter.data_page_null_counts(index, &one)?),
            nans: counts(&converter.data_page_nan_counts(index, &one)?),
            rows,
        };
        let agree = first_rows.first() == Some(&0) && first_rows.is_sorted();
        let pages = first_rows.len();
        let lengths = [bounds.min.len(), bounds.max.len(), bounds.nulls.len(), bounds.nans.len()];
        if !agree || lengths.iter().any(|length| *length != pages) {
            return Err(ParquetError::General("the page indexes do not agree".to_string()));
        }
        Ok(PageBounds { bounds, first_rows })
    }
}

fn counts(array: &UInt64Array) -> Vec<Option<u64>> {
    array.iter().collect()
}

/// The bounds in the type of the source's column; `None` where they contradict themselves.
fn trusted(bounds: Bounds, field: &Field) -> Option<Bounds> {
    let min = cast(&bounds.min, field.data_type()).ok()?;
    let max = cast(&bounds.max, field.data_type()).ok()?;
    let order = arrow::array::make_comparator(&min, &max, Default::default()).ok()?;
    let crossed = |i: usize| min.is_valid(i) && max.is_valid(i) && order(i, i).is_gt();
    let crossed: BooleanArray = (0..min.len()).map(|i| Some(crossed(i))).collect();
    let keep = |array: &ArrayRef| -> Option<ArrayRef> {
        // Arrays of type NULL have no validity to clear.
        match array.data_type() {
            DataType::Null => Some(array.clone()),
            _ => nullif(array, &crossed).ok(),
        }
    };
    Some(Bounds { min: keep(&min)?, max: keep(&max)?, ..bounds })
}

/// The page index of one column of one row group.
#[derive(Debug)]
struct OneColumn {
    values: ColumnIndexMetaData,
    offsets: OffsetIndexMetaData,
}

impl OneColumn {
    fn read(
        open: &OpenFile,
        metadata: &ParquetMetaData,
        row_group: usize,
        leaf: usize,
    ) -> Option<Self> {
        let chunk = metadata.row_group(row_group).column(leaf);
        let (values, offsets) = (chunk.column_index_range()?, chunk.offset_index_range()?);
        if values.end > open.length || offsets.end > open.length {
            return None;
        }
        let values = open.read(values.start, values.end - values.start).ok()?;
        let offsets = open.read(offsets.start, offsets.end - offsets.start).ok()?;
        guard(|| {
            Ok(Self {
                values: decode_column_index(&values, chunk.column_type())?,
                offsets: decode_offset_index(&offsets)?,
            })
        })
        .ok()
    }
}

impl PageIndexProvider for OneColumn {
    fn has_offset_indexes(&self) -> bool {
        true
    }

    fn has_column_indexes(&self) -> bool {
        true
    }

    fn column_index(&self, _row_group: usize, _column: usize) -> Option<&ColumnIndexMetaData> {
        Some(&self.values)
    }

    fn offset_index(&self, _row_group: usize, _column: usize) -> Option<&OffsetIndexMetaData> {
        Some(&self.offsets)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
