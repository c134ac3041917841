//! Key columns to dense group numbers, and group numbers back to key columns.
//!
//! ```text
//!   key arrays --KeyColumn--> codes --+-- no keys:          everything is group 0
//!                                     +-- one dense column: the code is the group
//!                                     +-- small product:    direct look-up in a table of products
//!                                     +-- <= 64, 128 bits:  PackedTable
//!                                     +-- twice that:       PackedTable of pairs
//!                                     +-- wider:            PackedTables in a chain
//!   groups --stored codes--> KeyColumn::decode --> key arrays
//! ```
//!
//! The way is chosen by the columns' types; the direct one gives way to hashing when the product of
//! the codes seen outgrows it. As long as keys come in order, none of them is needed: see `in_order`. Nothing here knows states, partitions or tasks.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use dframe_core::Result;

use super::in_order::InOrder;
use super::key_column::{Codes, KeyColumn};
use super::packed::{PackedTable, combine};

/// Bits of the direct look-up table, at most: 2 Mi groups numbers, 8 MiB.
const DIRECT_BITS_MAX: u32 = 21;

/// Groups by key.
pub(crate) struct GroupTable {
    columns: Vec<KeyColumn>,
    stored: Vec<StoredCodes>,
    groups: usize,
    lookup: Lookup,
    /// While the keys come in order, nothing is in the look-up.
    in_order: Option<InOrder>,
    /// The groups to make room for, when something will be.
    expected: usize,
}

/// The codes of one key column, per group.
#[derive(Default)]
struct StoredCodes {
    codes: Vec<u64>,
    /// The groups, ascending, that are NULL though their code does not say so.
    null_groups: Vec<u32>,
}

enum Lookup {
    Nothing,
    Dense,
    Direct(Direct),
    Wide { table: PackedTable<u64>, null_group: Option<u32> },
    Narrow(PackedTable<u64>),
    Pair([Range<usize>; 2], PackedTable<[u128; 2]>),
    Chain(Vec<Link>),
}

/// A look-up table of `2^bits` entries per column, all columns' bits side by side.
#[derive(Default)]
struct Direct {
    bits: Vec<u32>,
    groups: Vec<u32>,
    next: u32,
}

/// One table of a chain: the link before it, then as many columns as fit 128 bits.
struct Link {
    columns: Range<usize>,
    table: PackedTable<u128>,
}

const FREE: u32 = u32::MAX;

impl GroupTable {
    /// A table for keys of these types.
    pub(crate) fn new(key_types: &[DataType]) -> Result<Self> {
        Self::with(key_types, true)
    }

    /// A table for keys of these types that were chosen by their hashes: they are spread over what direct look-up
    /// would need room for.
    pub(crate) fn of_cut_keys(key_types: &[DataType]) -> Result<Self> {
        Self::with(key_types, false)
    }

    fn with(key_types: &[DataType], may_be_direct: bool) -> Result<Self> {
        let columns = key_types.iter().map(KeyColumn::new).collect::<Result<Vec<_>>>()?;
        let lookup = match columns.as_slice() {
            [] => Lookup::Nothing,
            [column] if column.is_dense() => Lookup::Dense,
            [column] if column.nulls_aside() => {
                Lookup::Wide { table: PackedTable::new(), null_group: None }
            }
            columns if may_be_direct && !columns.iter().any(KeyColumn::nulls_aside) => {
                Lookup::Direct(Direct::default())
            }
            columns => Lookup::hashed(columns),
        };
        let stored = columns.iter().map(|_| StoredCodes::default()).collect();
        let groups = usize::from(columns.is_empty());
        let in_order = Some(InOrder::default());
        Ok(Self { columns, stored, groups, lookup, in_order, expected: 0 })
    }

    /// The number of groups. Without keys it is one from the start.
    pub(crate) fn len(&self) -> usize {
        self.groups
    }

