//! The format language of header values: text with Envoy's
//! [command operators](https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#custom-request-response-headers),
//! `%NAME%` or `%NAME(arguments)%`, and `%%` for a percent sign.

use super::Check;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Literal,
    Name,
    Arguments,
    ElementStart,
    Text,
    Delimiter,
    ArgumentsEnd,
    Close,
}

/// Reads the value byte by byte, as Envoy's old header parser did.
pub(super) fn check(value: &str) -> Check {
    use State::{Arguments, ArgumentsEnd, Close, Delimiter, ElementStart, Literal, Name, Text};

    let bytes = value.as_bytes();
    let mut state = Literal;
    let mut started = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        state = match state {
            Literal if byte != b'%' => Literal,
            Literal => match bytes.get(at + 1) {
                None => return invalid("Un-escaped %"),
                Some(b'%') => {
                    at += 1;
                    Literal
                }
                Some(_) => {
                    started = at;
                    Name
                }
            },
            Name => match byte {
                b'%' => Literal,
                b'(' => Arguments,
                _ => Name,
            },
            Arguments => match byte {
                b'[' => ElementStart,
                b' ' => Arguments,
                _ => Text,
            },
            ElementStart => match byte {
                b'"' => Text,
                b' ' => ElementStart,
                _ => return invalid("Expecting '\"'"),
            },
            Text => match byte {
                b'\\' if at + 1 == bytes.len() => return invalid("Un-terminated backslash in JSON string"),
                b'\\' => {
                    at += 1;
                    Text
                }
                b')' => Close,
                b'"' => Delimiter,
                _ => Text,
            },
            Delimiter => match byte {
                b',' => ElementStart,
                b']' => ArgumentsEnd,
                b' ' => Delimiter,
                _ => return invalid("Expecting ',', ']', or whitespace"),
            },
            ArgumentsEnd => match byte {
                b')' => Close,
                b' ' => ArgumentsEnd,
                _ => return invalid("Expecting ')' or whitespace after '{}', but found '{}'"),
            },
            Close => match byte {
                b'%' => Literal,
                b' ' => Close,
                _ => return invalid("Expecting '%' or whitespace after"),
            },
        };
        at += 1;
    }
    if state == Literal {
        return Ok(());
    }
    let open = value.get(started..).unwrap_or(value);
    Err(format!("header value configuration: invalid header configuration. Un-terminated variable expression '{open}'"))
}

fn invalid(why: &str) -> Check {
    Err(format!("header value configuration: invalid header configuration. {why}"))
}
