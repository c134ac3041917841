//! One pass over a table: which types hold all values of its columns, and at which rowids it is cut.
//!
//! ```text
//!   integers only  BIGINT; BOOLEAN if declared so and all are 0 or 1
//!   and reals      DOUBLE
//!   texts only     VARCHAR; DATE or TIMESTAMP if declared so and all are
//!   a mixture      VARCHAR; BLOB if there is a blob among them
//! ```

use arrow::datatypes::{DataType, Field, TimeUnit};
use dframe_core::{Error, Result};
use rusqlite::types::ValueRef;

use super::database::{Declared, Opened, failed};
use crate::text::moment;

/// A piece is closed after so many rows or bytes.
const PIECE_ROWS: u64 = 32 << 10;
const PIECE_BYTES: u64 = 512 << 10;

/// Rows that lie together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// The rowids of the first and the last row.
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) rows: u64,
    /// The bytes that [`super::values::append`] makes of all columns.
    pub(super) bytes: u64,
}

/// What was found.
pub(super) struct Survey {
    pub(super) fields: Vec<Field>,
    pub(super) pieces: Vec<Piece>,
}

/// What a column holds.
#[derive(Clone, Debug, Default)]
struct Seen {
    integers: bool,
    reals: bool,
    texts: bool,
    blobs: bool,
    /// An integer that is neither 0 nor 1.
    beyond_bits: bool,
    /// A text that is no date, one that is no moment, and one that is no UTF-8.
    beyond_dates: bool,
    beyond_moments: bool,
}

impl Survey {
    pub(super) fn of(opened: &Opened) -> Result<Self> {
        let failed = |error| failed(error, &opened.path);
        let connection = opened.connect()?;
        let all: Vec<usize> = (0..opened.columns.len()).collect();
        if all.is_empty() {
            return Err(Error::invalid_data("the table has no columns"));
        }
        let mut statement = connection.prepare(&opened.select(&all, "")).map_err(failed)?;
        let mut found = statement.query([]).map_err(failed)?;
        let mut seen = vec![Seen::default(); all.len()];
        let asks_moments: Vec<bool> = opened.columns.iter().map(is_moment).collect();
        let mut pieces: Vec<Piece> = Vec::new();
        while let Some(row) = found.next().map_err(failed)? {
            let rowid: i64 = row.get(0).map_err(failed)?;
            let full = |piece: &Piece| piece.rows >= PIECE_ROWS || piece.bytes >= PIECE_BYTES;
            if pieces.last().is_none_or(full) {
                pieces.push(Piece { first: rowid, last: rowid, rows: 0, bytes: 0 });
            }
            let mut bytes = 0;
            for (place, seen) in seen.iter_mut().enumerate() {
                let value = row.get_ref(place + 1).map_err(failed)?;
                seen.add(value, asks_moments[place]);
                bytes += super::values::length(value);
            }
            if let Some(piece) = pieces.last_mut() {
                piece.last = rowid;
                piece.rows += 1;
                piece.bytes += bytes;
            }
        }
        let fields = opened.columns.iter().zip(&seen);
        let fields =
            fields.map(|(column, seen)| Field::new(&column.name, seen.fitting(column), true));
        Ok(Self { fields: fields.collect(), pieces })
    }
}

fn is_moment(column: &Declared) -> bool {
    column.declared.contains("DATE") || column.declared.contains("TIMESTAMP")
}

impl Seen {
    fn add(&mut self, value: ValueRef<'_>, asks_moments: bool) {
        match value {
            ValueRef::Null => {}
            ValueRef::Integer(number) => {
                self.integers = true;
                self.beyond_bits |= !(0..=1).contains(&number);
            }
            ValueRef::Real(_) => self.reals = true,
            // SQLite does not check what it is given for text.
            ValueRef::Text(text) if std::str::from_utf8(text).is_err() => self.blobs = true,
            ValueRef::Text(text) => {
                self.texts = true;
                if asks_moments && !self.beyond_moments {
                    // A timestamp has microseconds.
                    let fits = |moment: &moment::Moment| {
                        !moment.is_zoned && moment.nanos.is_multiple_of(1000)
                    };
                    let moment = moment::parse(text).filter(fits);
                    self.beyond_moments |= moment.is_none();
                    self.beyond_dates |= moment.is_none_or(|moment| !moment.is_date);
                }
            }
            ValueRef::Blob(_) => self.blobs = true,
        }
    }

    /// The type that holds all values.
    fn fitting(&self, column: &Declared) -> DataType {
        let declared = &column.declared;
        match (self.integers, self.reals, self.texts, self.blobs) {
            (false, false, false, false) => declared_type(declared),
            (_, _, _, true) => DataType::Binary,
            (true, false, false, false) if declared.contains("BOOL") && !self.beyond_bits => {
                DataType::Boolean
            }
            (true, false, false, _) => DataType::Int64,
            (_, true, false, _) => DataType::Float64,
            (false, false, true, _) if is_moment(column) && !self.beyond_dates => DataType::Date32,
            (false, false, true, _) if is_moment(column) && !self.beyond_moments => {
                DataType::Timestamp(TimeUnit::Microsecond, None)
            }
            _ => DataType::Utf8,
        }
    }
}

/// The type of a column without values, by SQLite's rules of affinity and a few names more.
fn declared_type(declared: &str) -> DataType {
    let has = |names: &[&str]| names.iter().any(|name| declared.contains(name));
    if has(&["INT"]) {
        DataType::Int64
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        DataType::Utf8
    } else if has(&["BLOB"]) {
        DataType::Binary
    } else if has(&["REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL"]) {
        DataType::Float64
    } else if has(&["BOOL"]) {
        DataType::Boolean
    } else if has(&["DATETIME", "TIMESTAMP"]) {
        DataType::Timestamp(TimeUnit::Microsecond, None)
    } else if has(&["DATE"]) {
        DataType::Date32
    } else {
        DataType::Utf8
    }
}
