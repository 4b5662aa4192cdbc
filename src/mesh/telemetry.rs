//! What Telemetries and the mesh configuration add up to for a workload
//! (<https://istio.io/latest/docs/reference/config/telemetry/>).

use super::config::MeshConfig;
use super::kind::Kind;
use super::membership::Workload;
use super::object::Object;
use super::snapshot::Mesh;
use super::view::View;

/// Each of the two sides of a request may be logged or not.
const MODES: [&str; 2] = ["CLIENT", "SERVER"];

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

    /// Whether the proxy of a workload writes an access log for at least one side of its requests.
    pub fn writes_access_log(&self, workload: Workload<'_>) -> bool {
        let config = self.config_of(workload.namespace);
        let telemetries = self.telemetries(workload);
        let layers: Vec<View<'_>> = telemetries
            .iter()
            .map(|telemetry| telemetry.spec().field("accessLogging"))
            .filter(|logging| !logging.is_empty())
            .collect();
        let defaults = config.default_providers("accessLogging");
        if layers.is_empty() && defaults.is_empty() {
            let by_file = !config.setting(&["accessLogFile"]).value.text().is_empty();
            return by_file || config.setting(&["enableEnvoyAccessLogService"]).value.truth();
        }
        MODES.into_iter().any(|mode| {
            logging_providers(&layers, &defaults, mode).into_iter().any(|provider| config.has_provider(provider))
        })
    }
}

/// The names of a block's providers.
fn providers(block: View<'_>) -> Vec<&str> {
    block.get("providers").items().map(|provider| provider.get("name").text()).collect()
}

/// The providers that log one side: those that the nearest layer with any names, unless a block of some layer switches
/// them off. A block without providers is about those of the block before it.
fn logging_providers<'m>(layers: &[View<'m>], defaults: &[&'m str], mode: &str) -> Vec<&'m str> {
    let named = |layer: &View<'m>| layer.items().flat_map(providers).collect::<Vec<_>>();
    let nearest = layers.iter().rev().map(named).find(|names| !names.is_empty());
    let in_scope = nearest.unwrap_or_else(|| defaults.to_vec());
    if layers.is_empty() {
        return in_scope;
    }
    let mut logging: Vec<&str> = Vec::new();
    let mut before = defaults.to_vec();
    for block in layers.iter().flat_map(|layer| layer.items()) {
        let own = providers(block);
        if !own.is_empty() {
            before = own;
        }
        if !matches!(block.path(&["match", "mode"]).text(), "" | "CLIENT_AND_SERVER")
            && block.path(&["match", "mode"]).text() != mode
        {
            continue;
        }
        for provider in before.iter().filter(|provider| in_scope.contains(provider)) {
            logging.retain(|other| other != provider);
            if !block.get("disabled").truth() {
                logging.push(provider);
            }
        }
    }
    logging
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::mesh::{MeshBuilder, Settings};

    fn check(config: &str, telemetries: &str, expected: bool) {
        let mut builder =
            MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) });
        builder.mesh_config(config);
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: cart, namespace: shop, labels: {app: cart}}\n---\n";
        builder.add_files(&[("mesh.yaml", format!("{pod}{telemetries}").as_str())]);
        let mesh = builder.build();
        assert!(mesh.malformed().is_empty(), "{:?}", mesh.malformed());
        let workload = Workload::of_pod(mesh.find(Kind::Pod, "shop", "cart").unwrap());
        assert_eq!(mesh.writes_access_log(workload), expected, "{config} {telemetries}");
    }

    fn telemetry(namespace: &str, spec: &str) -> String {
        format!(
            "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: logs, namespace: {namespace}}}\n\
             spec: {spec}\n---\n"
        )
    }

    #[test]
    fn access_logs_by_mesh_config() {
        check("{}", "", false);
        check("accessLogFile: /dev/stdout", "", true);
        check("defaultProviders: {accessLogging: [envoy]}", "", true);
        check("defaultProviders: {accessLogging: [unknown]}", "", false);
    }

    #[test]
    fn access_logs_by_telemetries() {
        let on = "{accessLogging: [{providers: [{name: Envoy}]}]}";
        let off = "{accessLogging: [{disabled: true}]}";
        check("{}", &telemetry("istio-system", on), true);
        check("{}", &telemetry("other", on), false);
        check("{}", &(telemetry("istio-system", on) + &telemetry("shop", off)), false);
        check("accessLogFile: /dev/stdout", &telemetry("shop", off), false);
        let elsewhere = "{selector: {matchLabels: {app: bank}}, accessLogging: [{disabled: true}]}";
        check("{}", &(telemetry("istio-system", on) + &telemetry("shop", elsewhere)), true);
        // The selector of the root namespace is about pods there.
        check(
            "{}",
            &telemetry("istio-system", &on.replace("{acc", "{selector: {matchLabels: {app: cart}}, acc")),
            false,
        );
        let server_off = "{accessLogging: [{match: {mode: SERVER}, disabled: true}]}";
        check("{}", &(telemetry("istio-system", on) + &telemetry("shop", server_off)), true);
    }
}
