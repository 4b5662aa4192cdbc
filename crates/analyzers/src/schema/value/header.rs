//! Names and values of HTTP headers: each place of Istio's API has its own rule.

use super::Check;
use super::header_format;
use super::text::quoted;

fn empty(name: &str) -> Check {
    if name.is_empty() { Err("header name cannot be empty".into()) } else { Ok(()) }
}

fn only(name: &str, allowed: impl Fn(u8) -> bool) -> Check {
    empty(name)?;
    if name.bytes().all(allowed) { Ok(()) } else { Err(format!("header name {name} is not a valid header name")) }
}

/// Letters, digits, `-` and `_`.
pub(in super::super) fn strict_name(name: &str) -> Check {
    only(name, |byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Letters, digits and `-`.
pub(in super::super) fn probe_name(name: &str) -> Check {
    only(name, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The characters of a token, and `,`: upstream's class has `+-.`, which is a range.
fn token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+,-.^_`|~".contains(&byte)
}

pub(in super::super) fn cors_name(name: &str) -> Check {
    if name == "*" { Ok(()) } else { only(name, token) }
}

/// The key of a header match: a header, a pseudo-header, or a
/// [JWT claim](https://istio.io/latest/docs/tasks/security/authentication/jwt-route/).
pub(in super::super) fn match_name(name: &str) -> Check {
    if is_jwt_claim(name) || matches!(name, ":method" | ":scheme" | ":authority" | ":path" | ":status") {
        return Ok(());
    }
    only(name, token)
}

/// `@request.auth.claims.NAME` or `@request.auth.claims[NAME]`.
pub(in super::super) fn is_jwt_claim(name: &str) -> bool {
    const PREFIX: &str = "@request.auth.claims";
    let Some(head) = name.get(..PREFIX.len()) else { return false };
    let rest = &name[PREFIX.len()..];
    let dotted = rest.strip_prefix('.').is_some_and(|claim| !claim.is_empty());
    let bracketed =
        rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|claim| !claim.is_empty());
    head.eq_ignore_ascii_case(PREFIX) && (dotted || bracketed)
}

/// A header that is set or added on a request: of the pseudo-headers only the authority may be changed.
pub(in super::super) fn request_name(name: &str) -> Check {
    empty(name)?;
    let authority = name == ":authority" || name.eq_ignore_ascii_case("host");
    if name.starts_with(':') && !authority {
        return Err(format!("invalid header {}: header cannot have \":\" prefix", quoted(name)));
    }
    Ok(())
}

/// A header that is removed from a request, or changed on a response.
pub(in super::super) fn other_name(name: &str) -> Check {
    empty(name)?;
    if name.eq_ignore_ascii_case("host") {
        return Err(format!("invalid header {}: cannot set Host header", quoted(name)));
    }
    if name.starts_with(':') {
        return Err(format!("invalid header {}: header cannot have \":\" prefix", quoted(name)));
    }
    Ok(())
}

/// The value that a header is set to.
pub(in super::super) fn value(value: &str) -> Check {
    if value.bytes().any(|byte| (byte < 0x20 && byte != b'\t') || byte == 0x7f) {
        return Err(format!("header value configuration {value} is invalid"));
    }
    header_format::check(value)
}
