use serde_json::json;

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
fn a_document_is_read_whatever_it_looks_like() {
    assert_eq!(redact_json(r#"{"pass\u0077ord":"hunter2"}"#).unwrap(), r#"{"pass\u0077ord":"REDACTED"}"#);
    assert_eq!(redact_json(r#"{"proxy":"cart-1.shop","type":"envoy.transport_sockets.tls.v3.Secret"}"#), None);
    let deep = |text: &str| format!("{}\"{text}\"{}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(redact_json(&deep("password=hunter2")).unwrap(), deep("password=REDACTED"));
    for broken in ["{", "\"", "{\"password\":", "]]]]", "{\"a\\", "\"\\"] {
        redact_json(broken);
    }
}

#[test]
fn what_stands_beside_a_secret_stays() {
    let json = r#"{"headers":[{"key":"x-api-key","value":"s3cr3t"},{"key":"x-other","value":"v"}],"n":1.50}"#;
    let redacted = r#"{"headers":[{"key":"x-api-key","value":"REDACTED"},{"key":"x-other","value":"v"}],"n":1.50}"#;
    assert_eq!(redact_json(json).unwrap(), redacted);
    assert_eq!(redact_text(json), redacted);
    assert_eq!(redact_text(&format!("log: {json}")), format!("log: {redacted}"));
    let escaped = |text: &str| serde_json::to_string(text).unwrap();
    assert_eq!(redact_text(&escaped(json)), escaped(redacted));
    assert_eq!(redact_text(&escaped(&escaped(json))), escaped(&escaped(redacted)));
}

#[test]
fn secrets_with_quotes_are_replaced_as_a_whole() {
    assert_eq!(redact_text(r#"{"password":"a\"b\\","x":"y"}"#), r#"{"password":"REDACTED","x":"y"}"#);
    assert_eq!(redact_text(r#"DB_PASSWORD="a\"b" next"#), r#"DB_PASSWORD="REDACTED" next"#);
}

#[test]
fn yaml_of_a_secret_in_a_text_is_replaced() {
    check(
        "apiVersion: v1\ndata:\n  a: aHVudGVyMg==\n  b: |\n    eA==\n    eQ==\nkind: Secret\nmetadata:\n  name: x\n",
        "apiVersion: v1\ndata:\n  a: UkVEQUNURUQ=\n  b: |\n    REDACTED\nkind: Secret\nmetadata:\n  name: x\n",
    );
    check(
        "items:\n- kind: ConfigMap\n  data:\n    a: b\n- data:\n    a: Yg==\n  kind: Secret\n",
        "items:\n- kind: ConfigMap\n  data:\n    a: b\n- data:\n    a: UkVEQUNURUQ=\n  kind: Secret\n",
    );
    check(
        "env:\n- name: db_password\n  value: hunter2\n- name: LEVEL\n  value: info\n",
        "env:\n- name: db_password\n  value: REDACTED\n- name: LEVEL\n  value: info\n",
    );
    check("password: |\n  hunter2\n  hunter3\nuser: bob\n", "password: |\n  REDACTED\nuser: bob\n");
}

#[test]
fn lists_of_objects_are_no_lists_of_secrets() {
    let dump = json!({"dynamic_warming_secrets": [{"name": "kubernetes://pay-tls", "version_info": "uninitialized"}]});
    assert_eq!(redact_json(&dump.to_string()), None);
    let keys = json!({"apiKeys": ["s3cr3t"], "names": ["a"]});
    assert_eq!(redact_json(&keys.to_string()).unwrap(), r#"{"apiKeys":["REDACTED"],"names":["a"]}"#);
}

#[test]
fn arguments_after_a_flag_are_replaced() {
    let arguments = r#"{"args":["serve","--password","a b","--level","info","--token=abc","-x"]}"#;
    let expected = r#"{"args":["serve","--password","REDACTED","--level","info","--token=REDACTED","-x"]}"#;
    assert_eq!(redact_json(arguments).unwrap(), expected);
}

#[test]
fn certificates_of_a_secret_stay_without_what_stands_around_them() {
    let certificate = "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n";
    let both = BASE64.encode(format!("subject=shop\n{certificate}password: hunter2\n"));
    let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"ca.crt": both}});
    assert_eq!(redact_value(&mut secret), 1);
    assert_eq!(secret["data"]["ca.crt"], BASE64.encode(certificate));
    assert_eq!(redact_value(&mut secret), 0);
}

#[test]
fn a_secret_list_is_replaced_without_kinds_of_its_items() {
    let mut list = json!({"kind": "SecretList", "apiVersion": "v1", "items": [{"data": {"a": "Yg=="}}]});
    assert_eq!(redact_value(&mut list), 1);
}
