//! Hostile and broken input: no panic, no hang, the same answer each time, and no more read than promised.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use meshtriage::analyzers::{ANALYZERS, Messages, Options, analyze, text_line};
use meshtriage::mesh::{Kind, KindSet, LOCAL_CLUSTER, Mesh, MeshBuilder, Perspective, Settings};
use proptest::prelude::{Just, Strategy, any, prop};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use super::cases::{now, read_json};
use super::recordings::mesh_of;
use crate::support::{
    corpus_path,
    needs::{Need, lacks},
};

fn live_mesh(objects: &[(Kind, Value)]) -> Mesh {
    let mut builder = MeshBuilder::new(Settings { live: true, ..Settings::new(now()) });
    for (kind, object) in objects {
        builder.add(*kind, LOCAL_CLUSTER, object);
    }
    builder.build()
}

fn run_all(mesh: &Mesh) -> Vec<String> {
    let options = Options {
        analyzers: ANALYZERS.iter().map(|analyzer| analyzer.name.to_owned()).collect(),
        ..Options::default()
    };
    let mut lines = Vec::new();
    for compatible in [true, false] {
        let mesh = mesh.seen_from(Perspective { compatible, revision: None });
        let analysis = analyze(&mesh, &options).unwrap();
        lines.extend(analysis.messages.iter().map(|message| text_line(message, true, false)));
        analysis.findings();
    }
    lines
}

/// Every object of the recordings, and of Istio's own cases where they are, with its kind.
fn real_objects() -> Vec<(Kind, Value)> {
    let mut objects = Vec::new();
    for (capture, namespace) in [("broken", "aks-istio-system"), ("upstream", "istio-system")] {
        let mesh = mesh_of(capture, namespace);
        for kind in Kind::readable() {
            objects.extend(mesh.each(kind).map(|object| (kind, object.root().to_json())));
        }
    }
    if !lacks(Need::Corpus) {
        objects.extend(objects_of_cases());
    }
    assert!(objects.len() > 200);
    objects
}

fn objects_of_cases() -> Vec<(Kind, Value)> {
    let cases = read_json("cases.json");
    let names =
        cases["analyzerCases"].as_array().unwrap().iter().flat_map(|case| case["inputFiles"].as_array().unwrap());
    let files: Vec<(String, String)> = names
        .map(|name| {
            let name = name.as_str().unwrap();
            (name.to_owned(), std::fs::read_to_string(corpus_path("analyze").join(name)).unwrap())
        })
        .collect();
    let mut builder = MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(now()) });
    builder.add_files(&files);
    let mesh = builder.build();
    let all = Kind::readable().flat_map(|kind| mesh.each(kind).map(move |object| (kind, object.root().to_json())));
    all.collect()
}

/// Replaces the value at the given place, counted in reading order.
fn replace(value: &mut Value, place: &mut usize, with: &Value) {
    if *place == 0 {
        *value = with.clone();
        *place = usize::MAX;
        return;
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| {
            if *place != usize::MAX {
                replace(item, place, with);
            }
        }),
        Value::Object(entries) => entries.iter_mut().for_each(|(_, entry)| {
            if *place != usize::MAX {
                replace(entry, place, with);
            }
        }),
        _ => {}
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum::<usize>(),
        Value::Object(entries) => entries.values().map(count).sum(),
        _ => 0,
    }
}

#[test]
fn any_field_may_be_anything() {
    let objects = real_objects();
    let odd = [json!(null), json!([]), json!({}), json!("x"), json!(-1), json!(1e300), json!([null]), json!([[{}]])];
    let strategy = (any::<prop::sample::Index>(), prop::sample::select(odd.to_vec()));
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    runner
        .run(&strategy, |(place, odd)| {
            let mut changed = objects.clone();
            for (_, object) in &mut changed {
                let mut place = place.index(count(object));
                replace(object, &mut place, &odd);
            }
            run_all(&live_mesh(&changed));
            Ok(())
        })
        .unwrap();
}

#[test]
fn nulls_everywhere() {
    let mut objects = real_objects();
    for (_, object) in &mut objects {
        let metadata = object["metadata"].take();
        nullify(object);
        object["metadata"] = metadata;
    }
    run_all(&live_mesh(&objects));
}

fn nullify(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(nullify),
        Value::Object(entries) => entries.values_mut().for_each(nullify),
        other => *other = Value::Null,
    }
}

#[test]
fn any_json_may_be_an_object() {
    let leaf = prop_oneof();
    let json = leaf.prop_recursive(6, 64, 8, |inner| {
        let keys = prop::sample::select(vec![
            "metadata",
            "spec",
            "name",
            "namespace",
            "labels",
            "selector",
            "hosts",
            "http",
            "route",
            "ports",
            "servers",
            "template",
            "containers",
            "webhooks",
            "data",
            "status",
            "conditions",
        ]);
        let list = prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array);
        let entries = prop::collection::vec((keys, inner), 0..8);
        let map = entries.prop_map(|entries| {
            Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
        });
        proptest::strategy::Union::new([list.boxed(), map.boxed()])
    });
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    runner
        .run(&prop::collection::vec(json, 1..20), |values| {
            let kinds: Vec<Kind> = Kind::readable().collect();
            let objects: Vec<(Kind, Value)> =
                values.iter().flat_map(|value| kinds.iter().map(move |kind| (*kind, value.clone()))).collect();
            run_all(&live_mesh(&objects));
            Ok(())
        })
        .unwrap();
}

