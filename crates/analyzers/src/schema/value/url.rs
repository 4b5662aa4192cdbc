//! URLs as Go's [`net/url`](https://pkg.go.dev/net/url#Parse) accepts them, which is more than the standard for the
//! web does; only what the rules ask for is kept: scheme and port.

use super::text::quoted;

pub(in super::super) struct Url<'a> {
    /// In lower case.
    pub(in super::super) scheme: String,
    /// What stands after the colon, or nothing.
    pub(in super::super) port: &'a str,
}

/// Reads a URL or a reference.
pub(crate) fn parse(raw: &str) -> Result<Url<'_>, String> {
    let wrong = |why: String| format!("parse {}: {why}", quoted(raw));
    let (before, fragment) = match raw.split_once('#') {
        Some((before, fragment)) => (before, fragment),
        None => (raw, ""),
    };
    let url = read(before, false).map_err(wrong)?;
    escapes(fragment, Part::Fragment).map_err(wrong)?;
    Ok(url)
}

/// Reads the target of a request: an absolute URL or an absolute path, in which `#` means nothing.
pub(in super::super) fn parse_request_uri(raw: &str) -> Result<Url<'_>, String> {
    read(raw, true).map_err(|why| format!("parse {}: {why}", quoted(raw)))
}

fn read(raw: &str, via_request: bool) -> Result<Url<'_>, String> {
    if raw.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".into());
    }
    if raw.is_empty() && via_request {
        return Err("empty url".into());
    }
    if raw == "*" {
        return Ok(Url { scheme: String::new(), port: "" });
    }
    let (scheme, rest) = split_scheme(raw)?;
    let scheme = scheme.to_ascii_lowercase();
    let rest = rest.split('?').next().unwrap_or_default();
    if !rest.starts_with('/') {
        if !scheme.is_empty() {
            // An opaque reference such as `mailto:somebody`.
            return Ok(Url { scheme, port: "" });
        }
        if via_request {
            return Err("invalid URI for request".into());
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon".into());
        }
    }
    let (authority, path) = match rest.strip_prefix("//") {
        Some(after) if !(scheme.is_empty() && (via_request || after.starts_with('/'))) => {
            after.split_at(after.find('/').unwrap_or(after.len()))
        }
        _ => ("", rest),
    };
    let port = read_authority(authority)?;
    escapes(path, Part::Path)?;
    Ok(Url { scheme, port })
}

fn split_scheme(raw: &str) -> Result<(&str, &str), String> {
    for (at, byte) in raw.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".into()),
            b':' => return Ok((&raw[..at], &raw[at + 1..])),
            _ => break,
        }
    }
    Ok(("", raw))
}

/// Returns the port.
fn read_authority(authority: &str) -> Result<&str, String> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (user, host),
        None => ("", authority),
    };
    if !user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte)) {
        return Err("net/url: invalid userinfo".into());
    }
    escapes(user, Part::User)?;
    let (name, after) = match host.strip_prefix('[') {
        Some(inner) => {
            let end = inner.rfind(']').ok_or("missing ']' in host")?;
            (&inner[..end], &inner[end + 1..])
        }
        None => host.split_at(host.rfind(':').unwrap_or(host.len())),
    };
    let port = after.strip_prefix(':').unwrap_or_default();
    if !(after.is_empty() || after.starts_with(':') && port.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err(format!("invalid port {} after host", quoted(after)));
    }
    escapes(name, Part::Host)?;
    Ok(port)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    User,
    Host,
    Path,
    Fragment,
}

/// Every `%` must begin an escape of two hexadecimal digits, and a host has few characters besides.
fn escapes(text: &str, part: Part) -> Result<(), String> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'%' {
            let hex = bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
            if !hex {
                let end = (at..=(at + 3).min(text.len())).rev().find(|end| text.is_char_boundary(*end));
                return Err(format!("invalid URL escape {}", quoted(&text[at..end.unwrap_or(text.len())])));
            }
            at += 3;
            continue;
        }
        let allowed_in_host = byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte);
        if part == Part::Host && byte < 0x80 && !allowed_in_host {
            return Err(format!("invalid character {} in host name", quoted(&char::from(byte).to_string())));
        }
        at += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_and_ports() {
        let check = |raw: &str, scheme: &str, port: &str| {
            let url = parse(raw).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((url.scheme.as_str(), url.port), (scheme, port), "{raw}");
        };
        check("HTTPS://user:word@a.com:443/b?c#d", "https", "443");
        check("http://[::1]:8080/", "http", "8080");
        check("a.com/b", "", "");
        check("oci://registry/image@sha256:abc", "oci", "");
        check("mailto:a@b", "mailto", "");
        check("%41", "", "");
        check("opaque:b/c%zz", "opaque", "");
    }

    #[test]
    fn what_go_refuses() {
        for raw in ["tcp://a.com:abc", "http://a b/", ":a", "1a:b", "http://[::1", "a\u{8}", "#%blah", "%é"] {
            assert!(parse(raw).is_err(), "{raw}");
        }
        assert!(parse_request_uri("test").is_err());
        assert!(parse_request_uri("/test#%zz").is_err());
    }
}
