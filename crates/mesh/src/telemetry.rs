//! What Telemetries and the mesh configuration add up to for a workload
//! (<https://istio.io/latest/docs/reference/config/telemetry/>).

use super::config::MeshConfig;
use super::kind::Kind;
use super::membership::Workload;
use super::object::Object;
use super::snapshot::Mesh;

impl MeshConfig {
    /// Whether an extension provider of this name is defined, or built in. Istio ignores upper and lower case here.
    pub fn has_provider(&self, name: &str) -> bool {
        self.extension_providers.keys().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The providers that are used where a Telemetry names none, of `accessLogging`, `metrics` or `tracing`.
    pub fn default_providers(&self, signal: &str) -> Vec<&str> {
        self.setting(&["defaultProviders", signal]).value.texts().collect()
    }
}

impl Mesh {
    /// The Telemetries that hold for a workload, the widest first: each one lies over those before it. Of several of one
    /// place the oldest counts.
    pub fn telemetries(&self, workload: Workload<'_>) -> Vec<&Object> {
        let policies = self.policies(Kind::Telemetry, workload);
        let places = [policies.of_root, policies.of_namespace, policies.selecting];
        places.iter().filter_map(|place| place.first().copied()).collect()
    }
}
