//! Istio's tables of shared helpers: hosts, scopes, texts, order, output.

use std::collections::BTreeMap;

use meshtriage::analyzers::{
    Format, K8S0100, Message, Messages, Path, in_order, namespace_matches, print, quoted, text_line, to_json,
};
use meshtriage::mesh::{
    Kind, LOCAL_CLUSTER, MeshBuilder, Object, Settings, Shape, Source, Tree, TreeBuilder, exported_scopes, host,
    labels, protocol,
};
use meshtriage::report::{Code, Severity};
use serde_json::{Value, json};

use super::cases::{now, read_json};
use crate::support::{needs, say};

/// What each table's row gives here, to be compared with what Istio gives.
fn answer(table: &str, row: &Value) -> Option<(Value, Value)> {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    let texts =
        |key: &str| -> Vec<&str> { row[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect() };
    Some(match table {
        "hostMatches" => (json!(host::overlap(text("a"), text("b"))), row["out"].clone()),
        "hostSubsetOf" => (json!(host::is_subset(text("a"), text("b"))), row["out"].clone()),
        "authzNamespaceMatch" => (json!(namespace_matches(text("namespace"), text("pattern"))), row["out"].clone()),
        "resourceNameFromHost" => {
            let (namespace, name) = host::service_of(text("defaultNamespace"), text("host"));
            (json!([namespace, name]), json!([row["namespace"], row["name"]]))
        }
        "scopedFqdn" => {
            let name = format!("{}/{}", text("scope"), host::fqdn(text("namespace"), text("host")));
            (json!(name), row["out"].clone())
        }
        "exportToAllNamespaces" => {
            (json!(host::scopes("ns", texts("exportTo").into_iter()) == ["*"]), row["out"].clone())
        }
        "scopedFqdnInScopeOf" => {
            let (scope, _) = text("ScFqdn").split_once('/')?;
            let scopes = host::scopes(text("Namespace"), std::iter::once(scope));
            (json!(scopes == ["*"] || scopes == [text("Namespace")]), row["Want"].clone())
        }
        "exportToAnnotation" => {
            let annotation = json!({"networking.istio.io/exportTo": text("Annotation")});
            let metadata = json!({"name": "s", "namespace": text("ResourceNamespace"), "annotations": annotation});
            let tree = Tree::from_json(&json!({"metadata": metadata})).unwrap();
            let service = Object::new(Kind::Service, LOCAL_CLUSTER.into(), tree, None);
            (json!(exported_scopes(&service)), row["Want"].clone())
        }
        "selectorFirstLabel" => {
            let (key, value) = text("selector").split_once('=')?;
            let tree = Tree::from_json(&json!({key: value})).unwrap();
            (json!(labels::first_label(tree.root())), row["out"].clone())
        }
        "hostNamesForNamespace" => {
            let namespace = text("namespace");
            let names = texts("hosts").into_iter().map(host::of_server);
            let visible = names.filter(|(of, _)| *of == "*" || *of == namespace).map(|(_, name)| name);
            (json!(visible.collect::<Vec<_>>()), row["want"].clone())
        }
        "convertProtocol" => {
            let (port, application) = (row["port"].as_i64().unwrap_or_default(), row["appProto"].as_str());
            let found = protocol::of_port(port, text("portName"), text("proto"), application);
            (json!(found.unwrap_or("UnsupportedProtocol")), row["expectedProto"].clone())
        }
        "isIstioConfigMap" => {
            let mut builder = MeshBuilder::new(Settings { live: true, ..Settings::new(now()) });
            let metadata =
                json!({"name": text("name"), "namespace": "istio-system", "annotations": row["annotations"]});
            builder.add(Kind::ConfigMap, LOCAL_CLUSTER, &json!({"metadata": metadata}));
            (json!(builder.build().each(Kind::ConfigMap).len() == 1), row["out"].clone())
        }
        _ => return None,
    })
}

#[test]
fn helpers_answer_as_istio() {
    needs!(Corpus);
    let cases = read_json("unit.json");
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut failures = Vec::new();
    for row in cases["unitCases"].as_array().unwrap() {
        let table = row["table"].as_str().unwrap();
        let Some((found, expected)) = answer(table, row) else { continue };
        let count = counts.entry(table).or_default();
        count.1 += 1;
        if found == expected {
            count.0 += 1;
        } else {
            failures.push(format!("{row}: found {found}"));
        }
    }
    say(&format!("unit tables: {counts:?}"));
    assert_eq!(counts.len(), 12);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A message as the tables give it. Objects there are named by one word, which is taken for a kind here.
fn message<'m>(row: &Value, objects: &'m BTreeMap<String, Object>) -> Message<'m> {
    let severity = match row["level"].as_str().unwrap() {
        "Error" => Severity::Error,
        "Warning" => Severity::Warning,
        _ => Severity::Info,
    };
    let id: &'static str = row["code"].as_str().unwrap().to_owned().leak();
    let code: &'static Code = Box::leak(Box::new(Code { id, severity, docs: "", page: "" }));
    let parameter = row["parameters"][0].as_str().unwrap();
    let text = row["template"].as_str().unwrap().replace("%q", &quoted(parameter)).replace("%v", parameter);
    let object = row["origin"].as_str().map(|origin| &objects[origin]);
    Message { object, ..Message::without_object(code, text) }
}

