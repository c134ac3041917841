//! Functions of regular expressions.

use super::Function;

pub(super) static LIST: &[Function] = &[];
