//! Finds rewrites of a prefix that make a path which nobody meant.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Certain,
    rule: Analyzer {
        name: "net/rewrite-slashes",
        reads: &[Kind::VirtualService],
        reports: &[&NET0028],
        by_default: true,
        run,
    },
};

static NET0028: Code = Code {
    id: "NET0028",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRewrite",
    page: include_str!("pages/NET0028.md"),
};

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::VirtualService) {
        for (rule, index) in service.spec().get("http").items().zip(0..) {
            let Some(rewrite) = rule.get("rewrite").get("uri").text_if_any() else { continue };
            for (prefix, position) in prefixes(rule) {
                if let Some(consequence) = consequence(service, prefix, rewrite) {
                    let path = Path::spec().key("http").index(index).key("match").index(position).key("uri");
                    messages.report(path_is_not_what_is_meant(service, index, prefix, rewrite, &consequence).at(path));
                }
            }
        }
    }
}

fn prefixes(rule: View<'_>) -> impl Iterator<Item = (&str, usize)> {
    let matches = rule.get("match").items().zip(0..);
    matches.filter_map(|(it, position)| Some((it.get("uri").get("prefix").text_if_any()?, position)))
}

/// What comes of a request, as the matched prefix, and nothing more, is replaced.
fn consequence(service: &Object, prefix: &str, rewrite: &str) -> Option<String> {
    let glued = |rest: &str| format!("{rewrite}{rest}");
    match (prefix.ends_with('/'), rewrite.ends_with('/')) {
        (false, true) => Some(format!("of {prefix}/x comes {}", glued("/x"))),
        (true, false) if !rewrite.is_empty() => Some(format!("of {prefix}x comes {}", glued("x"))),
        (true, true) if prefix != "/" => {
            let bare = prefix.trim_end_matches('/');
            (!is_matched(service, bare)).then(|| format!("{bare}, without the slash, matches no rule"))
        }
        _ => None,
    }
}

/// Whether some rule takes the path itself.
fn is_matched(service: &Object, path: &str) -> bool {
    service.spec().get("http").items().any(|rule| {
        let matches = rule.get("match");
        matches.is_empty()
            || matches.items().any(|it| {
                let uri = it.get("uri");
                // What a regular expression takes is left to whoever wrote it.
                uri.is_empty()
                    || uri.get("regex").is_set()
                    || uri.get("exact").text() == path
                    || uri.get("prefix").text_if_any().is_some_and(|prefix| path.starts_with(prefix))
            })
    })
}

fn path_is_not_what_is_meant<'m>(
    service: &'m Object,
    rule: usize,
    prefix: &str,
    rewrite: &str,
    consequence: &str,
) -> Message<'m> {
    let text = format!("http rule {rule} replaces the prefix {prefix} by {rewrite}: {consequence}.");
    let bare = prefix.trim_end_matches('/');
    let (slashed, bare_rewrite) = (format!("{bare}/"), rewrite.trim_end_matches('/'));
    let remedy = if bare.is_empty() {
        format!(
            "In VirtualService {}, rewrite prefix / to {bare_rewrite}/ in http rule {rule}, with the slash.",
            service.full_name()
        )
    } else {
        format!(
            "In http rule {rule} of VirtualService {}, match twice and rewrite to {bare_rewrite}/: match: [{{uri: {{prefix: \
             {slashed}}}}}, {{uri: {{exact: {bare}}}}}], rewrite: {{uri: {bare_rewrite}/}}",
            service.full_name()
        )
    };
    Message::new(&NET0028, service, text).remedy(remedy)
}
