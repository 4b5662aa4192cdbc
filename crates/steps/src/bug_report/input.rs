//! The inputs of a bug report, and what they ask for once istioctl's file and the defaults are taken in.

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ConfigFile;
use crate::{
    Invalid,
    input::{check, duration},
};
use logs::time_range::TimeRange;
use selection::Selection;

const MOST_SPECS: usize = 100;
const MOST_IGNORED: usize = 50;
const LONGEST_PATTERN: usize = 200;
const LONGEST_FILE: usize = 64 * 1024;
const TAIL: u32 = 4000;
const MAX_TAIL: u32 = 1_000_000;
const TIMEOUT_S: u32 = 1800;
const MIN_TIMEOUT_S: u32 = 10;
const MAX_TIMEOUT_S: u32 = 3600;
const LONGEST_REASON: usize = 500;

/// How the files of an archive are named and written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportLayout {
    /// Our own: everything a step reads, with a manifest and checksums.
    #[default]
    Meshtriage,
    /// That of `istioctl bug-report`, for whoever has tools for it.
    Istioctl,
}

/// What to collect. Without anything, the whole mesh.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BugReportInput {
    /// Only these namespaces, and what has none. The same as an `include` spec with nothing but a namespace.
    #[schema(max_items = 100)]
    pub namespace: Vec<String>,
    /// Specs of `istioctl bug-report --include`: `namespaces/deployments/pods/labels/annotations/containers`, each a list
    /// with commas, each optional; names and values may hold `*`. A pod is taken when one spec matches it in each part.
    /// Whole names are matched, and workloads of every kind. The control plane is always taken, unless it is excluded.
    #[schema(max_items = 100)]
    pub include: Vec<String>,
    /// The same for what is left out, whatever the others say.
    #[schema(max_items = 100)]
    pub exclude: Vec<String>,
    /// Namespace of the control plane. Default: wherever istiod runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 63)]
    pub istio_namespace: Option<String>,
    /// Only log lines from then on (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start_time: Option<Timestamp>,
    /// Only log lines up to then (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end_time: Option<Timestamp>,
    /// Only log lines of so long before the end (`end_time`, else now): seconds, or like `10m`, `2h30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20)]
    pub duration: Option<String>,
    /// Last lines of each log (default 4000).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub tail: Option<u32>,
    /// Also the logs of pods that are no part of the mesh.
    pub logs_outside_mesh: bool,
    /// Patterns of messages that do not make a log worth reading, where `*` stands for any text.
    #[schema(max_items = 50)]
    pub ignored_errors: Vec<String>,
    /// Seconds for the collection as a whole (default 1800). What is not collected by then is left out, and said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 10, maximum = 3600)]
    pub timeout_s: Option<u32>,
    pub layout: ReportLayout,
    /// The file of `istioctl bug-report -f`, as text. What is given here besides it goes before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 65536)]
    pub config: Option<String>,
    /// Only say what would be collected.
    pub dry_run: bool,
    /// Why; kept with the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
}

/// What the inputs ask for.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub selection: Selection,
    pub istio_namespace: Option<String>,
    pub range: TimeRange,
    pub tail: u32,
    pub timeout: std::time::Duration,
    pub ignored: Vec<Regex>,
    pub layout: ReportLayout,
    pub logs_outside_mesh: bool,
    pub dry_run: bool,
}

