//! Which format `Accept` asks for ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#name-accept)).

use std::str::FromStr as _;

use headers_accept::Accept;
use http::{HeaderMap, header};
use mediatype::MediaType;

use super::error::{self, ApiError};
use crate::report::Format;

/// What is written, JSON first: it is what `*/*` gets.
const WRITTEN: [(&str, Format); 13] = [
    ("application/json", Format::Json),
    ("text/plain", Format::Text),
    ("text/html", Format::Html),
    ("text/markdown", Format::Markdown),
    ("text/csv", Format::Csv),
    ("application/yaml", Format::Yaml),
    ("application/x-yaml", Format::Yaml),
    ("text/yaml", Format::Yaml),
    ("application/sarif+json", Format::Sarif),
    ("application/xml", Format::Junit),
    ("text/xml", Format::Junit),
    // What answers are where something is wrong, and where a log is followed.
    ("application/problem+json", Format::Json),
    ("text/event-stream", Format::Json),
];

/// The format that the caller likes best; JSON where they say nothing.
pub(super) fn format(headers: &HeaderMap) -> Result<Format, ApiError> {
    let values: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept: Vec<_> = values.iter().flat_map(|value| value.split(',')).map(without_parameters).collect();
    let accept = accept.join(", ");
    if accept.trim().is_empty() {
        return Ok(Format::Json);
    }
    // What cannot be read asks for nothing.
    let Ok(parsed) = Accept::from_str(&accept) else { return Ok(Format::Json) };
    let available: Vec<MediaType<'_>> =
        WRITTEN.iter().map(|(name, _)| MediaType::parse(name).expect("the names are media types")).collect();
    let chosen = parsed.negotiate(&available).map(ToString::to_string);
    let found = chosen.and_then(|name| WRITTEN.iter().find(|(known, _)| *known == name));
    found.map(|(_, format)| *format).ok_or_else(|| {
        let known: Vec<_> = WRITTEN[..11].iter().map(|(name, _)| *name).collect();
        let detail = format!("an answer can be written as {}, or as `format` says", known.join(", "));
        ApiError::new(error::NOT_ACCEPTABLE, detail)
    })
}

/// A type with its weight alone: what we write comes in one charset.
fn without_parameters(media: &str) -> String {
    let mut parts = media.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find(|part| part.starts_with("q=") || part.starts_with("Q="));
    weight.map_or_else(|| name.to_owned(), |weight| format!("{name};{weight}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &'static str) -> Option<&'static str> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, http::HeaderValue::from_static(accept))]);
        format(&headers).ok().map(Format::name)
    }

    #[test]
    fn the_type_that_is_liked_best_is_chosen() {
        let check = |accept, expected| assert_eq!(chosen(accept), expected, "{accept}");
        check("*/*", Some("json"));
        check("application/*", Some("json"));
        check("text/plain", Some("text"));
        check("application/json;q=0.5, text/markdown", Some("markdown"));
        check("text/plain;q=0.2, application/yaml;q=0.8", Some("yaml"));
        check("application/json, application/problem+json", Some("json"));
        check("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some("html"));
        check("image/png, */*;q=0.1", Some("json"));
        check("text/plain; charset=utf-8", Some("text"));
        check("", Some("json"));
    }

    #[test]
    fn what_is_not_written_is_not_acceptable() {
        for accept in ["image/png", "application/pdf, image/*", "application/json;q=0"] {
            assert_eq!(chosen(accept), None, "{accept}");
        }
    }
}
