//! Rules on [`HTTPRewrite`](https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPRewrite).

use super::super::fields::Fields;
use super::super::value::{Check, regular_expression};

/// Says the first fault only.
pub(super) fn check(rewrite: Fields) -> Check {
    let uri = rewrite.has_text("uri");
    let regex = rewrite.message("uriRegexRewrite");
    if uri && regex.is_some() {
        return Err("rewrite may only contain one of URI or UriRegexRewrite".into());
    }
    if !uri && regex.is_none() && !rewrite.has_text("authority") {
        return Err("rewrite must specify at least one of URI, UriRegexRewrite, or authority. Only one of URI or \
                    UriRegexRewrite may be specified"
            .into());
    }
    let Some(regex) = regex else { return Ok(()) };
    let error = if regex.has_text("match") && regex.has_text("rewrite") {
        regular_expression::check(regex.text("match"), "HTTPRewrite.UriRegexRewrite.Match")
    } else {
        Err("UriRegexRewrite requires both Rewrite and Match fields to be specified".into())
    };
    error.map_err(|error| format!("UriRegexRewrite has errors\n{error}"))
}
