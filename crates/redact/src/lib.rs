//! What must never be stored or sent: private keys, Secret data, tokens, credentials in headers and URLs.
//!
//! Certificates are kept, because half of the diagnosis of a mesh reads them. Text is first searched for the words
//! that every secret comes with, so that ordinary text is neither copied nor matched against a pattern.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

/// Stands where a secret was.
pub const REDACTED: &str = "REDACTED";

/// The same where the field is base64, as the data of a Secret.
const REDACTED_BASE64: &str = "UkVEQUNURUQ=";

/// What Envoy itself puts in place of a secret, plain and as base64.
const BY_ENVOY: [&str; 2] = ["[redacted]", "W3JlZGFjdGVkXQ=="];

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Replaces every secret in a document; answers how many there were.
pub fn redact_value(value: &mut Value) -> u64 {
    match value {
        Value::String(text) => redact_string(text),
        Value::Array(items) => items.iter_mut().map(redact_value).sum(),
        Value::Object(fields) => redact_fields(fields),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// JSON without its secrets; `None` when it has none, as most have, which is found without reading it into a tree. What
/// may have some and cannot be read is left out.
pub fn redact_json(text: &str) -> Option<Value> {
    // A letter that is written as its number could hide a word.
    if !text.contains("\\u") && !HINTS.is_match(text) {
        return None;
    }
    let Ok(mut value) = serde_json::from_str(text) else {
        return Some(json!({"omitted": "it may hold secrets, and is too deep to look for them"}));
    };
    (redact_value(&mut value) > 0).then_some(value)
}

/// Replaces the data of a Secret, but for certificates, and every secret in the rest of it.
pub fn redact_secret(secret: &mut Value) -> u64 {
    let mut count = 0;
    for (name, replacement) in [("data", REDACTED_BASE64), ("stringData", REDACTED)] {
        for (_, value) in secret.get_mut(name).and_then(Value::as_object_mut).into_iter().flatten() {
            let keep =
                value.as_str().is_some_and(|text| text.is_empty() || text == replacement || is_certificate(text));
            if !keep {
                *value = replacement.into();
                count += 1;
            }
        }
    }
    let rest =
        secret.as_object_mut().into_iter().flatten().filter(|(name, _)| *name != "data" && *name != "stringData");
    count + rest.map(|(_, value)| redact_value(value)).sum::<u64>()
}

/// The text without its secrets; borrowed when it has none.
pub fn redact_text(text: &str) -> Cow<'_, str> {
    redact_counted(text).0
}

/// Certificates and nothing else, as PEM or as base64 of it.
fn is_certificate(text: &str) -> bool {
    let decoded = BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pem = decoded.as_deref().unwrap_or(text);
    pem.contains("-----BEGIN CERTIFICATE-----") && !pem.contains("PRIVATE KEY")
}

fn redact_string(text: &mut String) -> u64 {
    let (redacted, count) = redact_counted(text);
    if count > 0 {
        *text = redacted.into_owned();
    }
    count
}

/// Objects are where names tell what a value is.
fn redact_fields(fields: &mut Map<String, Value>) -> u64 {
    let kind = fields.get("kind").and_then(Value::as_str);
    if kind == Some("Secret") && fields.get("apiVersion").and_then(Value::as_str) == Some("v1") {
        let mut secret = Value::Object(std::mem::take(fields));
        let count = redact_secret(&mut secret);
        if let Value::Object(redacted) = secret {
            *fields = redacted;
        }
        return count;
    }
    let is_secret_list = kind == Some("SecretList");
    let named = ["name", "key", "header"].iter().find_map(|name| fields.get(*name).and_then(Value::as_str));
    let names_a_secret = named.is_some_and(|name| is_secret_header(name) || is_secret_variable(name));
    let mut count = 0;
    for (name, value) in fields.iter_mut() {
        count += match value {
            Value::Array(items) if is_secret_list && name == "items" => items.iter_mut().map(redact_secret).sum(),
            Value::String(text) if name == LAST_APPLIED => redact_embedded(text),
            Value::String(text) if (name == "value" && names_a_secret) || is_secret_field(name) => {
                replace(text, REDACTED)
            }
            Value::Object(source) if is_secret_source(name) => redact_source(source),
            other => redact_value(other),
        };
    }
    count
}

fn replace(text: &mut String, replacement: &str) -> u64 {
    if text.is_empty() || text == replacement || BY_ENVOY.contains(&text.as_str()) {
        return 0;
    }
    replacement.clone_into(text);
    1
}

/// A document inside of a string, as `kubectl apply` leaves it in an annotation.
fn redact_embedded(text: &mut String) -> u64 {
    let Ok(mut document) = serde_json::from_str::<Value>(text) else { return redact_string(text) };
    let count = redact_value(&mut document);
    if count > 0 {
        *text = document.to_string();
    }
    count
}

/// Envoy's `DataSource` of a key or a password; a file name in it is no secret.
/// <https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/common.proto>
fn redact_source(source: &mut Map<String, Value>) -> u64 {
    let mut count = 0;
    for (name, value) in source.iter_mut() {
        count += match (name.as_str(), value) {
            ("inline_bytes" | "inlineBytes", Value::String(text)) => replace(text, REDACTED_BASE64),
            ("inline_string" | "inlineString", Value::String(text)) => replace(text, REDACTED),
            (_, other) => redact_value(other),
        };
    }
    count
}

fn is_secret_source(name: &str) -> bool {
    matches!(
        name,
        "private_key" | "privateKey" | "password" | "secret" | "token_secret" | "tokenSecret" | "hmac_secret"
    )
}

/// Fields whose whole value is a secret, whatever it looks like.
const SECRET_FIELDS: [&str; 16] = [
    "password",
    "passwd",
    "client_secret",
    "clientsecret",
    "access_token",
    "accesstoken",
    "refresh_token",
    "refreshtoken",
    "id_token",
    "idtoken",
    "api_key",
    "apikey",
    "private_key_pem",
    "secret_key",
    "secretkey",
    "bearertoken",
];

const SECRET_HEADERS: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token"];

/// The usual endings of environment variables that hold one.
const SECRET_VARIABLES: [&str; 9] =
    ["PASSWORD", "PASSWD", "_TOKEN", "_SECRET", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "SECRET_KEY", "CREDENTIALS"];

fn is_secret_field(name: &str) -> bool {
    is_secret_header(name) || SECRET_FIELDS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

fn is_secret_header(name: &str) -> bool {
    SECRET_HEADERS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

fn is_secret_variable(name: &str) -> bool {
    SECRET_VARIABLES.iter().any(|ending| name.ends_with(ending))
}

/// A pattern, and the words without which it cannot match.
struct Rule {
    words: &'static [&'static str],
    pattern: Regex,
    replace: fn(&Captures<'_>) -> Option<String>,
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |words, pattern, replace| Rule {
        words,
        pattern: Regex::new(pattern).expect("the pattern is a constant, and tested"),
        replace,
    };
    vec![
        // A key that was cut off at the end is a secret as well.
        rule(
            &["PRIVATE KEY-----"],
            r"(?s)-----BEGIN ([A-Z0-9 ]{0,20})PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,20}PRIVATE KEY-----|\z)",
            |found| Some(format!("-----BEGIN {0}PRIVATE KEY-----{REDACTED}-----END {0}PRIVATE KEY-----", &found[1])),
        ),
        // A PEM block in base64, as in a Secret; certificates stay.
        rule(&["LS0tLS1CRUdJTi"], r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{32,}={0,2}", |found| {
            let encoded = &found[0].trim_end_matches('=');
            let whole = &encoded[..encoded.len() / 4 * 4];
            let decoded = BASE64.decode(whole).unwrap_or_default();
            let is_key = decoded.windows(11).any(|window| window == b"PRIVATE KEY");
            is_key.then(|| REDACTED_BASE64.to_owned())
        }),
        // A JSON Web Token: three parts of base64, the first a JSON object.
        rule(&["eyJ"], r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,3}", |_| {
            Some(REDACTED.to_owned())
        }),
        rule(
            &["bearer", "basic", "negotiate"],
            r"(?i)\b(bearer|basic|negotiate)((?:\s|%20)+)([A-Za-z0-9._~+/-]{8,}=*)",
            |found| {
                // Prose goes on in letters; a token has digits or is longer than a word.
                let token = &found[3];
                let is_token = token.len() >= 32 || token.bytes().any(|byte| byte.is_ascii_digit());
                (is_token && token != REDACTED).then(|| format!("{}{}{REDACTED}", &found[1], &found[2]))
            },
        ),
        // As Envoy's debug log prints headers, and as JSON does.
        rule(
            &["authorization", "x-api-key", "x-auth-token"],
            r#"(?i)(['"](?:(?:proxy-)?authorization|x-api-key|x-auth-token)\\?['"]\s*[:,]\s*\\?['"])([^'"\\]+)"#,
            |found| (!found[2].ends_with(REDACTED)).then(|| format!("{}{REDACTED}", &found[1])),
        ),
        rule(
            &["cookie"],
            r#"(?i)(\b(?:set-)?cookie\\?['"]?\s*[:,]\s*\\?['"]?)([^\s'"=;,\\]+=[^'"\r\n\\]+)"#,
            |found| Some(format!("{}{REDACTED}", &found[1])),
        ),
        rule(&["@"], r#"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#\s@'"<>\\]+)@"#, |found| {
            (&found[2] != REDACTED).then(|| format!("{}{REDACTED}@", &found[1]))
        }),
        rule(
            &["password", "passwd", "pwd=", "secret=", "token=", "api_key", "api-key", "apikey"],
            r#"(?i)\b(password|passwd|pwd|client_secret|access_token|refresh_token|id_token|auth_token|api[_-]?key)=("?)([^\s&"';,)]+)"#,
            |found| (&found[3] != REDACTED).then(|| format!("{}={}{REDACTED}", &found[1], &found[2])),
        ),
        rule(&["secret=", "token="], r#"(?i)([?&](?:secret|token)=)([^\s&"';,)]+)"#, |found| {
            (&found[2] != REDACTED).then(|| format!("{}{REDACTED}", &found[1]))
        }),
        rule(
            &[
                "password",
                "passwd",
                "client_secret",
                "clientsecret",
                "access_token",
                "accesstoken",
                "refresh_token",
                "refreshtoken",
                "id_token",
                "idtoken",
                "api_key",
                "apikey",
            ],
            r#"(?i)(\\?"(?:password|passwd|client_?secret|access_?token|refresh_?token|id_?token|api_?key)\\?"\s*:\s*\\?")([^"\\]+)"#,
            |found| (&found[2] != REDACTED).then(|| format!("{}{REDACTED}", &found[1])),
        ),
    ]
});

