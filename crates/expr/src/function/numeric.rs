//! Functions of numbers.

use super::Function;

pub(super) static LIST: &[Function] = &[];
