//! The versions of the Gateway API that Istio needs.

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
    use super::Release;

    #[test]
    fn lenient_releases() {
        assert_eq!(Release::parse("v1.2").unwrap().to_string(), "1.2.0");
        assert_eq!(Release::parse("v1.4.0-rc.1").unwrap().to_string(), "1.4.0-rc.1");
        assert_eq!(Release::parse("main"), None);
        assert_eq!(Release::parse(""), None);
    }
}