fn prop_oneof() -> impl Strategy<Value = Value> {
    proptest::strategy::Union::new([
        Just(Value::Null).boxed(),
        any::<bool>().prop_map(Value::from).boxed(),
        any::<i64>().prop_map(Value::from).boxed(),
        "[a-z*./~-]{0,12}".prop_map(Value::from).boxed(),
    ])
}

/// Bytes that are hardly YAML, in files.
#[test]
fn any_text_may_be_a_file() {
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let text = prop::collection::vec(
        prop::sample::select(vec![
            "a",
            ": ",
            "\n",
            "  ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "\"",
            "'",
            "|",
            ">",
            "&x ",
            "*x",
            "<<: ",
            "---\n",
            "#",
            "!!str ",
            "\t",
            "kind: List\nitems:\n",
            "apiVersion: v1\n",
            "kind: Pod\n",
            "\u{feff}",
            "é",
            "%",
            "?",
            "@",
            "...\n",
        ]),
        0..60,
    );
    runner
        .run(&text, |parts| {
            let mut builder = MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(now()) });
            builder.add_files(&[("a.yaml".to_owned(), parts.concat()), ("b.json".to_owned(), parts.concat())]);
            run_all(&builder.build());
            Ok(())
        })
        .unwrap();
}

fn within(limit: Duration, what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    assert!(start.elapsed() < limit, "{what} took {:?}", start.elapsed());
}

#[test]
fn large_and_deep_input_takes_bounded_time() {
    let long = "a".repeat(1 << 20);
    let evil_regex = "(a*)*".repeat(2000);
    let files = [
        ("deep flow", "[".repeat(200_000)),
        ("deep map", "{a: ".repeat(100_000)),
        ("unclosed quote", format!("a: \"{long}")),
        ("long key", format!("{long}: 1")),
        ("many keys", (0..100_000).map(|number| ["k", &number.to_string(), ": 1\n"].concat()).collect()),
        ("same key", "k: 1\n".repeat(100_000)),
        ("many documents", "a: 1\n---\n".repeat(100_000)),
        ("many dashes", "- ".repeat(100_000)),
    ];
    for (what, text) in files {
        within(Duration::from_secs(20), what, || {
            let mut builder = MeshBuilder::new(Settings { runtime_kinds: true, ..Settings::new(now()) });
            builder.add_files(&[("a.yaml".to_owned(), text)]);
            builder.build();
        });
    }
    let name = |name: &str| json!({"name": name, "namespace": "shop"});
    let many_hosts: Vec<String> = (0..2000).map(|number| format!("host{number}.example.com")).collect();
    let objects = [
        (Kind::VirtualService, json!({"metadata": name(&long), "spec": {"hosts": [long], "gateways": [long]}})),
        (
            Kind::VirtualService,
            json!({"metadata": name("regex"), "spec": {"hosts": many_hosts, "http": [
            {"match": [{"uri": {"regex": evil_regex}}], "delegate": {"name": "regex", "namespace": "shop"}}]}}),
        ),
        (Kind::ServiceEntry, json!({"metadata": name("entry"), "spec": {"hosts": many_hosts, "exportTo": ["*", "."]}})),
        (
            Kind::Gateway,
            json!({"metadata": name("a"), "spec": {"selector": {"a": long}, "servers": [
            {"port": {"number": 443}, "hosts": many_hosts, "tls": {"credentialName": long}}]}}),
        ),
        (
            Kind::Pod,
            json!({"metadata": {"name": "p", "namespace": "shop", "labels": {"a": long},
            "annotations": {"proxy.istio.io/config": "[".repeat(10_000), "sidecar.istio.io/proxyCPU": long}}}),
        ),
        (Kind::Secret, json!({"metadata": name("s"), "data": {"tls.crt": long, "tls.key": long}})),
    ];
    within(Duration::from_secs(20), "large objects", || {
        run_all(&live_mesh(&objects));
    });
}

#[test]
fn two_runs_say_the_same() {
    let objects = real_objects();
    let first = run_all(&live_mesh(&objects));
    assert!(!first.is_empty());
    assert_eq!(first, run_all(&live_mesh(&objects)));

    // The order in which objects arrive says nothing, unless two have one name.
    let mut seen = BTreeSet::new();
    let name = |(kind, object): &(Kind, Value)| {
        format!("{kind:?} {} {}", object["metadata"]["namespace"], object["metadata"]["name"])
    };
    let mut unique: Vec<(Kind, Value)> = objects.into_iter().filter(|object| seen.insert(name(object))).collect();
    let in_order = run_all(&live_mesh(&unique));
    unique.reverse();
    assert_eq!(in_order, run_all(&live_mesh(&unique)));
}

#[test]
fn analyzers_read_what_they_promise() {
    let mesh = live_mesh(&real_objects());
    for compatible in [true, false] {
        let mesh = mesh.seen_from(Perspective { compatible, revision: None });
        for analyzer in ANALYZERS {
            mesh.hosts();
            mesh.forget_asked();
            let mut messages = Messages::new(compatible);
            (analyzer.run)(&mesh, &mut messages);
            let promised: KindSet = analyzer.reads.iter().copied().collect();
            let surplus: Vec<Kind> = mesh.asked().iter().filter(|kind| !promised.contains(*kind)).collect();
            assert!(surplus.is_empty(), "{} reads {surplus:?} without saying so", analyzer.name);
            for message in messages.into_list() {
                assert!(
                    analyzer.reports.iter().any(|code| code.id == message.code.id),
                    "{} reports {} without saying so",
                    analyzer.name,
                    message.code.id
                );
            }
        }
    }
}
