//! The OpenAPI document: what the routes say of themselves, completed with what no single route knows, and with bounds for
//! everything, so that linters and generators of clients take it as it is.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use utoipa::{
    OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};

use super::{captures, error, routes};
use crate::{
    report::{Format, Severity, State, Verdict},
    steps::{AdminPage, Invalid, ProxyConfigKind, STEPS},
};

/// Longest text of an answer: no answer is larger than this.
const LONGEST_TEXT: u64 = 256 << 20;
/// Items of a list in an answer, which has no other bound.
const MOST_ITEMS: u64 = 10_000_000;
/// Answers of the demo by the id of their operation; `tests/it/examples.rs` makes them.
const EXAMPLES: &str = include_str!("../../openapi/examples.json");
/// Text in a request that has no bound of its own is bounded by the body.
const LONGEST_INPUT: u64 = super::MAX_BODY_BYTES as u64;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "meshtriage",
        description = "Istio troubleshooting as an HTTP API. Each step of the checklist is an endpoint that answers with \
            the evidence, what is wrong (`findings`), what could not be seen (`skipped`), and the command that shows a \
            person the same (`commands`).\n\n\
            **Where to begin.** `GET /v1/istioctl/analyze` looks at the whole configuration; \
            `GET /v1/misc/misconfiguration?symptom=503` begins with what users see; `GET /v1/steps` lists all steps with \
            their inputs and the permissions that they need.\n\n\
            **Every step** takes `format` (`json`, `text`, `raw`, `yaml`, `markdown`, `slack`, `adaptive-card`, `html`, \
            `csv`, `sarif`, `junit`), `min_severity`, `top`, `sort`, and `view=summary`. `namespace` is where workloads are; \
            the control plane's is `istio_namespace`. A name that does not exist is 404 with the names that are most like it.\n\n\
            **Reading an answer.** `run.verdict` says whether the mesh is well, `run.completeness` whether all of it was \
            seen. What could not be read is `unknown`, never healthy. A step that finds faults answers 200."
    ),
    servers((url = "/", description = "Where this document comes from")),
    // Those that only parameters name, which the router does not collect.
    components(schemas(Format, Severity, AdminPage, ProxyConfigKind, State, Verdict, Invalid)),
    tags(
        (name = "kubectl", description = "What a person would look up with kubectl"),
        (name = "istioctl", description = "What a person would look up with istioctl"),
        (name = "mesh", description = "What happens to requests, who reaches whom, and what a change would do"),
        (name = "misc", description = "The guide's miscellaneous issues: what nobody looks up with one command"),
        (name = "errors", description = "Known error messages: reason and recommendation"),
        (name = "runs", description = "History of what was looked at and found"),
        (name = "captures", description = "Recorded clusters that callers upload, for steps to read"),
        (name = "steps", description = "The catalogue of steps"),
        (name = "operations", description = "Health, metrics, and who the caller is")
    )
)]
pub(super) struct Document;

/// The OpenAPI document.
pub fn openapi() -> Value {
    let (_, mut document) = routes().merge(captures::upload_route()).split_for_parts();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let key = ApiKeyValue::with_description("X-Api-Key", "A static API key, for callers that can only send a header");
    components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    components.schemas.insert("Problem".to_owned(), error::problem_schema());
    let mut document = serde_json::to_value(document).expect("the document is JSON");
    document["security"] = json!([{ "bearer": [] }, { "api_key": [] }]);
    document["info"]["contact"] = json!({ "name": "The operator of this service" });
    document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] = json!(error::codes());
    paths(&mut document);
    examples(&mut document);
    share_data(&mut document);
    forget_unused(&mut document);
    for name in ["paths", "components"] {
        bound(&mut document[name], name == "components");
    }
    in_order(&mut document);
    document
}

/// What every operation has: descriptions, formats, and a name for each answer.
fn paths(document: &mut Value) {
    let paths = document["paths"].as_object_mut().expect("there are paths");
    for (path, item) in paths.iter_mut() {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut).filter(|one| one.is_object()) {
            if operation["description"].is_null() {
                operation["description"] = operation["summary"].clone();
            }
            let formats = takes(operation, "format");
            let responses = operation["responses"].as_object_mut().expect("every operation answers");
            for (status, response) in responses.iter_mut() {
                if response["description"].as_str().is_none_or(str::is_empty) {
                    response["description"] = json!(described(status));
                }
                if status == "202" {
                    response["headers"] = under_way();
                }
            }
            if formats && let Some(answer) = responses.get_mut("200") {
                answer["content"] = in_formats(answer["content"].take());
                answer["headers"] = json!({
                    "Meshtriage-Run": header("Id of the run, for formats without the envelope"),
                    "Meshtriage-Verdict": header("Its verdict, for formats without the envelope"),
                });
            }
            if path.ends_with("/istiod-logs")
                && let Some(content) = responses.get_mut("200").and_then(|answer| answer["content"].as_object_mut())
            {
                content.insert("text/event-stream".to_owned(), json!({ "schema": { "type": "string" } }));
            }
        }
    }
    // Archives are bytes, and no lists of numbers.
    let upload = &mut document["paths"]["/v1/captures"]["post"]["requestBody"]["content"];
    for media in upload.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if media["schema"]["type"] == "array" {
            media["schema"] = json!({ "type": "string", "format": "binary" });
        }
    }
}

