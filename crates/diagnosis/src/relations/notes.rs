//! What is worth knowing, and no cause of trouble by itself.

/// Findings of severity `info` that somebody has to mend all the same. All others of that severity are notes.
const DEFECTS: &[&str] = &["IST0118", "IST0131", "IST0135", "NET0008", "NET0022", "NET0025", "EGR0016"];

/// Risks that count as causes only where what they are about is in trouble: an autoscaler that cannot read metrics is of
/// no matter until its target needs more pods.
const RISKS: &[&str] = &["K8S0020", "K8S0023", "K8S0072", "GWY0018", "RES0003"];

/// What an administrator may want to change one day, whatever its severity: support, hardening, upgrades.
const NOTES: &[&str] = &["GWA0002", "GWA0003", "IST0175", "UPG0002", "UPG0010", "AKS0030", "AKS0031"];

pub(crate) fn is_defect(code: &str) -> bool {
    DEFECTS.contains(&code)
}

pub(crate) fn is_risk(code: &str) -> bool {
    RISKS.contains(&code)
}

pub(crate) fn is_note(code: &str) -> bool {
    NOTES.contains(&code)
}

pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    [DEFECTS, RISKS, NOTES].into_iter().flatten().copied()
}