    /// Puts the group of each of `rows` rows into `groups`.
    pub(crate) fn assign(
        &mut self,
        keys: &[ArrayRef],
        rows: usize,
        groups: &mut Vec<u32>,
    ) -> Result<()> {
        groups.clear();
        if matches!(self.lookup, Lookup::Dense) {
            self.columns[0].encode_dense(&keys[0], groups)?;
            let seen = self.stored[0].codes.len() as u64;
            self.stored[0].codes.extend(seen..self.columns[0].dense_len() as u64);
            self.groups = self.columns[0].dense_len();
            return Ok(());
        }
        let encode = |(column, array): (&mut KeyColumn, &ArrayRef)| column.encode(array);
        let codes: Vec<Codes> =
            self.columns.iter_mut().zip(keys).map(encode).collect::<Result<_>>()?;
        if matches!(self.lookup, Lookup::Nothing) {
            groups.resize(rows, 0);
            return Ok(());
        }
        let mut new_rows = Vec::new();
        if let Some(keys) = &mut self.in_order {
            if keys.assign(&codes, self.groups as u32, groups, &mut new_rows) {
                self.add_groups(&codes, &new_rows);
                return Ok(());
            }
            self.leave_order();
        }
        self.make_room(&codes);
        self.lookup.assign(&self.columns, &codes, groups, &mut new_rows);
        self.add_groups(&codes, &new_rows);
        Ok(())
    }

    /// Whether all keys so far came in order, so that finding their groups cost next to nothing.
    pub(crate) fn is_in_order(&self) -> bool {
        self.in_order.is_some()
    }

    /// Stores the keys of the rows that begin a group.
    fn add_groups(&mut self, codes: &[Codes], new_rows: &[u32]) {
        for (stored, codes) in self.stored.iter_mut().zip(codes) {
            stored.extend(codes, new_rows, self.groups as u32);
        }
        self.groups += new_rows.len();
    }

    /// The keys of a range of groups.
    pub(crate) fn keys(&self, groups: Range<usize>) -> Result<Vec<ArrayRef>> {
        let decode = |(column, stored): (&KeyColumn, &StoredCodes)| {
            let is_null = |row: usize| stored.is_null((groups.start + row) as u32);
            column.decode(&stored.codes[groups.clone()], &is_null)
        };
        self.columns.iter().zip(&self.stored).map(decode).collect()
    }

    /// The keys of these groups.
    pub(crate) fn keys_of(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let decode = |(column, stored): (&KeyColumn, &StoredCodes)| {
            column.decode(&stored.codes_of(groups), &|row| stored.is_null(groups[row]))
        };
        self.columns.iter().zip(&self.stored).map(decode).collect()
    }

    /// The keys of these groups, for other tasks of the group-by.
    pub(crate) fn travelling_keys(&self, groups: &[u32]) -> Result<Vec<ArrayRef>> {
        let decode = |(column, stored): (&KeyColumn, &StoredCodes)| {
            let codes = stored.codes_of(groups);
            column.decode_travelling(&codes, &|row| stored.is_null(groups[row]))
        };
        self.columns.iter().zip(&self.stored).map(decode).collect()
    }

    /// The hash of each group's key, the same in every table.
    pub(crate) fn hashes(&self) -> Vec<u64> {
        let mut hashes = vec![0; self.groups];
        for (column, stored) in self.columns.iter().zip(&self.stored) {
            if let Some(known) = column.hashes_of_codes(self.groups) {
                let codes = hashes.iter_mut().zip(&stored.codes);
                codes.for_each(|(hash, code)| *hash = combine(*hash, known[*code as usize]));
                continue;
            }
            for (group, hash) in hashes.iter_mut().enumerate() {
                let is_null = stored.is_null(group as u32);
                *hash = combine(*hash, column.hash(stored.codes[group], is_null));
            }
        }
        hashes
    }

