//! The golden cases of `istioctl proxy-config`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use meshtriage::envoy::certificates::roots_match;
use meshtriage::envoy::listeners::{Listener, ListenerFilter};
use meshtriage::envoy::log_levels::changes;
use meshtriage::envoy::proto_json::Format;
use meshtriage::envoy::proxy_config::{Filter, Kind, Layout, dump, rows};
use meshtriage::envoy::routes::domains_cell;
use meshtriage::envoy::secrets::{SerialNumbers, text as secret_text};
use meshtriage::steps::{self, Inputs};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{app::TestApp, corpus_path, needs, say};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    name: String,
    command: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    filters: BTreeMap<String, Value>,
    #[serde(default)]
    inputs: Vec<Input>,
    compare: String,
    expected_output_file: Option<String>,
    #[serde(default)]
    expected: Value,
}

#[derive(Deserialize)]
struct Input {
    role: String,
    file: Option<String>,
    text: Option<String>,
    inline: Option<Value>,
}

/// Cases that cannot pass, and why.
const OUTSIDE: [(&str, &str); 2] = [
    ("proxy-config/TestProxyConfig/00-no-args", "the help text of istioctl's group of commands"),
    (
        "proxy-config/TestSDSWriterSecretItems/test JSON output with a single secret item",
        "the row has words where a certificate has times, and no certificate gives such a row",
    ),
];

/// Commands that fail since no pod is named, or none is found: the API and `meshtriage run` refuse the same.
const NO_POD: [&str; 7] = [
    "proxy-config/TestProxyConfig/01-clusters-invalid",
    "proxy-config/TestProxyConfig/02-listeners-invalid",
    "proxy-config/TestProxyConfig/03-log",
    "proxy-config/TestProxyConfig/09-routes-invalid",
    "proxy-config/TestProxyConfig/12-endpoint-invalid",
    "proxy-config/TestProxyConfig/13-clusters-deployment-random-gibberish",
    "proxy-config/TestProxyConfig/14-endpoint-deployment-random-gibberish.bogus",
];

#[tokio::test]
async fn golden_cases() {
    needs!(Corpus);
    let cases: Vec<Case> = serde_json::from_str(&read("cases.json")).unwrap();
    assert!(cases.len() >= 57, "{} cases", cases.len());
    let (mut failed, mut outside) = (Vec::new(), Vec::new());
    for case in &cases {
        let name = case.name.as_str();
        if let Some((_, why)) = OUTSIDE.iter().find(|(outside, _)| *outside == name) {
            outside.push(format!("{name}: {why}"));
            continue;
        }
        let result = if NO_POD.contains(&name) { without_pod(case).await } else { run(case) };
        failed.extend(result.err().map(|why| format!("{name}: {why}")));
    }
    let passed = cases.len() - failed.len() - outside.len();
    say(&format!("{passed}/{} golden cases pass; outside: {}", cases.len(), outside.join("; ")));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!((passed, outside.len()), (cases.len() - OUTSIDE.len(), OUTSIDE.len()));
}

/// What istioctl refuses, the API answers with 404, and a step without its pod is not carried out. The same command with
/// a pod that is there succeeds.
async fn without_pod(case: &Case) -> Result<(), String> {
    assert_eq!((case.compare.as_str(), &case.expected["error"]), ("error", &json!(true)));
    let kind = case.args[0].as_str();
    let Some(target) = case.args.get(1) else {
        let inputs = vec![("kind".to_owned(), kind.to_owned()), ("namespace".to_owned(), "web".to_owned())];
        let prepared = steps::find("istioctl.proxy-config").unwrap().prepare(Inputs::Pairs(inputs));
        let invalid = prepared.err().ok_or("no error")?;
        let is_about_pod =
            matches!(invalid.as_slice(), [one] if (one.pointer.as_str(), one.code) == ("/pod", "required"));
        return if is_about_pod { Ok(()) } else { Err(format!("another error: {invalid:?}")) };
    };
    let app = TestApp::over("upstream");
    let get = async |target: &str| {
        let path = format!("/v1/istioctl/proxy-config/web/{}/{kind}", target.replace('/', "%2F"));
        app.get(&path).await
    };
    let (refused, good) = (get(target).await, get("deployment/api").await);
    if refused.status == 404 && refused.problem() == "not_found" && good.status == 200 {
        return Ok(());
    }
    Err(format!("answered {} for it, and {} for a pod: {}", refused.status, good.status, refused.text))
}

fn run(case: &Case) -> Result<(), String> {
    match case.inputs.first().map(|input| input.role.as_str()) {
        Some("listener") => return check_value(case, &included(case)),
        Some("domains") => {
            let domains: Vec<String> = serde_json::from_value(case.inputs[0].inline.clone().unwrap()).unwrap();
            return check_value(case, &json!({ "cell": domains_cell(&domains) }));
        }
        Some("root CA PEM of pod 1") => {
            let pem: Vec<String> = case.inputs.iter().map(content).collect();
            let outcome = roots_match(&pem[0], &pem[1]);
            let error = outcome.as_ref().err().map(ToString::to_string);
            return check_value(case, &json!({ "match": outcome.unwrap_or(false), "error": error }));
        }
        Some("secret items") => return check_output(case, &Ok(secret_text(&[], SerialNumbers::Padded))),
        _ => {}
    }
    let kind = kind(case);
    let page = page(case);
    if kind == Some(Kind::Log) {
        let level = &case.args[case.args.iter().position(|arg| arg == "--level").unwrap() + 1];
        let outcome = changes(level, &page).map(|changes| format!("{changes:?}")).map_err(|error| error.to_string());
        return check_output(case, &outcome);
    }
    let kinds = kind.map_or_else(|| [Kind::All, Kind::Cluster, Kind::Eds, Kind::Bootstrap].to_vec(), |kind| vec![kind]);
    kinds.into_iter().try_for_each(|kind| check_output(case, &printed(case, kind, page.as_bytes())))
}