/// Words, one of which stands in every document that [`redact_value`] changes: those of the rules for texts, and parts of
/// the names by which it knows a field, a header, a variable, or a Secret.
static HINTS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let of_names = [
        "\"secret",
        "_secret\"",
        "secret_key",
        "secretkey",
        "clientsecret",
        "tokensecret",
        "_token\"",
        "accesstoken",
        "refreshtoken",
        "idtoken",
        "bearertoken",
        "passw",
        "private_key",
        "privatekey",
        "access_key",
        "credentials\"",
        "authorization",
        "cookie",
        "last-applied",
    ];
    let words = RULES.iter().flat_map(|rule| rule.words).copied().chain(of_names);
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).expect("a few short words make a small automaton")
});

/// The words of all rules, and to which rule each belongs.
static WORDS: LazyLock<(AhoCorasick, Vec<usize>)> = LazyLock::new(|| {
    let words: Vec<(usize, &str)> =
        RULES.iter().enumerate().flat_map(|(rule, found)| found.words.iter().map(move |word| (rule, *word))).collect();
    let search = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(words.iter().map(|(_, word)| word))
        .expect("a few short words make a small automaton");
    (search, words.into_iter().map(|(rule, _)| rule).collect())
});

/// The same as [`redact_text`], and how many secrets there were.
pub fn redact_counted(text: &str) -> (Cow<'_, str>, u64) {
    let (search, rules_of_words) = &*WORDS;
    let mut wanted = vec![false; RULES.len()];
    for found in search.find_overlapping_iter(text) {
        wanted[rules_of_words[found.pattern().as_usize()]] = true;
    }
    let (mut text, mut count) = (Cow::Borrowed(text), 0);
    for (rule, _) in RULES.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
        let mut here = 0;
        let replaced = rule.pattern.replace_all(&text, |found: &Captures<'_>| match (rule.replace)(found) {
            Some(replacement) => {
                here += 1;
                replacement
            }
            None => found[0].to_owned(),
        });
        if here > 0 {
            text = Cow::Owned(replaced.into_owned());
            count += here;
        }
    }
    (text, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(redact_text(text), expected);
        assert_eq!(redact_text(expected), expected, "what is redacted stays as it is");
    }

    #[test]
    fn secrets_in_text_are_replaced() {
        check(
            "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- b",
            "a -----BEGIN RSA PRIVATE KEY-----REDACTED-----END RSA PRIVATE KEY----- b",
        );
        check("token eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl is expired", "token REDACTED is expired");
        check("Authorization: Bearer 0123456789abcdef", "Authorization: Bearer REDACTED");
        check("'authorization', 'abc'\n':path', '/'", "'authorization', 'REDACTED'\n':path', '/'");
        check("'cookie', 'session=1; other=2'", "'cookie', 'REDACTED'");
        check("Set-Cookie: id=1; Path=/\nx: y", "Set-Cookie: REDACTED\nx: y");
        check("dial https://bob:hunter2@db.example:5432/x", "dial https://REDACTED@db.example:5432/x");
        check("GET /login?password=hunter2&x=1 token", "GET /login?password=REDACTED&x=1 token");
        check("GET /a?token=abc HTTP/1.1", "GET /a?token=REDACTED HTTP/1.1");
        check(r#"{"password":"hunter2","user":"bob"}"#, r#"{"password":"REDACTED","user":"bob"}"#);
    }

    #[test]
    fn a_key_in_base64_is_replaced_and_a_certificate_is_not() {
        let key =
            BASE64.encode("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n");
        assert_eq!(redact_text(&format!("tls.key: {key}")), format!("tls.key: {REDACTED_BASE64}"));
        let certificate =
            BASE64.encode("-----BEGIN CERTIFICATE-----\nMIIDazCCAlOgAwIBAgIUQjX0\n-----END CERTIFICATE-----\n");
        assert!(matches!(redact_text(&certificate), Cow::Borrowed(_)));
    }

    #[test]
    fn ordinary_text_is_not_touched() {
        for text in [
            "info authorization policy shop/cart applied",
            "error bearer authentication failed",
            "spiffe://cluster.local/ns/shop/sa/cart",
            "FLAG: --tokenAudiences=\"istio-ca\"",
            "secret=istio-ca-secret watched",
            "cookie: none",
            "mail to someone@example.com",
            "basic-auth is off",
        ] {
            assert!(matches!(redact_text(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn secrets_in_documents_are_replaced_and_counted() {
        let certificate = "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n";
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
            "data": {"tls.crt": BASE64.encode(certificate), "tls.key": "c2VjcmV0", "password": "aHVudGVyMg=="},
            "stringData": {"x": "y"},
        });
        assert_eq!(redact_value(&mut secret), 3);
        assert_eq!(secret["data"]["tls.crt"], BASE64.encode(certificate));
        assert_eq!(secret["data"]["tls.key"], REDACTED_BASE64);
        assert_eq!(secret["stringData"]["x"], REDACTED);
        let mut others = json!({
            "annotation": {LAST_APPLIED: "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"data\":{\"k\":\"djE=\"}}"},
            "env": [{"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "PATH", "value": "/bin"}],
            "headers": {"Authorization": "Basic abc"},
            "tls": {"private_key": {"inline_bytes": "a2V5"}, "certificate_chain": {"inline_bytes": "Y2VydA=="}},
            "envoy": {"private_key": {"inline_bytes": "W3JlZGFjdGVkXQ=="}},
        });
        assert_eq!(redact_value(&mut others), 4);
        assert!(!others.to_string().contains("hunter2") && !others.to_string().contains("djE="), "{others}");
        assert_eq!(others["env"][1]["value"], "/bin");
        assert_eq!(others["tls"]["certificate_chain"]["inline_bytes"], "Y2VydA==");
        assert_eq!(redact_value(&mut others), 0, "what is redacted stays as it is");
    }

    #[test]
    fn a_document_with_a_secret_is_never_taken_for_one_without() {
        let mut documents = vec![
            json!({"kind": "Secret", "apiVersion": "v1", "data": {"a": "Yg=="}}),
            json!({"kind": "SecretList", "items": [{"data": {"a": "Yg=="}}]}),
            json!({"a": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl"}),
            json!({"a": BASE64.encode("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n")}),
            json!({"a": "https://bob:hunter2@db.example"}),
            json!({LAST_APPLIED: "{\"env\":[{\"name\":\"A_TOKEN\",\"value\":\"b\"}]}"}),
        ];
        let sources = ["private_key", "privateKey", "password", "secret", "token_secret", "tokenSecret", "hmac_secret"];
        documents.extend(sources.map(|name| json!({name: {"inline_string": "a"}})));
        documents.extend(SECRET_FIELDS.iter().chain(&SECRET_HEADERS).map(|name| json!({*name: "a"})));
        documents.extend(SECRET_HEADERS.iter().map(|name| json!({"header": name, "value": "a"})));
        documents.extend(SECRET_VARIABLES.iter().map(|ending| json!({"name": format!("A{ending}"), "value": "a"})));
        for document in documents {
            let mut redacted = document.clone();
            assert!(redact_value(&mut redacted) > 0, "{document}");
            assert_eq!(redact_json(&document.to_string()), Some(redacted), "{document}");
        }
        assert_eq!(redact_json(r#"{"pass\u0077ord":"hunter2"}"#), Some(json!({"password": REDACTED})));
        let deep = format!("{}\"password\"{}", "[".repeat(200), "]".repeat(200));
        assert!(redact_json(&deep).is_some_and(|left| left.get("omitted").is_some()));
        assert_eq!(redact_json(r#"{"proxy":"cart-1.shop","type":"envoy.transport_sockets.tls.v3.Secret"}"#), None);
        let plain = r#"{"type":"envoy.transport_sockets.tls.v3.Secret","token_count":1}"#;
        assert!(!HINTS.is_match(plain), "names of types are no secrets");
    }

    #[test]
    fn a_secret_list_is_replaced_without_kinds_of_its_items() {
        let mut list = json!({"kind": "SecretList", "apiVersion": "v1", "items": [{"data": {"a": "Yg=="}}]});
        assert_eq!(redact_value(&mut list), 1);
    }
}