fn objects(rows: &[Value]) -> BTreeMap<String, Object> {
    let origins = rows.iter().filter_map(|row| row["origin"].as_str());
    origins
        .map(|origin| {
            let tree = Tree::from_json(&json!({"metadata": {"name": origin}})).unwrap();
            (origin.to_owned(), Object::new(Kind::Namespace, LOCAL_CLUSTER.into(), tree, None))
        })
        .collect()
}

/// An object of a file, as a row's `reference` names it: `FILE:LINE` or `FILE`; its one field lies on another line.
fn object_in_file(name: &str, reference: &str, line_of_field: usize) -> Object {
    let mut builder = TreeBuilder::default();
    builder.open(Shape::Map, 1);
    builder.key("metadata");
    builder.open(Shape::Map, 1);
    builder.key("name");
    builder.scalar(Shape::Text, name, line_of_field);
    let tree = builder.finish().unwrap();
    let source = match reference.rsplit_once(':') {
        Some((file, line)) => Source { file: file.into(), line: Some(line.trim().parse().unwrap()) },
        None => Source { file: reference.into(), line: None },
    };
    Object::new(Kind::Namespace, LOCAL_CLUSTER.into(), tree, Some(source))
}

#[test]
fn messages_name_their_place_as_istio_does() {
    needs!(Corpus);
    let cases = read_json("unit.json");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in cases["unitCases"].as_array().unwrap() {
        let text = |key: &str| row[key].as_str().unwrap_or_default();
        match text("table") {
            "replaceLine" => {
                let line = usize::try_from(row["line"].as_u64().unwrap()).unwrap();
                let object = object_in_file("x", text("reference"), line);
                let message = Message::new(&K8S0100, &object, "").at(Path::name());
                assert_eq!(message.reference().as_deref(), row["out"].as_str());
            }
            table @ ("messageText" | "messageJson") => {
                let name = text("origin");
                let objects = BTreeMap::from([(name.to_owned(), object_in_file(name, text("reference"), 1))]);
                let message = message(row, &objects);
                let found = if table == "messageText" {
                    text_line(&message, false, false)
                } else {
                    let reference = text("docRef");
                    let mark = if reference.is_empty() { String::new() } else { format!("?ref={reference}") };
                    let json = to_json(&message, false).to_string();
                    json.replace("?ref=istioctl-analyze", &mark).replace("v1.30", "vMINOR")
                };
                assert_eq!(found.replace("Namespace ", ""), text("out"));
            }
            _ => continue,
        }
        *counts.entry(row["table"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!(counts, BTreeMap::from([("messageJson", 2), ("messageText", 1), ("replaceLine", 4)]));
}

#[test]
fn messages_are_sorted_as_istio_sorts() {
    needs!(Corpus);
    let cases = read_json("unit.json");
    let mut count = 0;
    for row in cases["unitCases"].as_array().unwrap().iter().filter(|row| row["table"] == "sortAndDedupe") {
        let rows = row["messages"].as_array().unwrap();
        let expected = row["out"].as_array().unwrap();
        let objects = objects(rows);
        let mut messages = Messages::new(true);
        for row in rows {
            messages.report(message(row, &objects));
        }
        let line = |message: &Message<'_>| text_line(message, false, false);
        let found: Vec<String> = in_order(messages.into_list()).iter().map(line).collect();
        let expected: Vec<String> = expected.iter().map(|row| line(&message(row, &objects))).collect();
        assert_eq!(found, expected, "{row}");
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn messages_are_printed_as_istio_prints() {
    needs!(Corpus);
    let cases = read_json("unit.json");
    let mut count = 0;
    for row in cases["unitCases"].as_array().unwrap().iter().filter(|row| row["table"] == "outputFormat") {
        let rows = row["messages"].as_array().unwrap();
        let objects = objects(rows);
        let messages: Vec<Message<'_>> = rows.iter().map(|row| message(row, &objects)).collect();
        let format = match row["format"].as_str().unwrap() {
            "json" => Format::Json,
            "yaml" => Format::Yaml,
            _ => Format::Log { color: row["color"].as_bool().unwrap() },
        };
        // The tables name objects by one word, and have neither our release nor the mark of the command in links.
        let found = print(&messages, format, false)
            .replace("Namespace ", "")
            .replace("?ref=istioctl-analyze", "")
            .replace("v1.30", "vMINOR");
        assert_eq!(found, row["out"].as_str().unwrap());
        count += 1;
    }
    assert_eq!(count, 6);
}
