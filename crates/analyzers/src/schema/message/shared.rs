//! Messages that several kinds have in common: selectors, references, destinations, ports.

use super::Type::{Message, Text, U32};
use super::{TEXT_MAP, Type};

/// [`WorkloadSelector`](https://istio.io/latest/docs/reference/config/type/workload-selector/) of `istio.type.v1beta1`.
pub(in super::super) const SELECTOR: Type = Message(&[("matchLabels", TEXT_MAP)]);
/// The older selector of the networking kinds.
pub(in super::super) const LABEL_SELECTOR: Type = Message(&[("labels", TEXT_MAP)]);
pub(in super::super) const TARGET_REF: Type =
    Message(&[("group", Text), ("kind", Text), ("name", Text), ("namespace", Text)]);
pub(in super::super) const TARGET_REFS: Type = Type::List(&TARGET_REF);
pub(in super::super) const PORT_SELECTOR: Type = Message(&[("number", U32)]);
pub(in super::super) const DESTINATION: Type = Message(&[("host", Text), ("subset", Text), ("port", PORT_SELECTOR)]);
pub(in super::super) const PORT: Type =
    Message(&[("number", U32), ("protocol", Text), ("name", Text), ("targetPort", U32)]);
