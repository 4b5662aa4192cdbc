//! The order of revisions.

/// The numbers in a revision's name: `asm-1-30` is newer than `asm-1-9`.
pub(in crate::steps) fn numbers(revision: &str) -> Vec<u64> {
    let parts = revision.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

/// The newest of these revisions.
pub(in crate::steps) fn newest<'a>(revisions: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    revisions.into_iter().max_by(|a, b| numbers(a).cmp(&numbers(b)).then_with(|| a.cmp(b)))
}
