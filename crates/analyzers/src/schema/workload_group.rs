//! Rules on [`WorkloadGroup`](https://istio.io/latest/docs/reference/config/networking/workload-group/). Upstream does
//! not look into its template.

use super::Object;
use super::fields::Fields;
use super::problem::Outcome;
use super::value::text::error_list;
use super::value::{header as header_name, label, port};

pub(super) fn check(object: &Object) -> Outcome {
    let mut outcome = Outcome::default();
    let spec = object.spec;
    if !spec.has("template") {
        return Outcome::only("template is required");
    }
    if let Some(metadata) = spec.message("metadata") {
        let errors = label::labels(metadata.text_map("labels"));
        if !errors.is_empty() {
            return Outcome::only(format!("invalid labels: {}", error_list(&errors)));
        }
    }
    if let Some(probe) = spec.message("probe") {
        check_probe(&mut outcome, probe);
    }
    outcome
}

fn check_probe(outcome: &mut Outcome, probe: Fields) {
    for field in ["periodSeconds", "initialDelaySeconds", "timeoutSeconds", "successThreshold", "failureThreshold"] {
        if probe.int(field) < 0 {
            outcome.error(format!("{field} must be non-negative"));
        }
    }
    let method = probe.one_of(&["httpGet", "tcpSocket", "exec", "grpc"]);
    let settings = method.and_then(|method| probe.message(method)).unwrap_or(Fields::NONE);
    match method {
        Some("httpGet") => {
            outcome.check(port::number(settings.int("port")));
            if !matches!(settings.text("scheme"), "" | "HTTP" | "HTTPS") {
                outcome.error("httpGet.scheme must be one of \"HTTPS\", \"HTTP\"");
            }
            for header in settings.list("httpHeaders") {
                match header {
                    Some(header) => outcome.check(header_name::probe_name(header.text("name"))),
                    None => outcome.error("invalid nil header"),
                }
            }
        }
        Some("tcpSocket") => outcome.check(port::number(settings.int("port"))),
        Some("exec") => {
            if settings.count("command") == 0 {
                outcome.error("exec.command is required");
            }
        }
        // Go names the type of the value, or `<nil>`.
        Some(_) => outcome.error("unknown health check method *v1alpha3.ReadinessProbe_Grpc"),
        None => outcome.error("unknown health check method <nil>"),
    }
}
