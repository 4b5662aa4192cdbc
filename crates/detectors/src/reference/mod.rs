//! Reference data with a date: what Microsoft's pages say about the AKS add-on (`aks.yaml`). It ages, so whoever judges
//! by it shows the date, and does not judge what it does not know.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde::Deserialize;

use mesh::versions::{self, numbers};

/// Rules of the AKS add-on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddOn {
    /// The day of the pages.
    pub date: String,
    /// Page and day of each list, by its name.
    pub sources: BTreeMap<String, Origin>,
    revisions: Vec<Revision>,
    pub native_sidecars: Since,
    pub cni: Since,
    /// The oldest first.
    gateway_node_preference: Vec<NodePreference>,
    /// Top-level fields of the mesh configuration.
    pub mesh_config: AllowList,
    /// Fields below `defaultConfig`.
    pub proxy_config: AllowList,
}

/// Where a list was read, and when.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    pub page: String,
    pub date: String,
}

/// Weights of a gateway's preference for nodes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePreference {
    /// The first revision that has them.
    #[serde(default)]
    from: Option<String>,
    /// For nodes with the label of the add-on.
    pub label: u32,
    /// For nodes of system pools.
    pub system: u32,
}

/// Until when a revision is supported, and with which versions of Kubernetes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    pub revision: String,
    /// The last month of support, as `2026-09`.
    pub end_of_life: String,
    /// The month is not certain: the table says "expected", or it follows from the policy.
    #[serde(default)]
    expected: bool,
    kubernetes: Vec<String>,
    #[serde(default)]
    long_term: Vec<String>,
}

/// What the pages say of a revision's support. They age, so that a month which they only expect is no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    Supported,
    Ended,
    /// The expected month is over, and two newer revisions are known.
    ExpectedToHaveEnded,
    /// The expected month is over, but what would end the support is newer than the pages.
    Unknown,
}

/// Since when something is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    pub revision: String,
    /// Where it also depends on the version of Kubernetes.
    #[serde(default)]
    pub kubernetes: String,
    /// The first revision of which a new mesh has it without being asked.
    #[serde(default)]
    pub new_installs: Option<String>,
}

/// What may be set; anything else is blocked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowList {
    pub supported: Vec<String>,
    /// May be set, but is outside of Microsoft's support.
    pub allowed: Vec<String>,
}

/// The rules, as of their date.
pub static ADD_ON: LazyLock<AddOn> =
    LazyLock::new(|| serde_saphyr::from_str(include_str!("aks.yaml")).expect("a test reads the file"));

/// Whether this is a revision of the add-on that came after the pages.
pub fn is_newer(revision: &str) -> bool {
    let newest = ADD_ON.revisions.iter().filter_map(|known| versions::add_on_minor(&known.revision)).max();
    versions::add_on_minor(revision).is_some_and(|minor| Some(minor) > newest)
}

impl AddOn {
    /// What is known of a revision; nothing for one that the pages do not list.
    pub fn revision(&self, name: &str) -> Option<&Revision> {
        self.revisions.iter().find(|revision| revision.revision == name)
    }

    /// Whether a revision is supported at a time; nothing for one that the pages do not list.
    pub fn support(&self, name: &str, now: Timestamp) -> Option<Support> {
        let place = self.revisions.iter().position(|revision| revision.revision == name)?;
        let revision = &self.revisions[place];
        let newer = self.revisions.len() - place - 1;
        Some(match (revision.month_is_over(now), revision.expected, newer) {
            (false, ..) => Support::Supported,
            (true, false, _) => Support::Ended,
            // The policy keeps two revisions at any time: with two newer ones the expected end has come.
            (true, true, 2..) => Support::ExpectedToHaveEnded,
            (true, true, _) => Support::Unknown,
        })
    }

    /// The newest minor version of Kubernetes that the pages list with any revision.
    pub fn newest_kubernetes(&self) -> Option<&str> {
        self.revisions.iter().map(|revision| revision.span().1).max_by_key(|version| numbers(version))
    }

    /// How gateways of a revision prefer nodes.
    pub fn node_preference(&self, revision: &str) -> Option<&NodePreference> {
        let minor = versions::add_on_minor(revision)?;
        let from = |known: &NodePreference| known.from.as_deref().and_then(versions::add_on_minor);
        self.gateway_node_preference.iter().rev().find(|known| from(known).is_none_or(|from| minor >= from))
    }

    /// The oldest version of Kubernetes that fits a revision that is still supported, or may be.
    pub fn oldest_kubernetes(&self, now: Timestamp) -> Option<&str> {
        let may_be = |revision: &&Revision| {
            matches!(self.support(&revision.revision, now), Some(Support::Supported | Support::Unknown))
        };
        let supported = self.revisions.iter().filter(may_be);
        supported.map(|revision| revision.span().0).min_by_key(|version| numbers(version))
    }
}

impl Revision {
    /// Months compare as they are written.
    fn month_is_over(&self, now: Timestamp) -> bool {
        now.to_string().get(..7).is_some_and(|month| month > self.end_of_life.as_str())
    }

