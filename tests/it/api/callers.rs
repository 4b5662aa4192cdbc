//! What each kind of caller is known to do with an HTTP API, and what that asks of ours: one test for each row of the
//! table of callers' constraints.

use axum::body::Body;
use http::{HeaderValue, Method, Request, StatusCode};
use meshtriage::{auth::Identify, report::Format, steps::STEPS};
use serde_json::{Value, json};

use super::access::operations;
use crate::support::app::{Answered, TestApp, app, recording};

/// Every read-only step that needs no more to be said.
fn simple_steps() -> Vec<&'static str> {
    let reads =
        STEPS.iter().map(|step| step.about()).filter(|about| about.method == "GET" && !about.endpoint.contains('{'));
    reads
        .map(|about| about.endpoint)
        .filter(|path| {
            !matches!(
                *path,
                "/v1/kubectl/sidecar-logs"
                    | "/v1/istioctl/check-inject"
                    | "/v1/kubectl/resource-status"
                    | "/v1/mesh/path"
                    | "/v1/mesh/callers"
            )
        })
        .collect()
}

async fn with(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answered {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

/// Rundeck: one request, one expected status, values picked from the body, URLs of plain characters.
#[tokio::test]
async fn rundeck_gets_it_in_one_call_with_flat_fields() {
    let app = TestApp::over("broken");
    let answer = app.get("/v1/istioctl/analyze").await;
    assert_eq!(answer.status, StatusCode::OK, "a step that finds faults is no failure of the call");
    let answer = answer.json();
    assert_eq!(answer["run"]["verdict"], "error");
    assert!(answer["counts"]["error"].as_u64().unwrap() > 0 && answer["summary"].is_string());
    app.get("/v1/kubectl/crds").await;
    let page = app.get("/v1/runs?limit=1").await.json();
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte));
    assert!(plain(page["next_cursor"].as_str().unwrap()) && plain(page["items"][0]["id"].as_str().unwrap()), "{page}");
}

/// StackStorm: any 2xx is a success, redirects are off, bodies are parsed as `application/json` only.
#[tokio::test]
async fn stackstorm_never_gets_a_redirect_or_a_type_it_cannot_parse() {
    let app = TestApp::over("healthy");
    for (method, path, id) in operations() {
        let answer = app.call(method.clone(), &path).await;
        assert!(!answer.status.is_redirection(), "{method} {path} {id}: {}", answer.status);
    }
    for path in ["/", "/v1", "/docs", "/openapi.json", "/v1/kubectl/crds"] {
        let answer = app.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    assert_eq!(app.get("/v1/kubectl/crds").await.headers["content-type"], "application/json");
    let problem = app.get("/v1/no-such-path?errors=json").await;
    assert_eq!(problem.headers["content-type"], "application/json");
    assert_eq!(problem.json()["code"], "not_found");
}

async fn begin(app: &TestApp) -> Answered {
    let begun = app.post("/v1/istioctl/bug-report", &json!({})).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.text);
    begun
}

/// StackStorm, Slack's slash commands and Ansible: 202 at once, with `state`, and `done` to wait for.
#[tokio::test]
async fn what_takes_longer_says_its_state_at_once() {
    let app = TestApp::over("healthy");
    let started = std::time::Instant::now();
    let begun = begin(&app).await;
    assert!(started.elapsed().as_millis() < 2900, "Slack waits three seconds");
    assert!(["queued", "running", "succeeded"].contains(&begun.json()["state"].as_str().unwrap()), "{}", begun.text);
    assert!(begun.json()["done"].is_boolean());
    let run = begun.headers["operation-location"].to_str().unwrap().to_owned();
    let ended = app.get(&format!("{run}/result?wait=50")).await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.text);
    assert_eq!(app.get(&run).await.json()["done"], true);
}

/// Logic Apps follow `Location` until it stops answering 202; Azure's clients read `Operation-Location`, which is always 200.
#[tokio::test]
async fn azures_clients_find_their_two_addresses() {
    let app = TestApp::over("healthy");
    let begun = begin(&app).await;
    let (location, operation) = (&begun.headers["location"], &begun.headers["operation-location"]);
    let (location, operation) = (location.to_str().unwrap(), operation.to_str().unwrap());
    assert_ne!(location, operation);
    assert!(begun.headers.contains_key("retry-after"));
    assert_eq!(app.get(operation).await.status, StatusCode::OK);
    assert!([StatusCode::ACCEPTED, StatusCode::OK].contains(&app.get(location).await.status));
    assert_eq!(app.get(&format!("{location}?wait=50")).await.status, StatusCode::OK);
    assert_eq!(app.get(operation).await.status, StatusCode::OK);
}

