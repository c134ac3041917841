//! Which column a name means.

use arrow::datatypes::Schema;
use dframe_core::{Error, Result};

use crate::expr::{Column, Span};

/// The index of `column` in `schema`: as written, else in any case if only one column fits.
///
/// # Errors
/// If there is none, naming the nearest; if several differ only in case.
pub fn resolve_column(schema: &Schema, column: &Column) -> Result<usize> {
    find(schema, column).map_err(|error| match column.span.range() {
        Some(range) => error.span(range),
        None => error,
    })
}

/// As [`resolve_column`], of a name that is not in a text.
///
/// # Errors
/// As [`resolve_column`].
pub fn resolve_name(schema: &Schema, name: &str) -> Result<usize> {
    find(schema, &Column { relation: None, name: name.to_string(), span: Span::NONE })
}

fn find(schema: &Schema, column: &Column) -> Result<usize> {
    let name = match &column.relation {
        Some(relation) => format!("{relation}.{}", column.name),
        None => column.name.clone(),
    };
    let names = || schema.fields().iter().map(|field| field.name().as_str());
    let exact: Vec<usize> = positions(names(), |other| other == name);
    if let [index] = exact[..] {
        return Ok(index);
    }
    if exact.len() > 1 {
        return Err(Error::invalid_input(format!("column '{name}' is there more than once"))
            .remedy("rename one of them"));
    }
    let lower = name.to_lowercase();
    match positions(names(), |other| other.to_lowercase() == lower)[..] {
        [index] => Ok(index),
        [] => Err(unknown(&name, schema)),
        ref several => {
            let several: Vec<String> = several
                .iter()
                .map(|index| format!("\"{}\"", schema.field(*index).name()))
                .collect();
            let message =
                format!("column '{name}' is ambiguous: it could be {}", several.join(" or "));
            Err(Error::invalid_input(message).remedy("write the name in the case it has"))
        }
    }
}

fn positions<'a>(names: impl Iterator<Item = &'a str>, test: impl Fn(&str) -> bool) -> Vec<usize> {
    names.enumerate().filter(|(_, name)| test(name)).map(|(index, _)| index).collect()
}

/// Lists of columns longer than this help no one.
const LISTED: usize = 12;

fn unknown(name: &str, schema: &Schema) -> Error {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut remedies = vec![];
    let nearest = nearest(name, names.iter().copied());
    if !nearest.is_empty() {
        let quoted: Vec<String> = nearest.iter().map(|name| format!("'{name}'")).collect();
        remedies.push(format!("did you mean {}?", quoted.join(" or ")));
    }
    if names.len() <= LISTED && !names.is_empty() {
        remedies.push(format!("the columns are {}", names.join(", ")));
    }
    let error = Error::invalid_input(format!("column '{name}' does not exist"));
    if remedies.is_empty() { error } else { error.remedy(remedies.join(" ")) }
}

/// Up to three of `names` that could have been meant by `name`, the nearest first.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let name = name.to_lowercase();
    let edits_max = 1 + name.chars().count() / 4;
    let mut near: Vec<(usize, &str)> = names
        .map(|other| (strsim::osa_distance(&name, &other.to_lowercase()), other))
        .filter(|(edits, _)| *edits <= edits_max)
        .collect();
    near.sort();
    let best = near.first().map_or(0, |(edits, _)| *edits);
    near.into_iter().filter(|(edits, _)| *edits <= best + 1).map(|(_, name)| name).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Span;
    use arrow::datatypes::{DataType, Field};

    fn resolve(name: &str) -> Result<usize, String> {
        let names = ["price", "Size", "size", "Venue", "left.x"];
        let fields: Vec<Field> =
            names.iter().map(|name| Field::new(*name, DataType::Int64, true)).collect();
        let column = Column { relation: None, name: name.to_string(), span: Span::NONE };
        resolve_column(&Schema::new(fields), &column).map_err(|error| error.to_string())
    }

    #[test]
    fn as_written_then_in_any_case() {
        assert_eq!(resolve("price"), Ok(0));
        assert_eq!(resolve("PRICE"), Ok(0));
        assert_eq!(resolve("size"), Ok(2));
        assert_eq!(resolve("venue"), Ok(3));
        assert_eq!(
            resolve("SIZE"),
            Err("column 'SIZE' is ambiguous: it could be \"Size\" or \"size\"; \
                 write the name in the case it has"
                .to_string())
        );
    }

    #[test]
    fn unknown_names_suggest_near_ones() {
        assert_eq!(
            resolve("pricee"),
            Err("column 'pricee' does not exist; did you mean 'price'? \
                 the columns are price, Size, size, Venue, left.x"
                .to_string())
        );
    }
}
