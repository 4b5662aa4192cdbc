//! What no user writes: valid objects with every leaf replaced by something else, and very large ones.

use std::time::{Duration, Instant};

use meshtriage::analyzers::schema::{Context, crd_check, validate};
use serde_json::{Value, json};

use super::{Row, corpus, group};
use crate::support::needs;

/// Debug builds on a busy machine are slow; a quadratic rule takes minutes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A version that the CRD of a kind serves.
fn version(kind: &str) -> &'static str {
    match kind {
        "EnvoyFilter" => "v1alpha3",
        "ProxyConfig" => "v1beta1",
        "TrafficExtension" | "WasmPlugin" => "v1alpha1",
        _ => "v1",
    }
}

fn run(kind: &str, object: &Value) -> usize {
    let context = Context { default_namespace: "default", with_metadata: true };
    let outcome = validate(group(kind), kind, object, &context);
    outcome.errors.len() + outcome.warnings.len() + crd_check(group(kind), kind, version(kind), object).len()
}

/// The paths of all leaves, and of all lists and maps.
fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                places(member, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn nested(depth: usize, list: bool) -> Value {
    (0..depth).fold(Value::Null, |inner, _| if list { json!([inner]) } else { json!({ "a": inner }) })
}

fn valid_resources() -> Vec<Row> {
    let rows = corpus().validation_cases.into_iter();
    let rows: Vec<_> = rows.filter(|row| row.scope == "resource" && !row.expected.error).collect();
    assert!(rows.len() > 100);
    rows
}

#[test]
fn every_place_takes_any_value() {
    needs!(Corpus);
    let replacements = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("*"),
        json!("/"),
        json!("unix://"),
        json!("%(["),
        json!("[::"),
        json!("é\u{0}"),
        json!([]),
        json!([null]),
        json!({}),
        json!({ "": null }),
        nested(100, true),
        nested(100, false),
    ];
    let start = Instant::now();
    let mut runs = 0;
    for row in valid_resources() {
        let object = json!({ "metadata": row.metadata, "spec": row.input });
        let mut found = Vec::new();
        places(&object, "", &mut found);
        for pointer in found {
            for replacement in &replacements {
                let mut changed = object.clone();
                *changed.pointer_mut(&pointer).unwrap() = replacement.clone();
                run(&row.subject, &changed);
                runs += 1;
            }
        }
    }
    assert!(runs > 10_000, "{runs}");
    assert!(start.elapsed() < PATIENCE * 3, "{runs} runs took {:?}", start.elapsed());
}

#[test]
fn texts_of_a_megabyte_take_linear_time() {
    needs!(Corpus);
    let texts = ["a".repeat(1 << 20), "*.".repeat(1 << 19), "/%{[(".repeat(200_000), "é".repeat(1 << 19)];
    let start = Instant::now();
    for row in valid_resources().into_iter().step_by(4) {
        let object = json!({ "metadata": row.metadata, "spec": row.input });
        let mut found = Vec::new();
        places(&object, "", &mut found);
        for pointer in found.into_iter().filter(|pointer| object.pointer(pointer).is_some_and(Value::is_string)) {
            let mut changed = object.clone();
            for text in &texts {
                *changed.pointer_mut(&pointer).unwrap() = text.as_str().into();
                run(&row.subject, &changed);
            }
        }
    }
    assert!(start.elapsed() < PATIENCE * 3, "{:?}", start.elapsed());
}

#[test]
fn large_objects_take_linear_time() {
    let many = |of: &dyn Fn(usize) -> Value| (0..20_000).map(of).collect::<Value>();
    let route = json!([{ "destination": { "host": "a.com" } }]);
    let prefix = |uri: String| json!({ "match": [{ "uri": { "prefix": uri } }], "route": route });
    let objects = [
        ("VirtualService", json!({ "hosts": many(&|_| "a.com".into()), "http": [{ "route": route }] })),
        ("VirtualService", json!({ "hosts": many(&|n| format!("*.h{n}.com").into()), "http": [{ "route": route }] })),
        ("VirtualService", json!({ "hosts": ["a.com"], "http": many(&|n| prefix(format!("/{n}"))) })),
        ("VirtualService", json!({ "hosts": ["a.com"], "http": many(&|n| prefix("/a".repeat(n % 500 + 1))) })),
        (
            "VirtualService",
            json!({ "hosts": ["a.com"], "http": many(&|n| json!({
                "match": [{ "uri": { "prefix": if n % 2 == 0 { "/" } else { "/a" } }, "headers": { format!("h{n}"): { "exact": "a" } } }],
                "route": route,
            })) }),
        ),
        (
            "VirtualService",
            json!({ "hosts": many(&|n| format!("h{n}.com").into()), "tls": [{
                "match": [{ "sniHosts": many(&|n| format!("h{n}.com").into()) }], "route": route,
            }] }),
        ),
        (
            "ServiceEntry",
            json!({ "hosts": ["a.com"], "resolution": "STATIC", "ports": many(&|n| json!({ "number": n, "name": format!("p{n}") })) }),
        ),
        ("Sidecar", json!({ "egress": [{ "hosts": many(&|n| format!("n{n}/*").into()) }] })),
        (
            "DestinationRule",
            json!({ "host": "a.com", "subsets": many(&|n| json!({ "name": format!("s{n}"), "trafficPolicy": { "tls": {} } })) }),
        ),
        (
            "Gateway",
            json!({ "servers": many(&|n| json!({ "hosts": ["a.com"], "port": { "number": n, "name": "x", "protocol": "HTTP" } })) }),
        ),
    ];
    for (index, (kind, spec)) in objects.into_iter().enumerate() {
        let object = json!({ "metadata": { "name": "a", "namespace": "b" }, "spec": spec });
        let start = Instant::now();
        run(kind, &object);
        assert!(start.elapsed() < PATIENCE, "object {index}, a {kind}, took {:?}", start.elapsed());
    }
}

#[test]
fn patches_may_nest_deeply() {
    let value = json!({ "typed_config": nested(1000, false), "list": nested(1000, true) });
    let patch = json!({ "applyTo": "CLUSTER", "patch": { "operation": "MERGE", "value": value } });
    let object = json!({ "metadata": { "name": "a" }, "spec": { "configPatches": [patch] } });
    let outcome = validate("networking.istio.io", "EnvoyFilter", &object, &Context::default());
    assert_eq!(outcome.errors, []);
}

#[test]
#[expect(clippy::print_stderr, reason = "the time is what the test is for")]
fn ten_thousand_objects_take_no_time() {
    needs!(Corpus);
    let rows = valid_resources();
    let objects: Vec<_> =
        rows.iter().map(|row| (row.subject.as_str(), json!({ "metadata": row.metadata, "spec": row.input }))).collect();
    let start = Instant::now();
    for (kind, object) in objects.iter().cycle().take(10_000) {
        validate(group(kind), kind, object, &Context::default());
    }
    let rules = start.elapsed();
    let start = Instant::now();
    for (kind, object) in objects.iter().cycle().take(10_000) {
        crd_check(group(kind), kind, version(kind), object);
    }
    let schemas = start.elapsed();
    eprintln!("10000 objects: rules {rules:?}, schemas {schemas:?}");
    assert!(rules + schemas < PATIENCE);
}