/// Logic Apps drop `Accept`: every choice of content is a parameter too.
#[tokio::test]
async fn every_format_is_had_by_parameter_and_most_by_accept() {
    let app = TestApp::over("healthy");
    for format in Format::ALL {
        let answer = app.get(&format!("/v1/kubectl/crds?format={}", format.name())).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", format.name());
        assert_eq!(answer.headers["content-type"], format.content_type());
        assert!(!answer.text.is_empty());
    }
    for (accept, expected) in [
        ("text/markdown", Format::Markdown),
        ("text/csv;q=0.3, application/yaml;q=0.9", Format::Yaml),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Html),
        ("*/*", Format::Json),
    ] {
        let answer = with(&app, "/v1/kubectl/crds", &[("accept", accept)]).await;
        assert_eq!(answer.headers["content-type"], expected.content_type(), "{accept}");
    }
    assert_eq!(with(&app, "/v1/kubectl/crds", &[("accept", "image/png")]).await.problem(), "not_acceptable");
}

/// Slack and Teams refuse what is too large; a step's worst answers fit.
#[tokio::test]
async fn messages_fit_into_slack_and_teams() {
    let app = TestApp::over("broken");
    for path in simple_steps() {
        let slack = app.get(&format!("{path}?format=slack")).await;
        let message: Value = slack.json();
        let blocks = message["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50 && slack.text.chars().count() < 13_000, "{path}: {}", slack.text.len());
        assert!(message["text"].as_str().unwrap().lines().count() <= 3, "{path}");
        let card = app.get(&format!("{path}?format=adaptive-card")).await;
        assert!(card.text.len() <= 20_000, "{path}: {}", card.text.len());
        assert_eq!(card.headers["content-type"], "application/json; charset=utf-8");
        assert_eq!(card.json()["attachments"][0]["content"]["type"], "AdaptiveCard");
    }
}

/// Portals: CORS for those that are named, tags of what seldom changes, stable ids.
#[tokio::test]
async fn portals_get_cors_when_they_are_named_and_tags() {
    let mut parts = app(recording("healthy"), Identify::Nobody);
    parts.cors_origins = vec![HeaderValue::from_static("https://portal.example.com")];
    let named = TestApp::new(parts);
    let preflight = |origin: &'static str| {
        let request = Request::builder().method(Method::OPTIONS).uri("/v1/kubectl/crds").header("origin", origin);
        let request = request.header("access-control-request-method", "GET");
        request.header("access-control-request-headers", "authorization").body(Body::empty()).unwrap()
    };
    let answer = named.send(preflight("https://portal.example.com")).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "https://portal.example.com");
    let answer = named.send(preflight("https://evil.example.com")).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "{answer:?}");
    let answer = with(&TestApp::over("healthy"), "/v1/kubectl/crds", &[("origin", "https://portal.example.com")]).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"), "off unless switched on");

    for path in ["/v1/steps", "/v1/codes", "/v1/errors", "/openapi.json", "/docs", "/.well-known/api-catalog", "/v1"] {
        let first = named.get(path).await;
        let tag = first.headers["etag"].to_str().unwrap().to_owned();
        let again = with(&named, path, &[("if-none-match", &tag)]).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
    }
    let fingerprints = |answer: &Answered| -> Vec<Value> {
        answer.json()["findings"].as_array().unwrap().iter().map(|one| one["fingerprint"].clone()).collect()
    };
    let broken = TestApp::over("broken");
    let (one, two) = (broken.get("/v1/istioctl/analyze").await, broken.get("/v1/istioctl/analyze").await);
    assert_eq!(fingerprints(&one), fingerprints(&two));
}

/// CI: findings as JUnit and SARIF that other people's readers take.
#[tokio::test]
async fn ci_gets_junit_and_sarif() {
    let app = TestApp::over("broken");
    for path in simple_steps() {
        let junit = app.get(&format!("{path}?format=junit")).await.text;
        assert!(junit.starts_with("<?xml") && junit.contains("<testsuites "), "{path}: {junit}");
        let sarif = app.get(&format!("{path}?format=sarif")).await.json();
        assert_eq!(sarif["version"], "2.1.0");
        for result in sarif["runs"][0]["results"].as_array().unwrap() {
            let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            assert!(place.as_str().is_some_and(|uri| !uri.starts_with('/') && !uri.contains(' ')), "{path}: {result}");
        }
    }
}