    /// Makes room for so many groups, where the way of looking up knows how.
    pub(crate) fn reserve(&mut self, groups: usize) {
        if self.is_in_order() {
            self.expected = groups;
            return;
        }
        match &mut self.lookup {
            Lookup::Wide { table, .. } | Lookup::Narrow(table) => table.reserve(groups),
            Lookup::Pair(_, table) => table.reserve(groups),
            Lookup::Chain(links) => {
                if let Some(last) = links.last_mut() {
                    last.table.reserve(groups);
                }
            }
            Lookup::Nothing | Lookup::Dense | Lookup::Direct(_) => {}
        }
    }

    /// The memory that [`GroupTable::reserve`] takes.
    pub(crate) fn memory_for(&self, groups: usize) -> usize {
        match &self.lookup {
            Lookup::Wide { .. } | Lookup::Narrow(_) => PackedTable::<u64>::memory_for(groups),
            Lookup::Pair(..) => PackedTable::<[u128; 2]>::memory_for(groups),
            Lookup::Chain(_) => PackedTable::<u128>::memory_for(groups),
            Lookup::Nothing | Lookup::Dense | Lookup::Direct(_) => 0,
        }
    }

    /// The bytes of memory held.
    pub(crate) fn memory(&self) -> usize {
        let columns: usize = self.columns.iter().map(KeyColumn::memory).sum();
        let stored: usize = self.stored.iter().map(|stored| stored.codes.capacity() * 8).sum();
        let lookup = match &self.lookup {
            Lookup::Nothing | Lookup::Dense => 0,
            Lookup::Direct(direct) => direct.groups.capacity() * 4,
            Lookup::Wide { table, .. } | Lookup::Narrow(table) => table.memory(),
            Lookup::Pair(_, table) => table.memory(),
            Lookup::Chain(links) => links.iter().map(|link| link.table.memory()).sum(),
        };
        columns + stored + lookup
    }

    /// Makes the direct table large enough for `codes`, or gives it up for a hash table.
    fn make_room(&mut self, codes: &[Codes]) {
        let Lookup::Direct(direct) = &mut self.lookup else { return };
        direct.bits.resize(codes.len(), 0);
        let needed = direct.bits.iter().zip(codes).map(|(bits, c)| (*bits).max(bits_needed(c)));
        let bits: Vec<u32> = needed.collect();
        if bits == direct.bits && !direct.groups.is_empty() {
            return;
        }
        if bits.iter().sum::<u32>() <= DIRECT_BITS_MAX {
            *direct = Direct::rebuilt(bits, &self.stored, self.groups);
        } else {
            self.lookup = Lookup::hashed(&self.columns);
            self.rehash();
        }
    }

    /// Enters the groups that came in order, as the next ones do not.
    fn leave_order(&mut self) {
        self.in_order = None;
        self.reserve(self.expected);
        if self.groups > 0 {
            self.rehash();
        }
    }

    /// Enters all groups, none of which has a NULL aside, into an empty hash table.
    fn rehash(&mut self) {
        let stored = self.stored.iter();
        let codes: Vec<Codes> =
            stored.map(|stored| Codes { codes: stored.codes.clone(), nulls: None }).collect();
        match &mut self.lookup {
            // The table itself is made when it is known what comes next.
            Lookup::Direct(direct) => direct.bits = codes.iter().map(bits_needed).collect(),
            lookup => lookup.assign(&self.columns, &codes, &mut Vec::new(), &mut Vec::new()),
        }
    }
}

/// The bits that every one of `codes` fits in.
fn bits_needed(codes: &Codes) -> u32 {
    u64::BITS - codes.codes.iter().fold(0, |a, b| a | b).leading_zeros()
}

