//! What happens to a request: how it ends, who answers, which object decides it, and the hops until then.

use serde::Serialize;
use utoipa::ToSchema;

/// How sure an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// Nothing but the configuration decides it.
    Certain,
    /// Something that is not in the objects may change it; `why` says what.
    Likely,
    /// It cannot be told; `why` says why.
    Unknown,
}

/// Who gives the answer that the client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answerer {
    /// DNS.
    Resolver,
    ClientProxy,
    Gateway,
    ServerProxy,
    Application,
    /// A host outside of the mesh.
    Outside,
    /// The network: nothing listens, or nothing comes back.
    Nobody,
}

/// How a request ends for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ending {
    /// The application, or a host outside, gets it and answers what it will.
    Delivered,
    Status(u16),
    /// The name resolves to nothing.
    NoName,
    Refused,
    /// The connection ends without an answer.
    Reset,
    TimedOut,
    /// TLS cannot be set up.
    TlsFailed,
}

impl Ending {
    /// Whether the client got what it asked for, as far as the mesh can tell.
    pub fn is_good(self) -> bool {
        match self {
            Self::Delivered => true,
            Self::Status(status) => status < 400,
            Self::NoName | Self::Refused | Self::Reset | Self::TimedOut | Self::TlsFailed => false,
        }
    }

    pub fn words(self) -> String {
        match self {
            Self::Delivered => "delivered".to_owned(),
            Self::Status(status) => status.to_string(),
            Self::NoName => "name not known".to_owned(),
            Self::Refused => "connection refused".to_owned(),
            Self::Reset => "connection reset".to_owned(),
            Self::TimedOut => "timeout".to_owned(),
            Self::TlsFailed => "TLS failure".to_owned(),
        }
    }
}

/// An object, and the field of it that matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
pub struct Decided {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    /// The way to the field, such as `spec.http[0].route[1].destination.subset`; empty for the whole object.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
}

impl Decided {
    pub fn words(&self) -> String {
        let place = if self.namespace.is_empty() { String::new() } else { format!("{}/", self.namespace) };
        let field = if self.field.is_empty() { String::new() } else { format!(" {}", self.field) };
        format!("{} {place}{}{field}", self.kind, self.name)
    }
}

/// One station of the way.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Hop {
    /// `name`, `capture`, `listener`, `route`, `cluster`, `endpoints`, `gateway`, `server` …
    pub at: &'static str,
    /// What happens there, in a sentence.
    pub says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Decided>,
}

/// One way in which a request may end.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Outcome {
    /// How many of a hundred requests end so.
    pub percent: f64,
    /// `delivered`, a status, or what a socket says.
    pub result: String,
    /// The status where a proxy answers; what the application answers is its own affair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip)]
    pub ending: Ending,
    pub answered_by: Answerer,
    /// The workload or pod that the request reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaches: Option<String>,
    /// Envoy's response flag, as the log of the client's proxy, or of the first proxy on the way, has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<&'static str>,
    /// Envoy's response code details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub confidence: Confidence,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What makes it fail, where it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decided>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    pub hops: Vec<Hop>,
    /// Namespaces and names of the pods on the way, those of gateways and the one it reaches.
    #[serde(skip)]
    pub pods: Vec<(String, String)>,
}

/// All the ways in which a request may end, the most frequent first.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub outcomes: Vec<Outcome>,
}

impl Answer {
    /// How sure the least sure of them is.
    pub fn confidence(&self) -> Confidence {
        self.outcomes.iter().map(|outcome| outcome.confidence).max().unwrap_or(Confidence::Unknown)
    }

    /// Whether every request gets where it should.
    pub fn is_good(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.ending.is_good())
    }
}
