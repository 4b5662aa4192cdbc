//! How a receiver can tell that a message is ours: [Standard Webhooks](https://www.standardwebhooks.com) and GitHub's
//! `X-Hub-Signature-256`, which Ansible's event source checks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

use crate::capture::hexadecimal;

/// Names and values of the headers. Without a secret there is only the message's id and time.
pub fn headers(secret: Option<&str>, id: &str, timestamp_s: i64, body: &[u8]) -> Vec<(&'static str, String)> {
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", timestamp_s.to_string())];
    let Some(secret) = secret else { return headers };
    // `whsec_` and base64 is how Standard Webhooks writes the bytes of a key.
    let encoded = secret.strip_prefix("whsec_").and_then(|encoded| BASE64.decode(encoded).ok());
    let key = encoded.unwrap_or_else(|| secret.as_bytes().to_vec());
    let signed = [format!("{id}.{timestamp_s}.").as_bytes(), body].concat();
    headers.push(("webhook-signature", format!("v1,{}", BASE64.encode(sign(&key, &signed)))));
    headers.push(("x-hub-signature-256", format!("sha256={}", hexadecimal(sign(secret.as_bytes(), body).as_ref()))));
    headers
}

fn sign(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the two specifications.
    #[test]
    fn signatures_are_those_of_the_specifications() {
        let body = br#"{"test": 2432232314}"#;
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let of = |headers: Vec<(&'static str, String)>, name: &str| {
            headers.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value).unwrap_or_default()
        };
        let signed = headers(Some(secret), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(of(signed, "webhook-signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let signed = headers(Some("It's a Secret to Everybody"), "a", 0, b"Hello, World!");
        assert_eq!(
            of(signed, "x-hub-signature-256"),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
        assert_eq!(headers(None, "a", 0, b"").len(), 2);
    }
}
