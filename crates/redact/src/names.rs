//! Names that tell that a value is a secret: of fields, headers, environment variables, parameters, keys of a file.

/// Ends of names, without their `-`, `_`, `.`, in lower case.
const ENDINGS: [&str; 31] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "dbpwd",
    "userpwd",
    "token",
    "apikey",
    "accesskey",
    "accountkey",
    "privatekey",
    "privatekeypem",
    "secretkey",
    "sharedkey",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "storagekey",
    "subscriptionkey",
    "functionskey",
    "connectionstring",
    "clientsecret",
    "hmacsecret",
    "tokensecret",
    "sharedsecret",
    "appsecret",
    "apisecret",
    "jwtsecret",
    "sessionsecret",
    "cookiesecret",
    "webhooksecret",
];

/// Names that are secrets as a whole. Others end like them, as `tlsSecret`, which names a Secret.
const WHOLE: [&str; 8] =
    ["authorization", "proxyauthorization", "cookie", "setcookie", "pass", "pwd", "secret", "accountsas"];

/// Names that end like a secret, and are none.
const HARMLESS: [&str; 6] = ["nexttoken", "pagetoken", "nextpagetoken", "continuetoken", "synctoken", "resumetoken"];

/// The usual endings of environment variables that hold one, besides.
const VARIABLES: [&str; 4] = ["_SECRET", "_CREDENTIALS", "_PWD", "_PASS"];

/// Longer names are none.
const LONGEST: usize = 128;

/// Words of which each such name has one, for a search that is ignorant of case.
pub(super) const HINTS: [&str; 14] = [
    "passw",
    "passphrase",
    "passcode",
    "pwd",
    "token",
    "key",
    "connection",
    "secret",
    "authorization",
    "cookie",
    "pass",
    "sas",
    "credentials",
    "auth",
];

/// Whether what stands under this name is a secret, whatever it looks like.
pub(super) fn is_secret(name: &str) -> bool {
    let Some(plain) = plain(name) else { return false };
    if HARMLESS.contains(&plain.as_str()) {
        return false;
    }
    WHOLE.contains(&plain.as_str()) || ENDINGS.iter().any(|ending| plain.ends_with(ending)) || of_variable(name)
}

/// Whether a text is likely to say something of it, and not to hold it: `password: hunter2` and `token: expired`.
pub(super) fn is_word_of_prose(name: &str) -> bool {
    plain(name).is_none_or(|plain| {
        !["password", "passwd", "passphrase", "pwd", "authorization"].iter().any(|ending| plain.ends_with(ending))
            && !name.contains(['_', '-', '.'])
    })
}

pub(super) fn is_header_of_credentials(name: &str) -> bool {
    plain(name)
        .is_some_and(|plain| ["authorization", "proxyauthorization", "xapikey", "xauthtoken"].contains(&plain.as_str()))
}

pub(super) fn is_cookie(name: &str) -> bool {
    name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie")
}

fn of_variable(name: &str) -> bool {
    name.len() <= LONGEST
        && VARIABLES.iter().any(|ending| {
            name.len() > ending.len()
                && name.is_char_boundary(name.len() - ending.len())
                && name[name.len() - ending.len()..].eq_ignore_ascii_case(ending)
        })
}

/// In lower case, without what stands between words.
fn plain(name: &str) -> Option<String> {
    if name.len() > LONGEST {
        return None;
    }
    let letters = name.chars().filter(|letter| !matches!(letter, '-' | '_' | '.' | ' '));
    Some(letters.map(|letter| letter.to_ascii_lowercase()).collect())
}

/// Whether a value only says where the secret is, or that there is none.
pub(super) fn is_no_secret(value: &str) -> bool {
    const WORDS: [&str; 22] = [
        "true",
        "false",
        "null",
        "none",
        "nil",
        "~",
        "|",
        "|-",
        ">",
        ">-",
        "expired",
        "invalid",
        "missing",
        "unset",
        "required",
        "disabled",
        "enabled",
        "empty",
        "omit",
        "include",
        "same-origin",
        "<nil>",
    ];
    const FOLDERS: [&str; 12] =
        ["/etc/", "/var/", "/run/", "/mnt/", "/tmp/", "/home/", "/opt/", "/usr/", "/secrets/", "./", "../", "/root/"];
    let value = value.trim();
    value.is_empty()
        || value.contains(super::REDACTED)
        || value.starts_with(super::REDACTED_BASE64)
        || super::BY_ENVOY.contains(&value)
        || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        || FOLDERS.iter().any(|folder| value.starts_with(folder))
        || is_reference(value)
}

/// `$(NAME)`, `${NAME}`, `{{ .name }}`, `%REQ(name)%`, `<token>`, `***`.
fn is_reference(value: &str) -> bool {
    let between = |start: &str, end: &str| value.starts_with(start) && value.ends_with(end) && value.len() > 3;
    let name = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-. ".contains(letter));
    // In a text, the bracket at its end may not count for the value.
    let variable = value.strip_prefix("$(").or_else(|| value.strip_prefix("${"));
    variable.is_some_and(|variable| name(variable.trim_end_matches([')', '}'])))
        || between("{{", "}}")
        || between("%", "%") && value.contains('(')
        || between("<", ">") && name(&value[1..value.len() - 1])
        || value.chars().all(|letter| letter == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_any_spelling() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "db-password",
            "X-Api-Key",
            "x-functions-key",
            "AccountKey",
            "token",
            "access_token",
            "accessToken",
            "AZURE_CLIENT_SECRET",
            "azure_client_secret",
            "clientSecret",
            "Authorization",
            "Set-Cookie",
            "SPRING_DATASOURCE_PASSWORD",
            "spring.datasource.password",
            "redis_pass",
            "private_key_pem",
        ] {
            assert!(is_secret(name), "{name}");
            let lower = name.to_ascii_lowercase();
            assert!(HINTS.iter().any(|hint| lower.contains(hint)), "{name} has no hint");
        }
        for name in [
            "secretName",
            "tlsSecret",
            "imagePullSecret",
            "tokenPath",
            "TOKEN_PATH",
            "tokens",
            "max_tokens",
            "key",
            "credentialName",
            "bypass",
            "compass",
            "nextPageToken",
            "tokenAudience",
            "keyPath",
            "httpCookie",
            "PWD_FILE",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