/// Callers that are no browsers: HEAD costs nothing, OPTIONS says what there is, a method that is wrong names the right ones.
#[tokio::test]
async fn head_carries_out_nothing_and_options_says_the_methods() {
    let app = TestApp::over("healthy");
    let head = app.call(Method::HEAD, "/v1/istioctl/analyze").await;
    assert_eq!((head.status, head.headers["content-type"].to_str().unwrap()), (StatusCode::OK, "application/json"));
    assert!(!head.headers.contains_key("meshtriage-run"));
    assert_eq!(app.get("/v1/runs").await.json()["items"], json!([]), "nothing was carried out");
    let options = app.call(Method::OPTIONS, "/v1/istioctl/analyze").await;
    assert_eq!(options.status, StatusCode::NO_CONTENT);
    assert_eq!(options.headers["allow"], "GET,HEAD,POST,OPTIONS");
    let keyed = TestApp::with_key("healthy");
    assert_eq!(keyed.call(Method::HEAD, "/v1/istioctl/analyze").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(app.call(Method::DELETE, "/v1/istioctl/analyze").await.problem(), "method_not_allowed");
}

/// Bots that can only send a header of their own, and Kubernetes' callers with their tokens.
#[tokio::test]
async fn keys_come_in_either_header() {
    let app = TestApp::with_key("healthy");
    for header in [("x-api-key", "let-me-in"), ("authorization", "Bearer let-me-in")] {
        assert_eq!(with(&app, "/v1/whoami", &[header]).await.status, StatusCode::OK, "{header:?}");
    }
    let refused = app.get("/v1/whoami").await;
    assert_eq!(
        (refused.status, refused.headers["www-authenticate"].to_str().unwrap()),
        (StatusCode::UNAUTHORIZED, "Bearer")
    );
}

/// A name that is almost right is told, and is never an answer that all is well.
#[tokio::test]
async fn what_does_not_exist_is_404_with_the_nearest_names() {
    let app = TestApp::over("broken");
    for (path, nearest) in [
        ("/v1/istioctl/analyze?namespace=shpo", "shop"),
        ("/v1/istioctl/analyze?revision=asm-1-31", "asm-1-30"),
        ("/v1/misc/misconfiguration?namespace=bnak", "bank"),
        ("/v1/misc/access-logging?namespace=shopp", "shop"),
        ("/v1/misc/resource-usage?namespace=legcy", "legacy"),
        ("/v1/istioctl/proxy-status?namespace=shpo", "shop"),
        ("/v1/istioctl/version?istio_namespace=aks-istio-sytem", "aks-istio-system"),
        ("/v1/kubectl/istiod-logs?revision=asm-1-3", "asm-1-30"),
        ("/v1/kubectl/crds/vs/resources/shop/chekout", "checkout"),
        ("/v1/kubectl/crds/vs/resources?namespace=shpo", "shop"),
        ("/v1/kubectl/resource-status?resource=deployments&namespace=shop&name=frontent", "frontend"),
        ("/v1/istioctl/proxy-config/shop/deployment%2Ffrontent/cluster", "frontend"),
        ("/v1/istioctl/check-inject?namespace=prmo", "promo"),
    ] {
        let answer = app.get(path).await;
        assert_eq!((answer.status, answer.problem().as_str()), (StatusCode::NOT_FOUND, "not_found"), "{path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("did you mean") && detail.contains(nearest), "{path}: {detail}");
    }
    for step in STEPS.iter().map(|step| step.about()).filter(|about| simple_steps().contains(&about.endpoint)) {
        let schema = app.get(&format!("/v1/steps/{}", step.id)).await.json();
        if schema["inputs"]["properties"]["namespace"].is_object() {
            let answer = app.get(&format!("{}?namespace=no-such-place", step.endpoint)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}: {}", step.id, answer.text);
        }
    }
}

/// The object itself, as kubectl would give it, without what is secret.
#[tokio::test]
async fn an_object_is_had_as_json() {
    let app = TestApp::over("broken");
    let answer = app.get("/v1/kubectl/crds/virtualservices/resources/shop/checkout").await.json();
    let object = &answer["data"]["objects"][0]["object"];
    assert_eq!(object["kind"], "VirtualService");
    assert!(object["spec"]["http"].is_array() && object["metadata"]["managedFields"].is_null(), "{object}");
    let listed = app.get("/v1/kubectl/resource-status?resource=services&namespace=shop&include=object").await.json();
    assert!(listed["data"]["objects"].as_array().unwrap().iter().all(|one| one["object"]["spec"].is_object()));
    let plain = app.get("/v1/kubectl/resource-status?resource=services&namespace=shop").await.json();
    assert!(plain["data"]["objects"].as_array().unwrap().iter().all(|one| one["object"].is_null()));
    let secret = app.get("/v1/kubectl/resource-status?resource=secrets&all_namespaces=true&include=object").await.text;
    assert!(!secret.contains("tls.crt") && !secret.contains("tls.key"));
}

/// Whoever wants little gets little, and is told what is missing.
#[tokio::test]
async fn an_answer_is_as_large_as_the_question() {
    let app = TestApp::over("broken");
    let whole = app.get("/v1/istioctl/analyze").await;
    let small = app.get("/v1/istioctl/analyze?view=summary&min_severity=error&top=2").await;
    assert!(small.text.len() * 4 < whole.text.len(), "{} of {}", small.text.len(), whole.text.len());
    let (whole, small) = (whole.json(), small.json());
    assert_eq!(small["counts"], whole["counts"]);
    assert_eq!(small["run"]["verdict"], whole["run"]["verdict"]);
    assert_eq!(small["findings"].as_array().unwrap().len(), 2);
    let left_out = whole["findings"].as_array().unwrap().len() - 2;
    assert_eq!(small["not_shown"].as_u64().unwrap(), u64::try_from(left_out).unwrap());
    assert!(small.get("data").is_none());
    let by_code = app.get("/v1/istioctl/analyze?sort=-code").await.json();
    let codes: Vec<_> = by_code["findings"].as_array().unwrap().iter().map(|one| one["code"].to_string()).collect();
    assert!(codes.is_sorted_by(|a, b| a >= b), "{codes:?}");
    let text = app.get("/v1/istioctl/analyze?format=text&top=1").await.text;
    assert!(text.contains(&format!("{} more findings are not shown", left_out + 1)), "{text}");
    for wrong in ["top=0", "min_severity=bad", "view=some", "sort=size"] {
        assert_eq!(app.get(&format!("/v1/istioctl/analyze?{wrong}")).await.problem(), "validation_failed", "{wrong}");
    }
}

/// A dry run looks at nothing, so that it says nothing of the mesh.
#[tokio::test]
async fn a_dry_run_has_no_verdict() {
    let app = TestApp::over("healthy");
    let answer = app.post("/v1/istioctl/bug-report", &json!({"dry_run": true})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(answer.json()["run"].get("verdict").is_none(), "{}", answer.text);
}

/// Text names what was found, whatever the step, and raw has nothing of it.
#[tokio::test]
async fn every_text_and_yaml_names_the_findings() {
    let app = TestApp::over("broken");
    for path in simple_steps() {
        let json = app.get(path).await.json();
        let (text, yaml) =
            (app.get(&format!("{path}?format=text")).await.text, app.get(&format!("{path}?format=yaml")).await.text);
        assert!(text.starts_with(json["summary"].as_str().unwrap()), "{path}: {text}");
        for finding in json["findings"].as_array().unwrap() {
            let code = finding["code"].as_str().unwrap();
            assert!(text.contains(&format!("[{code}]")) && yaml.contains(code), "{path}: {code}");
        }
        for part in json["skipped"].as_array().unwrap() {
            assert!(text.contains(part["what"].as_str().unwrap()), "{path}: {part}");
        }
    }
}

/// Whoever follows `Link` gets more of the same question.
#[tokio::test]
async fn the_next_page_keeps_the_question() {
    let app = TestApp::over("healthy");
    for _ in 0..3 {
        app.get("/v1/kubectl/crds").await;
    }
    app.get("/v1/istioctl/tags").await;
    let first = app.get("/v1/runs?step=kubectl.crds&limit=2").await;
    let link = first.headers["link"].to_str().unwrap();
    let next = link.strip_prefix('<').and_then(|link| link.split('>').next()).unwrap();
    assert!(next.contains("step=kubectl.crds") && next.contains("limit=2"), "{link}");
    let second = app.get(next).await.json();
    let steps: Vec<_> = second["items"].as_array().unwrap().iter().map(|run| run["step"].clone()).collect();
    assert_eq!(steps, ["kubectl.crds"]);
}

/// Lists of names come with commas or repeated, and a request belongs to its trace.
#[tokio::test]
async fn lists_have_commas_and_requests_a_trace() {
    let app = TestApp::over("broken");
    let subjects = |answer: &Answered| answer.json()["data"]["proxies"].as_array().unwrap().len();
    let commas = app.get("/v1/istioctl/proxy-status?namespace=shop,bank").await;
    let repeated = app.get("/v1/istioctl/proxy-status?namespace=shop&namespace=bank").await;
    assert_eq!(commas.status, StatusCode::OK, "{}", commas.text);
    assert_eq!(subjects(&commas), subjects(&repeated));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced = with(&app, "/v1/version", &[("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))]).await;
    assert_eq!(traced.headers["x-request-id"], trace);
}