impl BugReportInput {
    /// Takes in istioctl's file and the defaults. `now` is where a duration ends.
    pub fn wanted(&self, now: Timestamp) -> Result<Wanted, Vec<Invalid>> {
        let mut invalid = self.check_sizes();
        let file = match self.config.as_deref().map(ConfigFile::parse) {
            Some(Err(why)) => {
                invalid.push(Invalid::new("config", "pattern", why));
                ConfigFile::default()
            }
            Some(Ok(file)) => file,
            None => ConfigFile::default(),
        };
        // Lists of the file are replaced, as istioctl's own flags replace them.
        let or = |own: &[String], of_file: Vec<String>| if own.is_empty() { of_file } else { own.to_vec() };
        let has_own = !self.namespace.is_empty() || !self.include.is_empty();
        let include = if has_own { self.include.clone() } else { file.include };
        let exclude = or(&self.exclude, file.exclude);
        let ignored = or(&self.ignored_errors, file.ignored_errors);
        let selection = self.selection(&include, &exclude).unwrap_or_else(|wrong| {
            invalid.extend(wrong);
            Selection::default()
        });
        let duration = self.duration.clone().or(file.since);
        let (start, end) = (self.start_time.or(file.start_time), self.end_time.or(file.end_time));
        let range = range(start, end, duration.as_deref(), now).unwrap_or_else(|wrong| {
            invalid.push(wrong);
            TimeRange::default()
        });
        let timeout = match (self.timeout_s, file.command_timeout) {
            (None, Some(text)) => duration::seconds(&text).map(|seconds| seconds.clamp(MIN_TIMEOUT_S, MAX_TIMEOUT_S)),
            (given, _) => Ok(given.unwrap_or(TIMEOUT_S)),
        };
        let timeout = timeout.unwrap_or_else(|why| {
            invalid.push(Invalid::new("config/commandTimeout", "pattern", why));
            TIMEOUT_S
        });
        if !invalid.is_empty() {
            return Err(invalid);
        }
        Ok(Wanted {
            selection,
            istio_namespace: self.istio_namespace.clone().or(file.istio_namespace),
            range,
            tail: self.tail.unwrap_or(TAIL),
            timeout: std::time::Duration::from_secs(timeout.into()),
            ignored: ignored.iter().filter_map(|pattern| ignoring(pattern)).collect(),
            layout: self.layout,
            logs_outside_mesh: self.logs_outside_mesh,
            dry_run: self.dry_run || file.dry_run,
        })
    }

    fn selection(&self, include: &[String], exclude: &[String]) -> Result<Selection, Vec<Invalid>> {
        let mut invalid = Vec::new();
        let mut selection = Selection::of_namespaces(&self.namespace);
        for (field, specs) in [("include", include), ("exclude", exclude)] {
            for (index, text) in specs.iter().enumerate().take(MOST_SPECS) {
                match text.parse::<selection::Spec>() {
                    Err(error) => invalid.push(Invalid::new(&format!("{field}/{index}"), "pattern", error.to_string())),
                    Ok(spec) if field == "include" => selection.include.push(spec),
                    Ok(spec) if spec.is_empty() => {
                        let why = "an exclude spec that names nothing leaves out everything";
                        invalid.push(Invalid::new(&format!("{field}/{index}"), "pattern", why));
                    }
                    Ok(spec) => selection.exclude.push(spec),
                }
            }
        }
        if invalid.is_empty() { Ok(selection) } else { Err(invalid) }
    }

    fn check_sizes(&self) -> Vec<Invalid> {
        let mut invalid = check::namespaces("namespace", &self.namespace);
        for (field, list, most) in [
            ("include", &self.include, MOST_SPECS),
            ("exclude", &self.exclude, MOST_SPECS),
            ("ignored_errors", &self.ignored_errors, MOST_IGNORED),
        ] {
            if list.len() > most {
                invalid.push(Invalid::new(field, "range", format!("at most {most} can be given")));
            }
        }
        for (index, pattern) in self.ignored_errors.iter().enumerate().take(MOST_IGNORED) {
            invalid.extend(check::text(&format!("ignored_errors/{index}"), Some(pattern), LONGEST_PATTERN));
        }
        invalid.extend(check::name("istio_namespace", self.istio_namespace.as_deref()));
        invalid.extend(check::range("tail", self.tail, 1, MAX_TAIL));
        invalid.extend(check::range("timeout_s", self.timeout_s, MIN_TIMEOUT_S, MAX_TIMEOUT_S));
        invalid.extend(check::text("config", self.config.as_deref(), LONGEST_FILE));
        invalid.extend(check::text("reason", self.reason.as_deref(), LONGEST_REASON));
        invalid.extend(duration::check("duration", self.duration.as_deref()));
        invalid
    }
}

fn range(
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    length: Option<&str>,
    now: Timestamp,
) -> Result<TimeRange, Invalid> {
    if start.is_some() && length.is_some() {
        return Err(Invalid::new("duration", "conflict", "give start_time or duration, not both"));
    }
    let start = match length {
        Some(text) => {
            let seconds = duration::seconds(text).map_err(|why| Invalid::new("duration", "pattern", why))?;
            end.unwrap_or(now).checked_sub(SignedDuration::from_secs(seconds.into())).ok()
        }
        None => start,
    };
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        return Err(Invalid::new("start_time", "range", "must not be after end_time"));
    }
    Ok(TimeRange { start, end })
}

/// The pattern as a regular expression.
fn ignoring(pattern: &str) -> Option<Regex> {
    Regex::new(&regex::escape(pattern).replace(r"\*", ".*")).ok()
}
