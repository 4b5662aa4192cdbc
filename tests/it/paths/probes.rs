//! Requests that were made one by one inside of real meshes, and what is foretold of them.

use std::fmt::Write as _;

use meshtriage::{
    mesh::Mesh,
    paths::{Answer, Answerer, Caller, Client, Confidence, Ending, Network, Outcome, Protocol, Request, Token},
};
use serde_json::Value;

use super::{MESHES, cluster, facts, mesh, probes};
use crate::support::say;

#[derive(Debug, Default, Clone, Copy)]
struct Score {
    all: u32,
    right: u32,
    answered: u32,
    certain: u32,
    certain_right: u32,
}

fn percent(part: u32, whole: u32) -> f64 {
    100.0 * f64::from(part) / f64::from(whole.max(1))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn client<'m>(mesh: &'m Mesh, probe: &Value) -> Client<'m> {
    let client = &probe["client"];
    if client["workload"] == "outside" {
        return Client::Outside { address: client["ip"].as_str().and_then(|address| address.parse().ok()) };
    }
    let (namespace, pod) = (text(&client["namespace"]), text(&client["pod"]));
    Client::Inside(Caller::find(mesh, &namespace, &pod).unwrap_or_else(|| panic!("no pod {namespace}/{pod}")))
}

fn request(probe: &Value) -> Request {
    let asked = &probe["request"];
    let mut request =
        Request::http(asked["host"].as_str().unwrap(), u16::try_from(asked["port"].as_u64().unwrap()).unwrap());
    request.protocol = match asked["scheme"].as_str().unwrap() {
        "http" => Protocol::Http,
        "https" => Protocol::Https,
        "tls" => Protocol::Tls,
        _ => Protocol::Tcp,
    };
    request.method = asked["method"].as_str().unwrap_or("GET").to_owned();
    request.path = asked["path"].as_str().unwrap_or("/").to_owned();
    for (name, value) in asked["headers"].as_object().into_iter().flatten() {
        match name.to_ascii_lowercase().as_str() {
            "host" => request.authority = Some(text(value)),
            "authorization" => {}
            _ => request.headers.push((name.clone(), text(value))),
        }
    }
    if request.protocol.is_tls() {
        request.server_name = Some(text(&asked["sni"]));
    }
    if let Some((address, port)) = asked["connect"].as_str().and_then(|connect| connect.rsplit_once(':')) {
        request.dialled = Some((address.trim_matches(['[', ']']).parse().unwrap(), port.parse().unwrap()));
    }
    if let Some(kind) = asked["jwt"].as_str() {
        let claims = asked["jwt_claims"].as_object().cloned().unwrap_or_default();
        let is_signed_by_issuer = claims.get("kid").and_then(Value::as_str) == Some("lab");
        request.token = Some(Token { is_well_formed: kind != "garbage", is_signed_by_issuer, claims });
    }
    request
}

/// How it ended, in the words of an outcome, and the application that answered.
fn ended(outcome: &Value) -> (String, String) {
    if let Some(status) = outcome["status"].as_u64() {
        if outcome["answered_by"].is_object() {
            return ("delivered".to_owned(), text(&outcome["answered_by"]["app"]));
        }
        return (status.to_string(), String::new());
    }
    let error = outcome["error"].as_str().unwrap_or_default();
    let words = match error {
        "" => "delivered",
        error if error.starts_with("dns") => "name not known",
        error if error.contains("refused") => "connection refused",
        error if error.starts_with("timeout") => "timeout",
        error if error.starts_with("tls:") => "TLS failure",
        // A reset and a close without an answer are one outcome, decided by a race.
        _ => "connection reset",
    };
    (words.to_owned(), String::new())
}

