//! What could have been meant by a name that is none.

/// The nearest of `names`, if it is near enough to be meant.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let edits_max = 1 + name.chars().count() / 4;
    let edits = |other: &str| strsim::osa_distance(&name.to_lowercase(), &other.to_lowercase());
    let (edits, near) = names.map(|other| (edits(other), other)).min()?;
    (edits <= edits_max).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_forgiven_and_another_word_is_not() {
        let near = |name| nearest(name, ["memory-limit", "threads", "temp-dir"].into_iter());
        assert_eq!(near("memory_limit"), Some("memory-limit"));
        assert_eq!(near("Treads"), Some("threads"));
        assert_eq!(near("colour"), None);
    }
}
