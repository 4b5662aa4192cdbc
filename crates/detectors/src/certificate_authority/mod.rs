//! Detectors about the certificate authority.

mod differing_roots;
mod expiring_roots;
mod incomplete_classes;
mod key_vault_mounts;
mod roots;
mod rotation_off;
mod secrets_store_missing;
mod self_made_authorities;
mod two_authorities;
mod unexpected_self_made;

use super::Detector;

/// Every detector of this area.
pub(super) static DETECTORS: &[Detector] = &[
    secrets_store_missing::DETECTOR,
    incomplete_classes::DETECTOR,
    unexpected_self_made::DETECTOR,
    self_made_authorities::DETECTOR,
    expiring_roots::DETECTOR,
    rotation_off::DETECTOR,
    differing_roots::DETECTOR,
    two_authorities::DETECTOR,
    key_vault_mounts::UNREACHABLE,
    key_vault_mounts::IDENTITY,
];