/// Whether an outcome that was foretold is the one that came: how it ended, by whom, with which flag.
fn is(outcome: &Outcome, actual: &Value, probe: &Value) -> bool {
    let (words, application) = ended(actual);
    if outcome.ending == Ending::Delivered {
        if outcome.answered_by == Answerer::Outside {
            // What a host outside does with a connection is its own affair; no proxy may have ended it.
            let flags = probe["client_log"]["response_flags"].as_str().unwrap_or("-");
            return words == "delivered" || flags == "-" && words == "connection reset" && actual["stage"] == "data";
        }
        let reaches = outcome.reaches.as_deref().unwrap_or_default();
        return words == "delivered" && (application.is_empty() || reaches.contains(&application));
    }
    let log = match outcome.answered_by {
        Answerer::ClientProxy => &probe["client_log"],
        Answerer::Gateway => &probe["gateway_log"],
        Answerer::ServerProxy => &probe["server_log"],
        Answerer::Resolver | Answerer::Application | Answerer::Outside | Answerer::Nobody => &Value::Null,
    };
    let has_flag = match (outcome.flag, log["response_flags"].as_str()) {
        // Of several tries one log line stands there, so that of unstable ones it may be another's.
        _ if probe["stable"] != true => true,
        (_, None) => true,
        (Some(flag), Some(logged)) => flag.split(',').any(|flag| logged.split(',').any(|logged| logged == flag)),
        (None, Some(logged)) => logged == "-",
    };
    outcome.ending.words() == words && has_flag
}

fn is_right(answer: &Answer, probe: &Value) -> bool {
    let foretold = |actual: &Value| answer.outcomes.iter().any(|outcome| is(outcome, actual, probe));
    match probe["outcomes"].as_array() {
        Some(outcomes) if probe["stable"] != true => outcomes.iter().all(|each| foretold(&each["outcome"])),
        _ => foretold(&probe["outcome"]),
    }
}

fn shown(probe: &Value, answer: &Answer) -> String {
    let (client, asked) = (&probe["client"], &probe["request"]);
    let actual = match probe["outcomes"].as_array() {
        Some(outcomes) => outcomes.iter().map(|each| ended(&each["outcome"]).0).collect::<Vec<_>>().join(" or "),
        None => ended(&probe["outcome"]).0,
    };
    let mut text = format!(
        "{} {}/{} -> {}://{}:{}{}: was {actual}",
        probe["id"],
        client["namespace"],
        client["workload"],
        asked["scheme"],
        asked["host"],
        asked["port"],
        asked["path"]
    );
    for outcome in &answer.outcomes {
        let _ = write!(
            text,
            "; foretold {} by {:?} {:?} ({:?})",
            outcome.result, outcome.answered_by, outcome.flag, outcome.confidence
        );
    }
    text
}

#[tokio::test]
async fn requests_end_as_foretold() {
    let mut total = Score::default();
    for name in MESHES {
        let cluster = cluster(name);
        let mesh = mesh(&cluster).await;
        let (whole, probes) = probes(name);
        let network = Network::new(&mesh, facts(&cluster, &mesh, &whole).await);
        for probe in &probes {
            let answer = network.answer(&client(&mesh, probe), &request(probe));
            let is_right = is_right(&answer, probe);
            total.all += 1;
            total.right += u32::from(is_right);
            total.answered += u32::from(answer.confidence() != Confidence::Unknown);
            if answer.confidence() == Confidence::Certain {
                total.certain += 1;
                total.certain_right += u32::from(is_right);
            }
            if !is_right {
                say(&format!("{name}: {}", shown(probe, &answer)));
            }
            for outcome in answer.outcomes.iter().filter(|outcome| !outcome.ending.is_good()) {
                assert!(!outcome.hops.is_empty(), "{} has no hops", probe["id"]);
            }
        }
    }
    let (certain, answered) = (percent(total.certain_right, total.certain), percent(total.answered, total.all));
    say(&format!("{total:?}: {certain:.2} % right where certain, {answered:.2} % answered"));
    assert_eq!(total.all, 1996);
    assert!(certain >= 99.0, "{certain:.2} % right where certain");
    assert!(answered >= 95.0, "{answered:.2} % answered");
}
