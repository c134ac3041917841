//! What values are made of: kinds of scalars, the items of lists, the members of objects.
//!
//! ```text
//!   {"a": 1, "b": [1.5, null]}   {"b": [2], "c": {"d": "x"}}
//!      --union-->  {a: INTEGER, b: [INTEGER, FLOAT], c: {d: TEXT}}
//!      --data_type-->  a BIGINT, b DOUBLE[], c STRUCT(d VARCHAR)
//! ```
//!
//! Shapes are merged by union, as kinds are, so that types do not depend on who saw which rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use dframe_core::{Error, Result};

use crate::text::Kinds;

/// Different members of one object at most: more are not columns, but data.
pub(super) const MEMBERS_MAX: usize = 10_000;

/// A set of values.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    /// The kinds of those that are scalars.
    pub(super) kinds: Kinds,
    /// The items of those that are lists.
    pub(super) items: Option<Box<Shape>>,
    /// The members of those that are objects.
    pub(super) members: Option<Members>,
}

/// The members of objects, in the order in which they were first seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    pub(super) list: Vec<(String, Shape)>,
    places: HashMap<String, usize>,
    /// The member after the one that was seen last: mostly the next one.
    next: usize,
}

impl Members {
    /// Objects begin with the first member again.
    pub(super) fn begin(&mut self) {
        self.next = 0;
    }

    /// The member of this name; `None` if there are too many.
    #[inline]
    pub(super) fn named(&mut self, name: &str) -> Option<&mut Shape> {
        let place = match self.list.get(self.next) {
            Some((next, _)) if next == name => self.next,
            _ => self.find_or_add(name)?,
        };
        self.next = place + 1;
        Some(&mut self.list[place].1)
    }

    fn find_or_add(&mut self, name: &str) -> Option<usize> {
        if let Some(place) = self.places.get(name) {
            return Some(*place);
        }
        if self.list.len() == MEMBERS_MAX {
            return None;
        }
        self.places.insert(name.to_string(), self.list.len());
        self.list.push((name.to_string(), Shape::default()));
        Some(self.list.len() - 1)
    }
}

impl Shape {
    /// Adds the values of another set; false if there are too many members.
    pub(super) fn merge(&mut self, other: &Shape) -> bool {
        self.kinds = self.kinds | other.kinds;
        if let Some(items) = &other.items
            && !self.items.get_or_insert_default().merge(items)
        {
            return false;
        }
        let Some(members) = &other.members else { return true };
        let own = self.members.get_or_insert_default();
        members.list.iter().all(|(name, shape)| match own.named(name) {
            Some(known) => known.merge(shape),
            None => false,
        })
    }

    /// The type that holds all of these; `path` names the values.
    ///
    /// # Errors
    /// Some are scalars, others lists or objects.
    pub(super) fn data_type(&self, path: &str) -> Result<DataType> {
        match (&self.items, &self.members) {
            (None, None) => Ok(self.kinds.data_type()),
            (Some(items), None) if self.kinds == Kinds::NONE => {
                let item = items.data_type(&format!("{path}[]"))?;
                Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
            }
            (None, Some(members)) if self.kinds == Kinds::NONE => {
                Ok(DataType::Struct(members.fields(&format!("{path}."))?))
            }
            _ => Err(self.mixed().column(path)),
        }
    }

    fn mixed(&self) -> Error {
        let names = [
            (self.members.is_some(), "objects"),
            (self.items.is_some(), "lists"),
            (self.kinds != Kinds::NONE, "single values"),
        ];
        let found = names.iter().filter(|(is, _)| *is).map(|(_, name)| *name);
        let found = found.collect::<Vec<_>>().join(" and ");
        Error::invalid_data(format!("the values are {found}, which no type holds"))
            .remedy("write the member in one way, or under different names")
    }
}

impl Members {
    /// The members as fields of a struct; what stands before their names is `prefix`.
    pub(super) fn fields(&self, prefix: &str) -> Result<Fields> {
        let field = |(name, shape): &(String, Shape)| {
            Ok(Field::new(name, shape.data_type(&format!("{prefix}{name}"))?, true))
        };
        self.list.iter().map(field).collect()
    }
}
