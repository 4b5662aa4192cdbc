//! Runs analyzers over a mesh and keeps what was asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::filter::{self, Suppression};
use super::malformed::could_not_be_read;
use super::message::{Message, Messages};
use super::{ANALYZERS, Analyzer};
use mesh::{Kind, Malformed, Mesh};
use report::{Finding, Severity, Skipped};
use threads::share_out;

/// What is run and what is kept of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names of the analyzers; empty for the default set.
    pub analyzers: Vec<String>,
    /// Messages about other namespaces are dropped; empty for all. The analysis itself always covers everything.
    pub namespaces: BTreeSet<String>,
    pub suppress: Vec<Suppression>,
    /// Messages below are not shown.
    pub output_threshold: Severity,
    /// Messages from here on make the analysis fail.
    pub failure_threshold: Severity,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            analyzers: Vec::new(),
            namespaces: BTreeSet::new(),
            suppress: Vec::new(),
            output_threshold: Severity::Info,
            failure_threshold: Severity::Error,
        }
    }
}

/// What an analysis found.
#[derive(Debug)]
pub struct Analysis<'m> {
    /// Sorted, without repetitions.
    pub messages: Vec<Message<'m>>,
    /// What an object's annotation, or the caller, does not want to see; sorted likewise.
    pub suppressed: Vec<Message<'m>>,
    /// The analyzers that ran, in order.
    pub executed: Vec<&'static str>,
    /// What could not be read, and which analyzers could not run for it.
    pub skipped: Vec<Skipped>,
    /// Whether some message, shown or not, reached the failure threshold.
    pub failing: bool,
    /// Documents that no rule saw. They do not make an analysis fail; `istioctl` has an exit code of its own for them.
    pub malformed: Vec<Malformed>,
    /// Whether the mesh spans several clusters, so that messages are shown with theirs.
    pub several_clusters: bool,
}

impl Analysis<'_> {
    /// The messages, and what could not be read.
    pub fn findings(&self) -> Vec<Finding> {
        let malformed = self.malformed.iter().map(could_not_be_read);
        self.messages.iter().map(Message::to_finding).chain(malformed).collect()
    }
}

/// An analyzer was named that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown analyzer {0:?}")]
pub struct UnknownAnalyzer(pub String);

/// Analyzes a mesh.
///
/// `istioctl` takes unknown analyzers for none; here they are an error, because a run that quietly does something else
/// than asked is worse than none.
pub fn analyze<'m>(mesh: &'m Mesh, options: &Options) -> Result<Analysis<'m>, UnknownAnalyzer> {
    Ok(analyze_by(mesh, &chosen(&options.analyzers)?, options))
}

/// Analyzes a mesh by the given rules.
pub fn analyze_by<'m>(mesh: &'m Mesh, analyzers: &[&'static Analyzer], options: &Options) -> Analysis<'m> {
    let (can_run, cannot_run): (Vec<&Analyzer>, Vec<&Analyzer>) =
        analyzers.iter().partition(|analyzer| analyzer.reads.iter().all(|kind| mesh.provided().contains(*kind)));
    let compatible = mesh.is_compatible();
    let (mut list, mut unchecked, mut malformed) = (Vec::new(), BTreeMap::new(), mesh.malformed().to_vec());
    for mut messages in run(mesh, &can_run) {
        list.append(&mut messages.list);
        unchecked.append(&mut messages.skipped);
        malformed.append(&mut messages.malformed);
    }
    list.retain(|message| filter::is_within(message, &options.namespaces));
    let (suppressed, list): (Vec<_>, Vec<_>) =
        list.into_iter().partition(|message| filter::is_suppressed(message, &options.suppress, compatible));
    let failing = list.iter().any(|message| message.severity >= options.failure_threshold);
    let mut messages = filter::in_order(list);
    messages.retain(|message| message.severity >= options.output_threshold);
    Analysis {
        several_clusters: mesh.has_several_clusters(),
        messages,
        suppressed: filter::in_order(suppressed),
        executed: can_run.iter().map(|analyzer| analyzer.name).collect(),
        skipped: skipped(mesh, &cannot_run, unchecked),
        failing,
        malformed,
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Analyzer>, UnknownAnalyzer> {
    if let Some(unknown) = names.iter().find(|name| ANALYZERS.iter().all(|analyzer| analyzer.name != **name)) {
        return Err(UnknownAnalyzer(unknown.clone()));
    }
    let is_chosen = |analyzer: &&Analyzer| {
        if names.is_empty() { analyzer.by_default } else { names.iter().any(|name| name == analyzer.name) }
    };
    Ok(ANALYZERS.iter().filter(is_chosen).collect())
}

/// Below this, threads cost more than they save.
const WORTH_A_THREAD_OBJECTS: usize = 1000;

/// What each analyzer reports, in their order. They know nothing of each other, so a large mesh is shared out among
/// threads.
fn run<'m>(mesh: &'m Mesh, analyzers: &[&Analyzer]) -> Vec<Messages<'m>> {
    let run_one = |analyzer: &Analyzer| {
        let mut messages = Messages::new(mesh.is_compatible());
        (analyzer.run)(mesh, &mut messages);
        messages
    };
    if mesh.len() < WORTH_A_THREAD_OBJECTS {
        return analyzers.iter().map(|analyzer| run_one(analyzer)).collect();
    }
    share_out(analyzers, |analyzer| run_one(analyzer))
}

/// What was missing, each kind once, with the analyzers that it silences; then the checks that were left out.
fn skipped(mesh: &Mesh, analyzers: &[&Analyzer], unchecked: BTreeMap<String, String>) -> Vec<Skipped> {
    let missing = |analyzer: &Analyzer, kind: Kind| analyzer.reads.contains(&kind) && !mesh.provided().contains(kind);
    let mut skipped = Vec::new();
    for kind in Kind::readable() {
        let silenced: Vec<String> = analyzers
            .iter()
            .filter(|analyzer| missing(analyzer, kind))
            .map(|analyzer| analyzer.name.to_owned())
            .collect();
        if !silenced.is_empty() {
            let why = mesh.why_unreadable(kind).unwrap_or("only a cluster has them, and only files were given");
            skipped.push(Skipped { silences: silenced, ..Skipped::new(kind.plural(), why) });
        }
    }
    let configs = std::iter::once(mesh.config()).chain(mesh.configs().values());
    let problems: BTreeSet<&String> = configs.flat_map(|config| &config.problems).collect();
    skipped.extend(problems.into_iter().map(|why| Skipped::new("mesh configuration", why.as_str())));
    skipped.extend(unchecked.into_iter().map(|(what, object)| Skipped::new(object, what)));
    skipped
}