impl Lookup {
    /// Appends the group of each row to `groups`, and the rows that begin one to `new_rows`.
    fn assign(
        &mut self,
        columns: &[KeyColumn],
        codes: &[Codes],
        groups: &mut Vec<u32>,
        new_rows: &mut Vec<u32>,
    ) {
        match self {
            Lookup::Nothing | Lookup::Dense => {}
            Lookup::Direct(direct) => direct.assign(codes, groups, new_rows),
            Lookup::Wide { table, null_group } => {
                assign_wide(table, null_group, &codes[0], groups, new_rows);
            }
            Lookup::Narrow(table) => table.assign(&pack(columns, codes), groups, new_rows),
            Lookup::Pair(words, table) => {
                table.assign(&pairs(words, columns, codes), groups, new_rows);
            }
            Lookup::Chain(links) => assign_chain(links, columns, codes, groups, new_rows),
        }
    }

    fn hashed(columns: &[KeyColumn]) -> Self {
        let bits: u32 = columns.iter().map(packed_bits).sum();
        match two_words(columns).filter(|_| bits > 128) {
            _ if bits <= 64 => Lookup::Narrow(PackedTable::new()),
            Some(words) => Lookup::Pair(words, PackedTable::new()),
            None => Lookup::Chain(links(columns)),
        }
    }
}

/// The bits of a column in a packed key: its code, and a bit for NULL if the code has none.
fn packed_bits(column: &KeyColumn) -> u32 {
    column.code_bits() + u32::from(column.nulls_aside())
}

/// Cuts the columns in two that fit 128 bits each, if they do.
fn two_words(columns: &[KeyColumn]) -> Option<[Range<usize>; 2]> {
    let bits = |columns: &[KeyColumn]| columns.iter().map(packed_bits).sum::<u32>();
    let cut = (1..columns.len()).rev().find(|cut| bits(&columns[..*cut]) <= 128)?;
    (bits(&columns[cut..]) <= 128).then_some([0..cut, cut..columns.len()])
}

/// Cuts the columns so that each cut, with the 32 bits of the link before, fits 128 bits.
fn links(columns: &[KeyColumn]) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut room = 0;
    for (index, column) in columns.iter().enumerate() {
        let bits = packed_bits(column);
        match links.last_mut() {
            Some(link) if bits <= room => link.columns.end = index + 1,
            _ => {
                room = if links.is_empty() { 128 } else { 96 };
                links.push(Link { columns: index..index + 1, table: PackedTable::new() });
            }
        }
        room -= bits;
    }
    links
}

fn pack(columns: &[KeyColumn], codes: &[Codes]) -> Vec<u64> {
    let mut keys = codes[0].codes.clone();
    for (column, codes) in columns.iter().zip(codes).skip(1) {
        let bits = column.code_bits();
        keys.iter_mut().zip(&codes.codes).for_each(|(key, code)| *key = *key << bits | code);
    }
    keys
}

fn assign_wide(
    table: &mut PackedTable<u64>,
    null_group: &mut Option<u32>,
    codes: &Codes,
    groups: &mut Vec<u32>,
    new_rows: &mut Vec<u32>,
) {
    let Some(nulls) = &codes.nulls else {
        return table.assign(&codes.codes, groups, new_rows);
    };
    for (row, code) in codes.codes.iter().enumerate() {
        if nulls.is_valid(row) {
            groups.push(table.group_of(*code, || new_rows.push(row as u32)));
        } else {
            let group = null_group.get_or_insert_with(|| {
                new_rows.push(row as u32);
                table.push_aside(0)
            });
            groups.push(*group);
        }
    }
}

/// Keys of two words, each of the codes of some columns.
fn pairs(words: &[Range<usize>; 2], columns: &[KeyColumn], codes: &[Codes]) -> Vec<[u128; 2]> {
    let [high, low] = words.clone().map(|range| {
        let mut keys = vec![0; codes[0].codes.len()];
        range.for_each(|column| add_codes(&mut keys, &columns[column], &codes[column]));
        keys
    });
    high.into_iter().zip(low).map(|(high, low)| [high, low]).collect()
}