fn kind(case: &Case) -> Option<Kind> {
    case.command.split_whitespace().nth(1).and_then(|word| word.parse().ok())
}

/// The page of the pod that the command names, or the only one.
fn page(case: &Case) -> String {
    let named = case.inputs.iter().find(|input| case.args.iter().any(|arg| input.role.ends_with(arg.as_str())));
    content(named.unwrap_or_else(|| &case.inputs[0]))
}

fn printed(case: &Case, kind: Kind, page: &[u8]) -> Result<String, String> {
    let text = |name: &str| case.filters.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let port = case.filters.get("port").and_then(Value::as_u64).filter(|port| *port > 0);
    let filter = Filter {
        address: text("address"),
        port: port.map(|port| u16::try_from(port).unwrap()),
        cluster: text("cluster"),
        status: text("status"),
        ..Filter::default()
    };
    let known = ["address", "port", "cluster", "status", "verbose"];
    assert!(case.filters.keys().all(|name| known.contains(&name.as_str())), "{}: unknown filter", case.name);
    let output = case.args.iter().position(|arg| arg == "-o").map_or("short", |at| case.args[at + 1].as_str());
    let format = match output {
        "json" => Format::Json,
        "yaml" => Format::Yaml,
        _ => {
            let serial_numbers =
                if case.name.contains("unpadded") { SerialNumbers::Bare } else { SerialNumbers::Padded };
            let with_headers = case.args.iter().any(|arg| arg == "--with-headers");
            let layout = Layout { verbose: true, with_headers, serial_numbers };
            // The notes say: between 2024-10-28 and 2033-05-01.
            let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
            return rows(kind, page, &filter, now).map(|rows| rows.text(layout)).map_err(|error| error.to_string());
        }
    };
    dump(kind, page, &filter, format).map_err(|error| error.to_string())
}

fn included(case: &Case) -> Value {
    let listener = case.inputs[0].inline.clone().unwrap().to_string();
    let text = |name: &str| case.filters.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let port = case.filters.get("port").and_then(Value::as_u64).filter(|port| *port > 0);
    let filter = ListenerFilter {
        address: text("address"),
        port: port.map(|port| u16::try_from(port).unwrap()),
        listener_type: text("type"),
    };
    json!({ "included": filter.matches(&Listener::parse(&listener).unwrap()) })
}

fn check_value(case: &Case, is: &Value) -> Result<(), String> {
    assert_eq!(case.compare, "value");
    if case.expected == *is { Ok(()) } else { Err(format!("{is} instead of {}", case.expected)) }
}

fn check_output(case: &Case, output: &Result<String, String>) -> Result<(), String> {
    let expected = || read(case.expected_output_file.as_ref().unwrap());
    let failed = |why: &str| Err(format!("{why}:\n{output:?}"));
    match (case.compare.as_str(), output) {
        ("error", Err(message)) => match case.expected.get("contains").and_then(Value::as_str) {
            Some(text) if !message.contains(text) => failed("another error"),
            _ => Ok(()),
        },
        ("error", Ok(_)) => failed("no error"),
        (_, Err(_)) => failed("an error"),
        ("exact", Ok(text)) if *text == expected() => Ok(()),
        ("exact", Ok(text)) => Err(format!("differs\n{text}---\n{}", expected())),
        ("json", Ok(text)) => {
            let [is, expected]: [Value; 2] = [text, &expected()].map(|text| serde_json::from_str(text).unwrap());
            if is == expected { Ok(()) } else { failed("differs") }
        }
        ("yaml", Ok(text)) => {
            let [is, expected]: [Value; 2] = [text, &expected()].map(|text| serde_saphyr::from_str(text).unwrap());
            if is == expected { Ok(()) } else { failed("differs") }
        }
        ("contains", Ok(text)) => {
            let list = |name: &str| case.expected[name].as_array().unwrap().clone();
            let has = |word: &Value| text.contains(word.as_str().unwrap());
            if list("contains").iter().all(has) && !list("notContains").iter().any(has) {
                return Ok(());
            }
            failed("does not contain what it should")
        }
        ("table-columns", Ok(text)) => {
            let expected = expected();
            let [is, expected] = [cells(text), cells(&expected)];
            if is.len() == expected.len() && is.iter().zip(&expected).all(|(is, expected)| is.starts_with(expected)) {
                return Ok(());
            }
            failed("columns differ")
        }
        (other, Ok(_)) => panic!("unknown comparison {other}"),
    }
}

/// The cells of a table's lines; columns are at least two blanks apart.
fn cells(table: &str) -> Vec<Vec<&str>> {
    table.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect()
}

fn content(input: &Input) -> String {
    match (&input.file, &input.text) {
        (Some(file), _) => read(file),
        (None, Some(text)) => text.clone(),
        (None, None) => panic!("{} has no content", input.role),
    }
}

fn read(file: &str) -> String {
    std::fs::read_to_string(corpus_path(&format!("proxy-config/{file}"))).unwrap()
}
