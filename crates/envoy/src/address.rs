//! Envoy's addresses, which are a socket, a pipe or an endpoint inside the same Envoy.
//!
//! See <https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/address.proto>.

use serde::Deserialize;

use super::json;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are Envoy's")]
pub(super) struct Address {
    #[serde(alias = "socketAddress")]
    pub(super) socket_address: Option<SocketAddress>,
    pub(super) pipe: Option<Pipe>,
    #[serde(alias = "envoyInternalAddress")]
    pub(super) envoy_internal_address: Option<InternalAddress>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct SocketAddress {
    #[serde(deserialize_with = "json::or_default")]
    pub(super) address: String,
    #[serde(alias = "portValue", deserialize_with = "json::port")]
    pub(super) port_value: u32,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pipe {
    #[serde(deserialize_with = "json::or_default")]
    pub(super) path: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct InternalAddress {
    #[serde(alias = "serverListenerName", deserialize_with = "json::or_default")]
    pub(super) server_listener_name: String,
    #[serde(alias = "endpointId", deserialize_with = "json::or_default")]
    pub(super) endpoint_id: String,
}

impl InternalAddress {
    pub(crate) fn text(&self) -> String {
        format!("envoy://{}/{}", self.server_listener_name, self.endpoint_id)
    }
}
