//! Versions of istiod and of proxies, as far as rules depend on them.

/// `1.30.3` of `1.30.3-56df41f63e5a-Clean`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) patch: u32,
}

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim_start_matches('v').split(|c: char| !c.is_ascii_digit());
        let mut number = || numbers.next().and_then(|number| number.parse().ok());
        Some(Self { major: number()?, minor: number()?, patch: number().unwrap_or_default() })
    }

    /// Whether istiod of this version may be asked for a proxy's configuration. Older ones put a marker in place of the
    /// TLS keys of gateways when they are asked, and send it to the gateways
    /// (<https://github.com/istio/istio/issues/57789>).
    pub(super) fn may_dump(version: Option<&str>) -> Result<(), String> {
        let Some(text) = version.filter(|text| !text.is_empty()) else {
            return Err(
                "its version is not known, and before 1.26.5, 1.27.2 and 1.28.0 asking breaks the TLS keys of \
                        gateways (istio/istio#57789)"
                    .to_owned(),
            );
        };
        let fixed = |version: Self| match (version.major, version.minor) {
            (1, 26) => version.patch >= 5,
            (1, 27) => version.patch >= 2,
            (major, minor) => (major, minor) >= (1, 28),
        };
        match Self::parse(text) {
            Some(version) if fixed(version) => Ok(()),
            _ => Err(format!(
                "it is version {text}, and before 1.26.5, 1.27.2 and 1.28.0 asking breaks the TLS keys of gateways \
                 (istio/istio#57789)"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn istiod_with_the_fault_is_not_asked() {
        for good in ["1.26.5-abc-Clean", "1.27.2", "1.28.0", "1.30.3-56df41f63e5a-Clean", "1.32-alpha.1-dirty", "2.0.0"]
        {
            assert_eq!(Version::may_dump(Some(good)), Ok(()), "{good}");
        }
        for bad in ["1.25.9", "1.26.4-x-Clean", "1.27.1", "1.9.0", "unknown", "", "latest-1.30"] {
            assert!(Version::may_dump(Some(bad)).is_err(), "{bad}");
        }
        assert!(Version::may_dump(None).is_err());
    }
}
