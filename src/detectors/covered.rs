//! Entries of the catalogue that analyzers and steps answer already.

use super::Certainty::{self, Certain};

/// An entry, and the codes that say it.
#[derive(Debug)]
pub struct Covered {
    pub id: &'static str,
    pub certainty: Certainty,
    /// Any of them; each is reported by an analyzer or by a step.
    pub codes: &'static [&'static str],
}

const fn covered(id: &'static str, certainty: Certainty, codes: &'static [&'static str]) -> Covered {
    Covered { id, certainty, codes }
}

/// By the catalogue's order.
pub static COVERED: &[Covered] =
    &[covered("net/vs-host-unknown", Certain, &["IST0101"]), covered("net/subset-missing", Certain, &["IST0101"])];