fn examples(document: &mut Value) {
    let examples: Map<String, Value> = serde_json::from_str(EXAMPLES).expect("the examples are JSON");
    let paths = document["paths"].as_object_mut().expect("there are paths");
    for operation in paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let Some(example) = operation["operationId"].as_str().and_then(|id| examples.get(id)).cloned() else {
            continue;
        };
        if let Some(json) = operation.pointer_mut("/responses/200/content/application~1json") {
            json["example"] = example;
        }
    }
}

fn takes(operation: &Value, parameter: &str) -> bool {
    operation["parameters"].as_array().into_iter().flatten().any(|one| one["name"] == parameter)
}

fn described(status: &str) -> &'static str {
    match status {
        "200" => "The answer",
        "201" => "It was made",
        "202" => "Under way: `Location` answers 202 until the result is there, `Operation-Location` always answers 200",
        "204" => "Done; there is nothing to say",
        "206" => "The part that was asked for",
        _ => "A problem",
    }
}

fn header(description: &str) -> Value {
    json!({ "description": description, "schema": { "type": "string", "maxLength": 300 } })
}

fn under_way() -> Value {
    json!({
        "Location": header("Answers 202 until the run has ended, then its result"),
        "Operation-Location": header("The run, with its progress"),
        "Retry-After": {
            "description": "Seconds after which it is worth to ask again",
            "schema": { "type": "integer", "format": "int32", "minimum": 0, "maximum": 3600 },
        },
    })
}

/// JSON has a schema; the other formats are what they are. `slack` and `adaptive-card` are JSON of other people's, and come
/// as `application/json` too, since their callers read nothing else.
fn in_formats(mut content: Value) -> Value {
    for format in Format::ALL {
        let schema = match format {
            Format::Json | Format::Slack | Format::AdaptiveCard => continue,
            Format::Sarif => json!({ "type": "object", "description": "SARIF 2.1.0" }),
            Format::Yaml => content["application/json"]["schema"].clone(),
            Format::Text | Format::Raw | Format::Markdown | Format::Html | Format::Csv | Format::Junit => {
                json!({ "type": "string" })
            }
        };
        content[format.media_type()] = json!({ "schema": schema });
    }
    content
}

/// The data of an answer stands in a schema of its own, which clients can name.
fn share_data(document: &mut Value) {
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else { return };
    let names: BTreeSet<String> = schemas.keys().cloned().collect();
    for (name, schema) in schemas.iter_mut() {
        if let Some(data) = name.strip_prefix("Answer_").filter(|data| names.contains(*data)) {
            schema["properties"]["data"] = json!({ "$ref": format!("#/components/schemas/{data}") });
        }
    }
}

/// A schema that nothing names is noise in every generated client.
fn forget_unused(document: &mut Value) {
    loop {
        let mut used = BTreeSet::new();
        references(document, &mut used);
        let schemas = document["components"]["schemas"].as_object_mut().expect("there are schemas");
        let before = schemas.len();
        schemas.retain(|name, _| used.contains(&format!("#/components/schemas/{name}")));
        if schemas.len() == before {
            return;
        }
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Gives what has no bounds of its own those that hold anyway.
fn bound(value: &mut Value, answers: bool) {
    match value {
        Value::Object(fields) => {
            // What callers send, besides bodies, stands among the paths.
            if is_schema(fields) {
                bound_schema(fields, answers);
            }
            for (name, value) in fields.iter_mut() {
                if !matches!(name.as_str(), "example" | "examples" | "default" | "enum") {
                    bound(value, answers);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|value| bound(value, answers)),
        _ => {}
    }
}

fn is_schema(fields: &Map<String, Value>) -> bool {
    matches!(fields.get("type"), Some(Value::String(_) | Value::Array(_)))
        && !fields.contains_key("in")
        && !fields.contains_key("scheme")
}

fn bound_schema(fields: &mut Map<String, Value>, answers: bool) {
    let has = |name: &str| match fields.get("type") {
        Some(Value::String(kind)) => kind == name,
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == name),
        _ => false,
    };
    let (text, list, number) = (has("string"), has("array"), has("integer"));
    let fixed = fields.contains_key("enum") || fields.contains_key("const");
    if text && !fixed {
        let longest = match fields.get("format").and_then(Value::as_str) {
            Some("uuid") => 36,
            Some("date-time") => 40,
            _ if answers => LONGEST_TEXT,
            _ => LONGEST_INPUT,
        };
        fields.entry("maxLength").or_insert(json!(longest));
    }
    if list {
        fields.entry("maxItems").or_insert(json!(MOST_ITEMS));
    }
    if number {
        let format = fields.entry("format").or_insert(json!("int64")).as_str().unwrap_or_default().to_owned();
        // Beyond that, JSON's readers disagree (<https://www.rfc-editor.org/rfc/rfc8259#section-6>).
        let most = if format == "int32" { i64::from(i32::MAX) } else { (1 << 53) - 1 };
        fields.entry("maximum").or_insert(json!(most));
        fields.entry("minimum").or_insert(json!(-most));
    }
}

/// The paths of the checklist in its order, then the others.
fn in_order(document: &mut Value) {
    let paths = document["paths"].as_object_mut().expect("there are paths");
    let step = |path: &str| {
        STEPS.iter().position(|step| path == step.about().endpoint).or_else(|| {
            STEPS.iter().position(|step| {
                let stem = step.about().endpoint.split("/{").next().unwrap_or_default();
                path.starts_with(stem) && path[stem.len()..].starts_with('/')
            })
        })
    };
    let mut all: Vec<(String, Value)> = std::mem::take(paths).into_iter().collect();
    all.sort_by_key(|(path, _)| (step(path).unwrap_or(usize::MAX), !path.starts_with("/v1/"), path.clone()));
    paths.extend(all);
}