fn assign_chain(
    links: &mut [Link],
    columns: &[KeyColumn],
    codes: &[Codes],
    groups: &mut Vec<u32>,
    new_rows: &mut Vec<u32>,
) {
    let rows = codes[0].codes.len();
    for (index, link) in links.iter_mut().enumerate() {
        let mut keys: Vec<u128> = match index {
            0 => vec![0; rows],
            _ => groups.iter().map(|group| u128::from(*group)).collect(),
        };
        for column in link.columns.clone() {
            add_codes(&mut keys, &columns[column], &codes[column]);
        }
        groups.clear();
        // Those of the last link count.
        new_rows.clear();
        link.table.assign(&keys, groups, new_rows);
    }
}

/// Shifts the codes of one column into the keys.
fn add_codes(keys: &mut [u128], column: &KeyColumn, codes: &Codes) {
    let bits = packed_bits(column);
    match &codes.nulls {
        None if column.nulls_aside() => {
            let valid = 1 << column.code_bits();
            let codes = codes.codes.iter().map(|code| u128::from(*code) | valid);
            keys.iter_mut().zip(codes).for_each(|(key, code)| *key = *key << bits | code);
        }
        None => keys
            .iter_mut()
            .zip(&codes.codes)
            .for_each(|(key, code)| *key = *key << bits | u128::from(*code)),
        Some(nulls) => {
            let valid = 1 << column.code_bits();
            for (row, key) in keys.iter_mut().enumerate() {
                let code = u128::from(codes.codes[row]) | valid;
                *key = *key << bits | if nulls.is_null(row) { 0 } else { code };
            }
        }
    }
}

impl Direct {
    fn rebuilt(bits: Vec<u32>, stored: &[StoredCodes], groups: usize) -> Self {
        let size = 1usize << bits.iter().sum::<u32>();
        let mut direct = Direct { bits, groups: vec![FREE; size], next: groups as u32 };
        for group in 0..groups {
            let slot = direct.slot(stored.iter().map(|stored| stored.codes[group]));
            direct.groups[slot] = group as u32;
        }
        direct
    }

    fn slot(&self, codes: impl Iterator<Item = u64>) -> usize {
        codes.zip(&self.bits).fold(0, |slot, (code, bits)| slot << bits | code as usize)
    }

    fn assign(&mut self, codes: &[Codes], groups: &mut Vec<u32>, new_rows: &mut Vec<u32>) {
        let mut slots: Vec<u32> = codes[0].codes.iter().map(|code| *code as u32).collect();
        for (codes, bits) in codes.iter().zip(&self.bits).skip(1) {
            let codes = codes.codes.iter();
            slots
                .iter_mut()
                .zip(codes)
                .for_each(|(slot, code)| *slot = *slot << bits | *code as u32);
        }
        let mut next = self.next;
        groups.extend(slots.iter().enumerate().map(|(row, slot)| {
            let group = &mut self.groups[*slot as usize];
            if *group == FREE {
                *group = next;
                next += 1;
                new_rows.push(row as u32);
            }
            *group
        }));
        self.next = next;
    }
}

impl StoredCodes {
    /// The codes of the rows at which groups, from `first` on, were seen first.
    fn extend(&mut self, codes: &Codes, rows: &[u32], first: u32) {
        self.codes.extend(rows.iter().map(|row| codes.codes[*row as usize]));
        if let Some(nulls) = &codes.nulls {
            let null = rows.iter().zip(first..).filter(|(row, _)| nulls.is_null(**row as usize));
            self.null_groups.extend(null.map(|(_, group)| group));
        }
    }

    fn codes_of(&self, groups: &[u32]) -> Vec<u64> {
        groups.iter().map(|group| self.codes[*group as usize]).collect()
    }

    fn is_null(&self, group: u32) -> bool {
        !self.null_groups.is_empty() && self.null_groups.binary_search(&group).is_ok()
    }
}
