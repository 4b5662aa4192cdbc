//! The table of relations: which kinds of facts explain which others, and by what tie. One line states one fact about
//! Istio, Envoy or Kubernetes; nothing in it knows a mesh.

mod configuration;
mod control_plane;
mod groups;
mod notes;
mod security;
mod traffic;
mod workloads;

pub(crate) use notes::{is_defect, is_note, is_risk};

use crate::{fact::Fact, tie::Tie};

/// Which facts a line is about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    Codes(&'static [&'static str]),
    /// Findings of these codes about objects of one kind.
    Kind(&'static str, &'static [&'static str]),
    /// Requests that failed, by what decided it (flag, detail or case of `logs::flags`), at a client or a server; all where
    /// nothing is named.
    Client(&'static [&'static str]),
    Server(&'static [&'static str]),
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relation {
    pub(crate) cause: Of,
    pub(crate) tie: Tie,
    pub(crate) effect: Of,
    /// Why the one leads to the other.
    pub(crate) because: &'static str,
}

const fn row(cause: Of, tie: Tie, effect: Of, because: &'static str) -> Relation {
    Relation { cause, tie, effect, because }
}

/// Every line, the nearer explanations first.
pub(crate) fn all() -> impl Iterator<Item = &'static Relation> {
    let tables = [workloads::ROWS, control_plane::ROWS, configuration::ROWS, security::ROWS, traffic::ROWS];
    tables.into_iter().flatten()
}

impl Of {
    pub(crate) fn takes(self, fact: &Fact) -> bool {
        match self {
            Of::Codes(codes) => codes.contains(&fact.code()),
            Of::Kind(kind, codes) => fact.finding.subject.kind == kind && codes.contains(&fact.code()),
            Of::Client(decided) => is_failure(fact, logs::Side::Outbound, decided),
            Of::Server(decided) => is_failure(fact, logs::Side::Inbound, decided),
        }
    }

    fn codes(self) -> &'static [&'static str] {
        match self {
            Of::Codes(codes) | Of::Kind(_, codes) => codes,
            Of::Client(_) | Of::Server(_) => &[],
        }
    }
}

fn is_failure(fact: &Fact, side: logs::Side, decided: &[&str]) -> bool {
    let Some(failure) = &fact.failure else { return false };
    failure.side == side && (decided.is_empty() || decided.contains(&failure.explanation.decided_by.as_str()))
}

/// Every code that the table and the lists of notes name, for the test that they exist.
pub fn codes() -> impl Iterator<Item = &'static str> {
    all().flat_map(|row| row.cause.codes().iter().chain(row.effect.codes())).copied().chain(notes::codes())
}
