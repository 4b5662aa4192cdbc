//! Reference data with a date: what Microsoft's pages say about the AKS add-on (`aks.yaml`). It ages, so whoever judges
//! by it shows the date, and does not judge what it does not know.

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
    revisions: Vec<Revision>,
    pub native_sidecars: Since,
    pub cni: Since,
    /// Top-level fields of the mesh configuration.
    pub mesh_config: AllowList,
    /// Fields below `defaultConfig`.
    pub proxy_config: AllowList,
}

/// Until when a revision is supported, and with which versions of Kubernetes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    pub revision: String,
    /// The last month of support, as `2026-09`.
    pub end_of_life: String,
    kubernetes: Vec<String>,
    #[serde(default)]
    long_term: Vec<String>,
}

/// Since when something is there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    pub revision: String,
    /// Where it also depends on the version of Kubernetes.
    #[serde(default)]
    pub kubernetes: String,
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

impl AddOn {
    /// What is known of a revision; nothing for one that the pages do not list.
    pub fn revision(&self, name: &str) -> Option<&Revision> {
        self.revisions.iter().find(|revision| revision.revision == name)
    }

    /// The oldest version of Kubernetes that fits a revision that is still supported.
    pub fn oldest_kubernetes(&self, now: Timestamp) -> Option<&str> {
        let supported = self.revisions.iter().filter(|revision| !revision.has_ended(now));
        supported.map(|revision| revision.span().0).min_by_key(|version| numbers(version))
    }
}

impl Revision {
    /// Whether support has ended. Months compare as they are written.
    pub fn has_ended(&self, now: Timestamp) -> bool {
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

    #[test]
    fn support_ends_after_the_month() {
        let revision = ADD_ON.revision("asm-1-29").unwrap();
        assert!(!revision.has_ended("2026-09-30T23:59:59Z".parse().unwrap()));
        assert!(revision.has_ended("2026-10-01T00:00:00Z".parse().unwrap()));
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
        assert_eq!(oldest("2026-09-01T00:00:00Z"), Some("1.31"));
        assert_eq!(oldest("2026-10-01T00:00:00Z"), Some("1.32"));
        assert_eq!(oldest("2030-01-01T00:00:00Z"), None);
    }

    #[test]
    fn lists_tell_supported_from_allowed() {
        let list = &ADD_ON.proxy_config;
        assert!(list.is_supported("concurrency") && list.has("concurrency"));
        assert!(!list.is_supported("tracing") && list.has("tracing"));
        assert!(!list.has("configPath"));
    }
}
