//! Rules on [`HTTPRedirect`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRedirect).

use super::super::fields::Fields;
use super::super::string_match;
use super::super::value::{Check, port};

/// Says the first fault only.
pub(super) fn check(redirect: Fields, route: Fields) -> Check {
    let prefix = redirect.has_text("prefixRewrite");
    if prefix && redirect.has_text("uri") {
        return Err("redirect may only specify one of uri or prefix_rewrite".into());
    }
    if prefix {
        for uri in route.list("match").flatten().filter_map(|http_match| http_match.message("uri")) {
            if !matches!(string_match::form(uri), Some(("prefix", _))) {
                return Err("redirect prefix_rewrite requires all URI matches to use prefix match type".into());
            }
        }
    }
    let texts = ["uri", "prefixRewrite", "authority", "scheme"];
    let chosen_port = redirect.one_of(&["port", "derivePort"]);
    if texts.iter().all(|field| !redirect.has_text(field)) && chosen_port.is_none() {
        return Err("redirect must specify URI, authority, scheme, or port".into());
    }
    let code = redirect.int("redirectCode");
    if code != 0 && !(300..=399).contains(&code) {
        return Err(format!("{code} is not a valid redirect code, must be 3xx"));
    }
    if !matches!(redirect.text("scheme"), "" | "http" | "https") {
        return Err("invalid redirect scheme, must be \"http\" or \"https\"".into());
    }
    if chosen_port == Some("port") && redirect.int("port") > 0 {
        return port::number(redirect.int("port"));
    }
    Ok(())
}
