//! The way that a request has come so far, and how it ends: what the evaluation hands on from hop to hop.

use std::borrow::Cow;

use crate::answer::{Answer, Answerer, Confidence, Decided, Ending, Hop, Outcome};
use crate::request::Request;
use crate::sender::Relay;
use crate::server::Arrival;
use mesh::Object;

/// An object and the field in it that decides.
#[derive(Debug, Clone)]
pub(crate) struct By<'m> {
    pub object: &'m Object,
    pub field: Cow<'static, str>,
}

impl<'m> By<'m> {
    pub(crate) fn new(object: &'m Object, field: impl Into<Cow<'static, str>>) -> Self {
        Self { object, field: field.into() }
    }

    pub(crate) fn decided(&self) -> Decided {
        Decided {
            kind: self.object.kind().name(),
            namespace: self.object.namespace().to_owned(),
            name: self.object.name().to_owned(),
            field: self.field.to_string(),
        }
    }
}

/// The way so far. Where nobody asks for it, as for a matrix of a million pairs, nothing is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail {
    hops: Option<Vec<Hop>>,
    /// Pods whose proxies it passes, or that it reaches.
    pods: Vec<(String, String)>,
    /// Whether the way stops at the far side, to be gone on with for each caller in turn.
    is_deferred: bool,
    /// What may be otherwise than told.
    doubt: Option<String>,
    unknown: Option<String>,
}

impl Trail {
    pub(crate) fn kept() -> Self {
        Self { hops: Some(Vec::new()), ..Self::default() }
    }

    pub(crate) fn deferred() -> Self {
        Self { is_deferred: true, ..Self::default() }
    }

    pub(crate) fn is_deferred(&self) -> bool {
        self.is_deferred
    }

    /// The same way, to be gone to its end.
    pub(crate) fn resumed(&self) -> Self {
        Self { is_deferred: false, ..self.clone() }
    }

    pub(crate) fn confidence(&self) -> Confidence {
        match (&self.unknown, &self.doubt) {
            (Some(_), _) => Confidence::Unknown,
            (None, Some(_)) => Confidence::Likely,
            (None, None) => Confidence::Certain,
        }
    }

    pub(crate) fn say(&mut self, at: &'static str, says: impl FnOnce() -> String) {
        if let Some(hops) = &mut self.hops {
            hops.push(Hop { at, says: says(), by: None });
        }
    }

    pub(crate) fn say_by(&mut self, at: &'static str, by: &By<'_>, says: impl FnOnce() -> String) {
        if let Some(hops) = &mut self.hops {
            hops.push(Hop { at, says: says(), by: Some(by.decided()) });
        }
    }

    /// Notes a pod on the way.
    pub(crate) fn passes(&mut self, pod: &Object) {
        if self.hops.is_some() {
            self.pods.push((pod.namespace().to_owned(), pod.name().to_owned()));
        }
    }

    pub(crate) fn doubt(&mut self, why: impl FnOnce() -> String) {
        self.doubt.get_or_insert_with(why);
    }

    pub(crate) fn unknown(&mut self, why: impl FnOnce() -> String) {
        self.unknown.get_or_insert_with(why);
    }
}

/// How a request ends.
#[derive(Debug, Clone)]
pub(crate) struct End<'m> {
    pub ending: Ending,
    pub by: Answerer,
    pub flag: Option<&'static str>,
    pub detail: Option<Cow<'static, str>>,
    pub decided: Option<By<'m>>,
    pub remedy: Option<String>,
    pub reaches: Option<&'m Object>,
    /// A connection that has come to a pod and was not followed further.
    pub pending: Option<Box<Pending<'m>>>,
}

/// A connection at the far side, and the proxies that will hand its end back.
#[derive(Debug, Clone)]
pub(crate) struct Pending<'m> {
    pub pod: &'m Object,
    pub arrival: Arrival<'m>,
    pub request: Request,
    pub relays: Vec<Relay>,
}

impl<'m> End<'m> {
    pub(crate) fn new(ending: Ending, by: Answerer) -> Self {
        Self { ending, by, flag: None, detail: None, decided: None, remedy: None, reaches: None, pending: None }
    }

    /// A connection that is to be followed for each caller.
    pub(crate) fn pending(pod: &'m Object, arrival: Arrival<'m>, request: &Request) -> Self {
        let pending = Pending { pod, arrival, request: request.clone(), relays: Vec::new() };
        Self { pending: Some(Box::new(pending)), ..Self::new(Ending::Delivered, Answerer::Application) }
    }

    pub(crate) fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn decided(mut self, object: &'m Object, field: impl Into<Cow<'static, str>>) -> Self {
        self.decided = Some(By::new(object, field));
        self
    }

    pub(crate) fn decided_if(mut self, by: Option<By<'m>>) -> Self {
        self.decided = by.or(self.decided);
        self
    }

    pub(crate) fn remedy(mut self, remedy: String) -> Self {
        self.remedy = Some(remedy);
        self
    }

    pub(crate) fn reaching(mut self, object: &'m Object) -> Self {
        self.reaches = Some(object);
        self
    }
}

/// One of the ways: its share of all requests, how it came there, how it ends.
#[derive(Debug, Clone)]
pub(crate) struct Branch<'m> {
    pub share: f64,
    pub trail: Trail,
    pub end: End<'m>,
}

/// All the ways of a request.
pub(crate) type Branches<'m> = Vec<Branch<'m>>;

/// The only way.
pub(crate) fn only(trail: Trail, end: End<'_>) -> Branches<'_> {
    vec![Branch { share: 1.0, trail, end }]
}

/// Takes the ways below one that a share of the requests goes.
pub(crate) fn weighted(branches: Branches<'_>, share: f64) -> impl Iterator<Item = Branch<'_>> {
    branches.into_iter().map(move |branch| Branch { share: branch.share * share, ..branch })
}

/// Ways that end alike, for the same reason, are one.
pub(crate) fn answer(branches: Branches<'_>, name_of: impl Fn(&Object) -> String) -> Answer {
    let mut outcomes: Vec<Outcome> = Vec::new();
    for Branch { share, trail, end } in branches {
        let (confidence, why) = match (trail.unknown, trail.doubt) {
            (Some(why), _) => (Confidence::Unknown, Some(why)),
            (None, Some(why)) => (Confidence::Likely, Some(why)),
            (None, None) => (Confidence::Certain, None),
        };
        let outcome = Outcome {
            percent: share * 100.0,
            result: end.ending.words(),
            status: if let Ending::Status(status) = end.ending { Some(status) } else { None },
            ending: end.ending,
            answered_by: end.by,
            reaches: end.reaches.map(&name_of),
            flag: end.flag,
            detail: end.detail.map(Cow::into_owned),
            confidence,
            why,
            decided_by: end.decided.map(|by| by.decided()),
            remedy: end.remedy,
            hops: trail.hops.unwrap_or_default(),
            pods: trail.pods,
        };
        let same = outcomes.iter_mut().find(|other| {
            (other.ending, other.answered_by, other.flag) == (outcome.ending, outcome.answered_by, outcome.flag)
                && (&other.reaches, &other.decided_by, &other.why)
                    == (&outcome.reaches, &outcome.decided_by, &outcome.why)
        });
        match same {
            Some(other) => other.percent += outcome.percent,
            None => outcomes.push(outcome),
        }
    }
    for outcome in &mut outcomes {
        outcome.percent = (outcome.percent * 10.0).round() / 10.0;
    }
    outcomes.sort_by(|a, b| b.percent.total_cmp(&a.percent));
    Answer { outcomes }
}
