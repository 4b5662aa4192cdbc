//! The rules on Istio's objects against the conformance corpus: upstream's own tables, and documents for the CRDs.

mod hostile;
#[expect(clippy::needless_pass_by_value, reason = "`json!` makes values, and a `&` before each would hide them")]
mod parts;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use base64::Engine as _;
use meshtriage::analyzers::schema::{Context, Problem, ProblemKind, crd_check, is_checked, validate};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{corpus_path, needs};

const CORPUS: &str = "analyze";

/// Rows that are known not to pass, each with its reason. One that passes has to leave the list.
const KNOWN_MISSES: &[(&str, &str)] = &[];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Corpus {
    crd_schema_cases: Vec<CrdCase>,
    validation_cases: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CrdCase {
    id: String,
    kind: String,
    api_version: String,
    file: String,
    expected: CrdExpected,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CrdExpected {
    crd_schema: String,
    crd_error_contains: Option<String>,
    semantic: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    function: String,
    subject: String,
    scope: String,
    input: Value,
    #[serde(default)]
    arguments: Value,
    #[serde(default)]
    metadata: Value,
    expected: Expected,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    error: bool,
    warning: Option<bool>,
    error_contains: Option<String>,
    warning_contains: Option<String>,
}

fn corpus() -> Corpus {
    let text = fs::read_to_string(corpus_path(CORPUS).join("validation.json")).unwrap();
    let mut corpus: Corpus = serde_json::from_str(&text).unwrap();
    for row in &mut corpus.validation_cases {
        expand(&mut row.input);
    }
    assert!(corpus.validation_cases.len() >= 630 && corpus.crd_schema_cases.len() >= 68, "the corpus is not whole");
    corpus
}

/// Writes out what the corpus abbreviates.
fn expand(value: &mut Value) {
    if let Some([text, times]) = value.get("$repeat").and_then(Value::as_array).map(Vec::as_slice) {
        *value = repeat(text, times).into();
    } else if let Some([text, times]) = value.get("$base64Repeat").and_then(Value::as_array).map(Vec::as_slice) {
        *value = base64::engine::general_purpose::STANDARD.encode(repeat(text, times)).into();
    } else if let Some(members) = value.as_object_mut() {
        members.values_mut().for_each(expand);
    } else if let Some(items) = value.as_array_mut() {
        items.iter_mut().for_each(expand);
    }
}

fn repeat(text: &Value, times: &Value) -> String {
    text.as_str().unwrap().repeat(usize::try_from(times.as_u64().unwrap()).unwrap())
}

/// The group of a kind.
fn group(kind: &str) -> &'static str {
    let groups = ["networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io"];
    groups.into_iter().find(|group| is_checked(group, kind)).unwrap_or_else(|| panic!("no rules for {kind}"))
}

struct Judged {
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Judged {
    fn of(errors: &[Problem], warnings: &[Problem]) -> Self {
        let texts = |problems: &[Problem]| problems.iter().map(|problem| problem.text.clone()).collect();
        Self { errors: texts(errors), warnings: texts(warnings) }
    }
}

/// Runs the rules on a whole object. Labels and annotations are passed, as the tables do.
fn judge(kind: &str, object: &Value) -> Judged {
    let context = Context { default_namespace: "", with_metadata: true };
    let outcome = validate(group(kind), kind, object, &context);
    Judged::of(&outcome.errors, &outcome.warnings)
}

fn judge_row(row: &Row) -> Judged {
    if row.scope == "part" {
        return parts::judge(row);
    }
    let object = json!({ "metadata": row.metadata, "spec": row.input });
    let mut judged = judge(&row.subject, &object);
    if row.subject == "EnvoyFilter" {
        judged.warnings.retain(|warning| !warning.starts_with("EnvoyFilter exposes internal implementation details"));
    }
    judged
}

/// Why a row does not pass.
fn miss(row: &Row, judged: &Judged) -> Option<String> {
    let expected = &row.expected;
    let contains = |texts: &[String], part: &Option<String>| {
        part.as_ref().is_none_or(|part| texts.join("\n").contains(part.as_str()))
    };
    let wrong = if judged.errors.is_empty() == expected.error {
        "error"
    } else if expected.warning.is_some_and(|warning| judged.warnings.is_empty() == warning) {
        "warning"
    } else if !contains(&judged.errors, &expected.error_contains) {
        "error text"
    } else if !contains(&judged.warnings, &expected.warning_contains) {
        "warning text"
    } else {
        return None;
    };
    Some(format!("{wrong}: errors {:?}, warnings {:?}", judged.errors, judged.warnings))
}

/// Passed and total, with a line for each group.
#[derive(Default)]
struct Score {
    groups: BTreeMap<String, (usize, usize)>,
    misses: BTreeMap<String, String>,
}

impl Score {
    fn add(&mut self, group: &str, id: &str, miss: Option<String>) {
        let (passed, total) = self.groups.entry(group.to_owned()).or_default();
        *total += 1;
        match miss {
            None => *passed += 1,
            Some(reason) => {
                self.misses.insert(id.to_owned(), reason);
            }
        }
    }

    fn table(&self) -> String {
        let mut table = String::new();
        let (mut all_passed, mut all) = (0, 0);
        for (group, (passed, total)) in &self.groups {
            writeln!(table, "{passed:4}/{total:<4} {group}").unwrap();
            all_passed += passed;
            all += total;
        }
        writeln!(table, "{all_passed:4}/{all:<4} in all").unwrap();
        table
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "the score is what the test is for")]
fn rows_of_upstreams_tables() {
    needs!(Corpus);
    let mut score = Score::default();
    for row in &corpus().validation_cases {
        let judged = judge_row(row);
        score.add(&row.function, &row.id, miss(row, &judged));
    }
    eprintln!("{}", score.table());
    let known: BTreeMap<_, _> = KNOWN_MISSES.iter().copied().collect();
    for (id, reason) in &score.misses {
        eprintln!("{id}: {reason}{}", known.get(id.as_str()).map_or(String::new(), |why| format!(" (known: {why})")));
    }
    let missed: Vec<_> = score.misses.keys().map(String::as_str).collect();
    let listed: Vec<_> = known.keys().copied().collect();
    assert_eq!(missed, listed, "misses that are not listed, or listed ones that pass");
}

/// An object of a file under `crds`.
fn document(case: &CrdCase) -> Value {
    let text = fs::read_to_string(corpus_path(CORPUS).join(&case.file)).unwrap();
    // Go's reader takes this for a text, others for a mapping: that is not what the document is about.
    let text = text.replace("001:db8::]", "'001:db8::']");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", case.file))
}

#[test]
#[expect(clippy::print_stderr, reason = "the score is what the test is for")]
fn documents_for_the_crds() {
    needs!(Corpus);
    let (mut semantic, mut schema) = (Score::default(), Score::default());
    for case in &corpus().crd_schema_cases {
        let object = document(case);
        let errors = judge(&case.kind, &object).errors;
        let wrong = match case.expected.semantic.as_str() {
            "ok" => !errors.is_empty(),
            "error" => errors.is_empty(),
            "unspecified" => false,
            other => panic!("unknown expectation {other}"),
        };
        semantic.add(&case.kind, &case.id, wrong.then(|| format!("{errors:?}")));

        let (group, version) = case.api_version.split_once('/').unwrap();
        let found: Vec<_> =
            crd_check(group, &case.kind, version, &object).into_iter().map(|problem| problem.text).collect();
        let text = case.expected.crd_error_contains.as_deref().unwrap_or_default();
        let wrong = (case.expected.crd_schema == "error") == found.is_empty() || !found.join("\n").contains(text);
        schema.add(&case.kind, &case.id, wrong.then(|| format!("wanted {text:?}, found {found:?}")));
    }
    eprintln!("semantic\n{}schema\n{}", semantic.table(), schema.table());
    assert_eq!(semantic.misses, BTreeMap::new());
    assert_eq!(schema.misses, BTreeMap::new());
}

#[test]
fn wrong_types_are_decode_errors_with_a_path() {
    let check = |spec: Value, text: &str, path: &str| {
        let object = json!({ "metadata": { "name": "a", "namespace": "b" }, "spec": spec });
        let outcome = validate("networking.istio.io", "VirtualService", &object, &Context::default());
        let [problem] = outcome.errors.as_slice() else { panic!("{:?}", outcome.errors) };
        assert_eq!(problem.kind, ProblemKind::Decode);
        assert_eq!((problem.text.as_str(), problem.path.as_deref()), (text, Some(path)));
    };
    check(json!("x"), "json: cannot unmarshal string into Go value of type map[string]json.RawMessage", "{.spec}");
    check(
        json!({ "hosts": ["a", 1] }),
        "json: cannot unmarshal number into Go value of type string",
        "{.spec.hosts[1]}",
    );
    check(
        json!({ "http": [{ "timeout": "5" }] }),
        "bad Duration: time: missing unit in duration \"5\"",
        "{.spec.http[0].timeout}",
    );
    check(
        json!({ "http": [{ "redirect": { "derive_port": "NOWHERE" } }] }),
        r#"unknown value "\"NOWHERE\"" for enum istio.networking.v1alpha3.HTTPRedirect.RedirectPortSelection"#,
        "{.spec.http[0].redirect.derive_port}",
    );
    check(
        json!({ "http": [{ "match": [{ "port": -1 }] }] }),
        "json: cannot unmarshal number -1 into Go value of type uint32",
        "{.spec.http[0].match[0].port}",
    );
}

#[test]
fn both_spellings_and_quoted_numbers_are_read() {
    let object = json!({ "metadata": { "name": "a", "namespace": "b" }, "spec": {
        "hosts": ["a.com"],
        "http": [{
            "route": [{ "destination": { "host": "a.com", "port": { "number": "99999" } } }],
            "mirror_percent": 101,
            "unknown": 5,
        }],
    } });
    let outcome = validate("networking.istio.io", "VirtualService", &object, &Context::default());
    let texts: Vec<_> = outcome.errors.iter().map(Problem::message).collect();
    assert_eq!(
        texts,
        [
            "Schema validation error: mirror_percent must have a max value of 100 (it has 101)",
            "Schema validation error: port number 99999 must be in the range 1..65535",
        ]
    );
    assert_eq!(
        outcome.warnings.iter().map(Problem::message).collect::<Vec<_>>(),
        ["Schema validation warning: using deprecated setting \"mirrorPercent\", use \"mirrorPercentage\" instead"]
    );
}

#[test]
fn unreachable_routes_and_ineffective_matches() {
    let route = json!([{ "destination": { "host": "a.com" } }]);
    let object = json!({ "metadata": { "name": "a", "namespace": "b" }, "spec": {
        "hosts": ["a.com"],
        "http": [
            { "name": "first", "match": [{ "name": "api", "uri": { "prefix": "/api" } }], "route": route },
            { "match": [{ "uri": { "prefix": "/api/v1" } }, { "uri": { "prefix": "/api" }, "ignore_uri_case": false }], "route": route },
            { "route": route },
            { "match": [{ "uri": { "exact": "/" } }], "route": route },
            { "route": route },
        ],
    } });
    let outcome = validate("networking.istio.io", "VirtualService", &object, &Context::default());
    assert_eq!(outcome.errors, []);
    let found: Vec<_> =
        outcome.warnings.iter().map(|problem| (problem.kind.code().unwrap(), problem.message())).collect();
    let expected = [
        ("IST0131", "VirtualService rule #1 match #1 is not used (duplicate/overlapping match in rule \"first\")."),
        ("IST0130", "VirtualService rule #3 not used (route without matches defined before)."),
        ("IST0130", "VirtualService rule #4 not used (only the last rule can have no matches)."),
        (
            "IST0131",
            "VirtualService rule #1 match #0 of prefix /api/v1 is not used (duplicate/overlapping match in rule \
             \"api\" of prefix /api on \"first\").",
        ),
    ];
    assert_eq!(found, expected.map(|(code, text)| (code, text.to_owned())));
}
