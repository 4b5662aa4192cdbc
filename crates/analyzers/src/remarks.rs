//! What `istioctl analyze` writes to standard error around its messages.

use std::fmt::Write as _;

use mesh::Malformed;

/// Where the codes are explained.
const DOCUMENTATION: &str = "https://istio.io/v1.30/docs/reference/config/analysis";

/// What was analyzed, as `istioctl` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    AllNamespaces,
    Namespace(String),
    Files(Vec<String>),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AllNamespaces => f.write_str("all namespaces"),
            Self::Namespace(name) => write!(f, "namespace: {name}"),
            Self::Files(names) => f.write_str(&names.join("\n")),
        }
    }
}

/// Whether a file is read, by its extension.
pub fn is_recognized(name: &str) -> bool {
    let extension = std::path::Path::new(name).extension().and_then(|extension| extension.to_str());
    name == "-" || extension.is_some_and(|extension| ["json", "yaml", "yml"].contains(&extension))
}

/// A file that is not read because of its extension.
pub fn skipped_file(name: &str) -> String {
    format!("Skipping file {name}, recognized file extensions are: [.json .yaml .yml]")
}

/// Documents that could not be parsed; nothing if there are none.
pub fn parse_errors(malformed: &[Malformed]) -> Option<String> {
    let (first, rest) = malformed.split_first()?;
    let mut text = "Error(s) adding files".to_owned();
    for it in std::iter::once(first).chain(rest) {
        let line = it.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let _ = write!(text, "\n\terrors parsing content \"{}\": {line}{}", it.from, it.why);
    }
    Some(text)
}

/// The last words: that nothing was found, or that something was.
pub fn closing(target: &Target, nothing_printed: bool, failing: bool, unparsed: bool) -> Option<String> {
    if nothing_printed {
        return Some(if unparsed {
            format!("No validation issues found when analyzing {target} (but 1 file could not be parsed).")
        } else {
            format!("✔ No validation issues found when analyzing {target}.")
        });
    }
    failing.then(|| {
        format!(
            "Error: Analyzers found issues when analyzing {target}.\nSee {DOCUMENTATION} for more information about \
             causes and resolutions."
        )
    })
}
