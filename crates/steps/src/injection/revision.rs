//! The order of revisions.

pub(crate) use mesh::versions::numbers;

/// The newest of these revisions.
pub(crate) fn newest<'a>(revisions: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    revisions.into_iter().max_by(|a, b| numbers(a).cmp(&numbers(b)).then_with(|| a.cmp(b)))
}
