//! Secrets as texts have them. In each, `@` stands for the part that must not come out; it is filled with something of its
//! own.

use meshtriage::redact::{Lines, redact_page, redact_text};
use serde_json::json;

/// What stands around a secret.
pub(super) const TEXTS: [&str; 60] = [
    "password=@",
    "DB_PASSWORD=@",
    "db_password=@",
    "export PGPASSWORD='@'",
    "MYSQL_PWD=@",
    "token=@",
    "VAULT_TOKEN=@",
    "AWS_SECRET_ACCESS_KEY=@",
    "aws_session_token = @",
    "client_secret=@",
    "AZURE_CLIENT_SECRET=@",
    "api_key=@",
    "STRIPE_API_KEY=\"@\"",
    "redis.password: @",
    "spring.datasource.password=@",
    "password: @",
    "password: \"@\"",
    "  - password: '@'",
    "passphrase: @",
    "x-api-key: @",
    "X-Auth-Token: @",
    "Ocp-Apim-Subscription-Key: @",
    "Authorization: Bearer @",
    "authorization: Basic @",
    "Proxy-Authorization: Negotiate @",
    "Cookie: session=@; theme=dark",
    "Set-Cookie: sid=@; Path=/; HttpOnly",
    "curl -H 'X-Api-Key: @' https://api.example.com",
    "mysqldump --password @ shop",
    "app --api-token=@ --verbose",
    "https://bob:@@db.example.com/shop",
    "redis://:@@cache.example.com:6379/0",
    "postgres://app:@@db:5432/shop?sslmode=require",
    "amqp://user:@@mq/vhost",
    "shop:@@tcp(db:3306)/shop",
    "GET /login?access_token=@&x=1 HTTP/1.1",
    "GET /v1?api_key=@ HTTP/1.1",
    "GET /blob?sv=2024-01-01&sig=@ HTTP/1.1",
    "GET /s3?X-Amz-Signature=@&X-Amz-Expires=60 HTTP/1.1",
    "GET /cb?code=@&state=x HTTP/1.1",
    "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=@==;EndpointSuffix=core.windows.net",
    "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey=@=",
    "Server=db;User Id=app;Password=@;Encrypt=true",
    "{\"password\":\"@\",\"user\":\"bob\"}",
    "{\"key\": \"x-api-key\", \"value\": \"@\"}",
    "{\"name\":\"DB_PASSWORD\",\"value\":\"@\"}",
    "{\"value\":\"@\",\"name\":\"DB_PASSWORD\"}",
    "{\"client_secret\": \"@\"}",
    "{\"accessToken\": \"@\", \"expires_in\": 3600}",
    "msg={\\\"password\\\":\\\"@\\\",\\\"user\\\":\\\"bob\\\"}",
    "{\"password\":\"a\\\"@\",\"x\":1}",
    "'authorization', '@'",
    "'x-api-key', '@'",
    "{'password': '@'}",
    "token ghp_@",
    "xoxb-@",
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.@",
    "key -----BEGIN PRIVATE KEY-----\n@\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\\n@\\n-----END RSA PRIVATE KEY-----\\n",
    "-----BEGIN OPENSSH PRIVATE KEY-----\n@",
];

/// Something that no other text has: letters and digits, as secrets are.
pub(super) fn secret(number: usize) -> String {
    format!("hUnt3r{number:02}Zq8Xw5Lm2Rt7Yp4Kv9Bn6")
}

/// The text with its secret.
pub(super) fn text(number: usize) -> String {
    // `@@` is a secret and the sign after it.
    let template = TEXTS[number];
    match template.split_once("@@") {
        Some((before, after)) => format!("{before}{}@{after}", secret(number)),
        None => template.replacen('@', &secret(number), 1),
    }
}

#[test]
fn none_stays_in_a_text() {
    let mut left = Vec::new();
    for number in 0..TEXTS.len() {
        let text = text(number);
        assert!(text.contains(&secret(number)), "{text}");
        let all = |prefix: &str| text.lines().map(|line| format!("{prefix}{line}\n")).collect::<String>();
        let forms = [
            text.clone(),
            all("2026-11-25T10:00:00.000000Z info "),
            serde_json::to_string(&text).unwrap(),
            json!({"level": "info", "msg": text}).to_string(),
            json!({"lines": text.lines().collect::<Vec<_>>()}).to_string(),
        ];
        for form in forms {
            let redacted = redact_page(&form);
            if redacted.contains(&secret(number)) {
                left.push(format!("{form:?} -> {redacted:?}"));
            }
            assert_eq!(redact_page(&redacted), redacted, "what is redacted stays as it is");
        }
        let mut lines = Lines::default();
        for line in text.lines() {
            let line = lines.redact(line).0;
            if line.contains(&secret(number)) {
                left.push(format!("line by line {text:?} -> {line:?}"));
            }
        }
    }
    assert!(left.is_empty(), "{} stay:\n{}", left.len(), left.join("\n"));
}

#[test]
fn what_stands_around_it_stays() {
    for (text, expected) in [
        (
            "AccountName=shop;AccountKey=abc12345==;EndpointSuffix=x",
            "AccountName=shop;AccountKey=REDACTED;EndpointSuffix=x",
        ),
        ("GET /a?b=1&access_token=abc&c=2 HTTP/1.1", "GET /a?b=1&access_token=REDACTED&c=2 HTTP/1.1"),
        ("password: hunter2\nuser: bob\n", "password: REDACTED\nuser: bob\n"),
        ("'x-api-key', 'abc'\n':path', '/'", "'x-api-key', 'REDACTED'\n':path', '/'"),
        ("user=bob password=hunter2 host=db", "user=bob password=REDACTED host=db"),
    ] {
        assert_eq!(redact_text(text), expected);
    }
}
