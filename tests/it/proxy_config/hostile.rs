//! Pages that no Envoy would write: they give an answer or an error, never a panic.

use jiff::Timestamp;
use meshtriage::envoy::cluster_trouble::interpret;
use meshtriage::envoy::clusters_page::Clusters;
use meshtriage::envoy::config_dump::ConfigDump;
use meshtriage::envoy::proto_json::Format;
use meshtriage::envoy::proxy_config::{Filter, Kind, Layout, dump, rows};
use meshtriage::envoy::troubles::find;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const KINDS: [Kind; 10] = [
    Kind::All,
    Kind::Bootstrap,
    Kind::Cluster,
    Kind::Ecds,
    Kind::Eds,
    Kind::Endpoint,
    Kind::Listener,
    Kind::Log,
    Kind::Route,
    Kind::Secret,
];

const NAMES: &str = "@type name cluster listener route_config secret endpoint_config ecds_filter active_state error_state \
    bootstrap node metadata version_info last_updated static_clusters dynamic_active_clusters dynamic_listeners \
    dynamic_route_configs dynamic_active_secrets dynamic_warming_secrets dynamic_endpoint_configs ecds_filters \
    cluster_statuses host_statuses health_status stats address socket_address port_value virtual_hosts domains routes \
    match route filter_chains filters typed_config filter_metadata istio config tls_certificate certificate_chain \
    inline_bytes failed_configuration details endpoints lb_endpoints locality value cluster_name";

#[test]
fn deep_page_is_an_error() {
    for open in ["[", "{\"a\":"] {
        let page = format!("{{\"configs\":[{{\"bootstrap\":{}", open.repeat(500_000));
        assert!(rows(Kind::All, page.as_bytes(), &Filter::default(), Timestamp::UNIX_EPOCH).is_err());
    }
    let closed = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let section =
        format!("\"@type\":\"type.googleapis.com/envoy.admin.v3.BootstrapConfigDump\",\"bootstrap\":{closed}");
    let page = format!("{{\"configs\":[{{{section}}}]}}");
    assert!(dump(Kind::Bootstrap, page.as_bytes(), &Filter::default(), Format::Yaml).is_err());
}

#[test]
fn virtual_host_with_many_domains_takes_little_time() {
    let domains: Vec<String> = (0..100_000).map(|number| format!("a{number}.svc.cluster.local")).collect();
    let hosts = json!([{"name": "a", "domains": domains}]);
    let section = json!({
        "@type": "type.googleapis.com/envoy.admin.v3.RoutesConfigDump",
        "static_route_configs": [{"route_config": {"virtual_hosts": hosts}}],
    });
    let page = json!({"configs": [section]}).to_string();
    let start = std::time::Instant::now();
    let rows = rows(Kind::Route, page.as_bytes(), &Filter::default(), Timestamp::UNIX_EPOCH).unwrap();
    assert!(rows.text(Layout::default()).contains("+ 99998 more..."));
    assert!(start.elapsed().as_secs() < 5);
}

proptest! {
    #[test]
    fn any_json(sections in prop::collection::vec(section(), 0..5)) {
        let page = json!({"configs": sections, "cluster_statuses": sections}).to_string();
        read(page.as_bytes());
    }

    #[test]
    fn any_text(page in "(outbound\\|80\\|\\|a|::|[a-z_]{0,9}|[0-9]{1,3}|\n|\\PC){0,40}") {
        read(page.as_bytes());
    }
}

/// Everything that can be asked of a page.
fn read(page: &[u8]) {
    for kind in KINDS {
        if let Ok(rows) = rows(kind, page, &Filter::default(), Timestamp::UNIX_EPOCH) {
            rows.text(Layout::default());
        }
        for format in [Format::Json, Format::Yaml] {
            let _ = dump(kind, page, &Filter::default(), format);
        }
    }
    if let Ok(clusters) = Clusters::parse(page) {
        interpret(&clusters);
    }
    if let Ok(dump) = ConfigDump::parse(page) {
        let _ = find(&dump, Timestamp::UNIX_EPOCH);
        dump.summary();
    }
}

fn section() -> impl Strategy<Value = Value> {
    let kinds = ["Bootstrap", "Clusters", "Listeners", "Routes", "Secrets", "Endpoints", "Ecds"];
    let name = prop::sample::select(NAMES.split_ascii_whitespace().collect::<Vec<_>>());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9 :|*/.\n_-]{0,8}".prop_map(Value::from),
        prop::sample::select(vec!["EDS", "MQ==", "outbound|80||a", "uninitialized", "type.googleapis.com/a.B"])
            .prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6).prop_map(|fields| {
                Value::from(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    });
    (prop::sample::select(kinds.to_vec()), value).prop_map(|(kind, mut value)| {
        if let Some(fields) = value.as_object_mut() {
            fields.insert("@type".to_owned(), format!("type.googleapis.com/envoy.admin.v3.{kind}ConfigDump").into());
        }
        value
    })
}