    /// Whether a minor version of Kubernetes, such as `1.33`, fits, be it in long-term support only.
    pub fn fits(&self, kubernetes: &str) -> bool {
        self.kubernetes.iter().chain(&self.long_term).any(|version| version == kubernetes)
    }

    /// The oldest and the newest version of Kubernetes that fit.
    pub fn span(&self) -> (&str, &str) {
        let oldest = self.long_term.first().or(self.kubernetes.first());
        (oldest.map_or("", String::as_str), self.kubernetes.last().map_or("", String::as_str))
    }
}

impl Since {
    /// Whether a revision of the add-on is as new as that.
    pub fn covers(&self, revision: &str) -> bool {
        let minor = versions::add_on_minor(revision);
        minor.is_some() && minor >= versions::add_on_minor(&self.revision)
    }

    /// Whether a version of Kubernetes, such as `v1.33.2`, is as new as that.
    pub fn covers_kubernetes(&self, version: &str) -> bool {
        let numbers =
            |text: &str| versions::Release::parse(text).map(|release| [release.numbers[0], release.numbers[1]]);
        numbers(version).is_some_and(|version| Some(version) >= numbers(&self.kubernetes))
    }
}

impl AllowList {
    pub fn has(&self, field: &str) -> bool {
        self.is_supported(field) || self.allowed.iter().any(|allowed| allowed == field)
    }

    pub fn is_supported(&self, field: &str) -> bool {
        self.supported.iter().any(|supported| supported == field)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn support(revision: &str, day: &str) -> Option<Support> {
        ADD_ON.support(revision, format!("{day}T00:00:00Z").parse().unwrap())
    }

    #[test]
    fn support_ends_after_the_month() {
        assert_eq!(support("asm-1-27", "2026-05-31"), Some(Support::Supported));
        assert_eq!(support("asm-1-27", "2026-06-01"), Some(Support::Ended));
    }

    #[test]
    fn an_expected_end_is_no_verdict() {
        assert_eq!(support("asm-1-28", "2026-12-01"), Some(Support::ExpectedToHaveEnded));
        assert_eq!(support("asm-1-29", "2026-10-31"), Some(Support::Supported));
        assert_eq!(support("asm-1-29", "2026-12-01"), Some(Support::Unknown));
        assert_eq!(support("asm-1-30", "2026-12-31"), Some(Support::Supported));
        assert_eq!(support("asm-1-30", "2027-01-01"), Some(Support::Unknown));
        assert_eq!(support("asm-1-31", "2026-12-01"), None);
    }

    #[test]
    fn each_list_has_its_source() {
        for list in ["revisions", "native_sidecars", "cni", "mesh_config", "proxy_config", "gateway_node_preference"] {
            let origin = &ADD_ON.sources[list];
            assert!(origin.page.starts_with("https://learn.microsoft.com/") && origin.date <= ADD_ON.date, "{list}");
        }
    }

    #[test]
    fn gateways_prefer_other_nodes_since_a_revision() {
        let weights = |revision| ADD_ON.node_preference(revision).map(|known| (known.label, known.system));
        assert_eq!(weights("asm-1-29"), Some((50, 100)));
        assert_eq!(weights("asm-1-30"), Some((100, 50)));
        assert_eq!(weights("default"), None);
    }

    #[test]
    fn long_term_support_counts() {
        let revision = ADD_ON.revision("asm-1-25").unwrap();
        assert!(revision.fits("1.28") && revision.fits("1.33") && !revision.fits("1.34"));
        assert_eq!(revision.span(), ("1.28", "1.33"));
        assert!(ADD_ON.revision("asm-1-99").is_none());
    }

    #[test]
    fn revisions_and_versions_are_compared_as_numbers() {
        let native = &ADD_ON.native_sidecars;
        assert!(native.covers("asm-1-30") && native.covers("asm-1-29") && !native.covers("asm-1-9"));
        assert!(!native.covers("default"));
        assert!(native.covers_kubernetes("v1.33.1") && native.covers_kubernetes("v1.40.0"));
        assert!(!native.covers_kubernetes("v1.9.0") && !native.covers_kubernetes("?"));
    }

    #[test]
    fn oldest_kubernetes_is_that_of_supported_revisions() {
        let oldest = |day: &str| ADD_ON.oldest_kubernetes(day.parse().unwrap());
        assert_eq!(oldest("2026-08-01T00:00:00Z"), Some("1.30"));
        assert_eq!(oldest("2026-10-01T00:00:00Z"), Some("1.31"));
        // What came after the pages is not known: the revisions that may be supported still count.
        assert_eq!(oldest("2030-01-01T00:00:00Z"), Some("1.31"));
        assert_eq!(ADD_ON.newest_kubernetes(), Some("1.36"));
    }

    #[test]
    fn lists_tell_supported_from_allowed() {
        let list = &ADD_ON.proxy_config;
        assert!(list.is_supported("concurrency") && list.has("concurrency"));
        assert!(!list.is_supported("tracing") && list.has("tracing"));
        assert!(!list.has("configPath"));
    }
}
