//! The versions of the Gateway API that Istio needs, and the order of revisions.

use super::object::Object;

/// The annotation with the release that a CRD of the Gateway API is from.
pub const BUNDLE_VERSION: &str = "gateway.networking.k8s.io/bundle-version";

/// A CRD that Istio reads only from a certain release on, and that release.
pub const MINIMUMS: [(&str, &str); 4] = [
    ("grpcroutes.gateway.networking.k8s.io", "1.1.0"),
    ("backendtlspolicies.gateway.networking.k8s.io", "1.4.0"),
    ("tlsroutes.gateway.networking.k8s.io", "1.5.0"),
    ("tcproutes.gateway.networking.k8s.io", "1.6.0"),
];

/// A release, read leniently: a leading `v` and missing parts are fine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub numbers: [u64; 3],
    /// Pre-release and build, with the character that begins them.
    pub suffix: String,
}

impl Release {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let (numbers, suffix) = text.split_at(end);
        let mut release = Self { numbers: [0; 3], suffix: suffix.to_owned() };
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() > 3 {
            return None;
        }
        for (number, part) in release.numbers.iter_mut().zip(parts) {
            *number = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
        }
        Some(release)
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}{}", self.suffix)
    }
}

/// The numbers in a revision's name, by which revisions are ordered: `asm-1-30` is newer than `asm-1-9`.
pub fn numbers(revision: &str) -> Vec<u64> {
    let parts = revision.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

/// The minor version of a revision of the AKS add-on: 30 for `asm-1-30`.
pub fn add_on_minor(revision: &str) -> Option<u64> {
    let minor = revision.strip_prefix("asm-1-")?;
    minor.bytes().all(|byte| byte.is_ascii_digit()).then(|| minor.parse().ok())?
}

/// The installed and the needed release of a CRD, if it is older than Istio needs. Pre-releases count as the release.
pub fn below_minimum(crd: &Object) -> Option<(Release, &'static str)> {
    let (_, minimum) = MINIMUMS.iter().find(|(name, _)| *name == crd.name())?;
    let installed = Release::parse(crd.annotation(BUNDLE_VERSION)?)?;
    let needed = Release::parse(minimum).expect("the table has well-formed releases");
    (installed.numbers < needed.numbers).then_some((installed, minimum))
}

pub fn is_below_minimum(crd: &Object) -> bool {
    below_minimum(crd).is_some()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn lenient_releases() {
        assert_eq!(Release::parse("v1.2").unwrap().to_string(), "1.2.0");
        assert_eq!(Release::parse("v1.4.0-rc.1").unwrap().to_string(), "1.4.0-rc.1");
        assert_eq!(Release::parse("main"), None);
        assert_eq!(Release::parse(""), None);
    }

    #[test]
    fn minor_versions_of_the_add_on() {
        assert_eq!(add_on_minor("asm-1-30"), Some(30));
        for other in ["asm-1-", "asm-1-29-canary", "asm-2-1", "default", "1-30", ""] {
            assert_eq!(add_on_minor(other), None, "{other}");
        }
    }
}
