//! Detectors about outbound traffic.

pub(crate) mod http_proxies;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] =
    &[http_proxies::WITHOUT_ENTRY, http_proxies::WRONG_ENTRY, http_proxies::INCOMPLETE_BYPASS];
