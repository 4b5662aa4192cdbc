//! Secrets in texts: by their own form, and by the names before them.

use std::{borrow::Cow, sync::LazyLock};

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use regex::{Captures, Regex};

use super::{BASE64, REDACTED, REDACTED_BASE64, names, quoted, yaml};

/// How a kind of secret is found, and the words without which there is none.
struct Rule {
    words: &'static [&'static str],
    apply: Apply,
}

/// What stands in the place of a match, if anything.
type Replace = fn(&Captures<'_>) -> Option<String>;

enum Apply {
    /// What stands in the place of each match, if anything.
    Pattern(Regex, Replace),
    /// The text without its secrets, and how many there were.
    Function(fn(&str) -> Option<(String, u64)>),
}

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let pattern = |words, pattern, replace| Rule {
        words,
        apply: Apply::Pattern(Regex::new(pattern).expect("the pattern is a constant, and tested"), replace),
    };
    let function = |words, function| Rule { words, apply: Apply::Function(function) };
    vec![
        function(&["PRIVATE KEY"], pem),
        // A PEM block in base64, as in a Secret; certificates stay.
        pattern(&["LS0tLS1CRUdJTi"], r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{32,}={0,2}", |found| {
            let encoded = &found[0].trim_end_matches('=');
            let whole = &encoded[..encoded.len() / 4 * 4];
            let decoded = BASE64.decode(whole).unwrap_or_default();
            let is_key = decoded.windows(11).any(|window| window == b"PRIVATE KEY");
            is_key.then(|| REDACTED_BASE64.to_owned())
        }),
        // A JSON Web Token: three parts of base64, the first a JSON object.
        pattern(&["eyJ"], r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,3}", |_| {
            Some(REDACTED.to_owned())
        }),
        pattern(
            &["bearer", "basic", "negotiate"],
            r"(?i)\b(bearer|basic|negotiate)((?:\s|%20|\+)+)([A-Za-z0-9._~+/-]{8,}=*)",
            |found| {
                // Prose goes on in letters; a token has digits or is longer than a word.
                let token = &found[3];
                let is_token = token.len() >= 32 || token.bytes().any(|byte| byte.is_ascii_digit());
                (is_token && token != REDACTED).then(|| format!("{}{}{REDACTED}", &found[1], &found[2]))
            },
        ),
        // Tokens that begin with the name of who gave them.
        pattern(
            &[
                "ghp_",
                "gho_",
                "ghu_",
                "ghs_",
                "ghr_",
                "github_pat_",
                "glpat-",
                "xoxb-",
                "xoxp-",
                "xoxa-",
                "AIza",
                "sk_live_",
                "AKIA",
                "ASIA",
                "npm_",
                "SG.",
                "dop_v1_",
                "hvs.",
            ],
            r"\b(?:gh[opusr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abp]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,}|sk_live_[A-Za-z0-9]{16,}|A[KS]IA[A-Z0-9]{16}\b|npm_[A-Za-z0-9]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|dop_v1_[a-f0-9]{32,}|hvs\.[A-Za-z0-9_-]{20,})",
            |_| Some(REDACTED.to_owned()),
        ),
        pattern(&["@"], r#"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#\s@'"<>\\]+)@"#, |found| {
            (&found[2] != REDACTED).then(|| format!("{}{REDACTED}@", &found[1]))
        }),
        // A data source of Go's drivers.
        pattern(&["@tcp(", "@unix("], r#"\b([A-Za-z0-9_.-]+):([^\s:@/"']+)@(tcp|unix)\("#, |found| {
            (&found[2] != REDACTED).then(|| format!("{}:{REDACTED}@{}(", &found[1], &found[3]))
        }),
        function(&["\"", "'"], quoted::redact),
        pattern(
            &["cookie"],
            r#"(?i)(\b(?:set-)?cookie\\?['"]?\s*[:,]\s*\\?['"]?)([^\s'"=;,\\]+=[^'"\r\n\\]+)"#,
            |found| Some(format!("{}{REDACTED}", &found[1])),
        ),
        pattern(
            &["sig=", "signature=", "code=", "key=", "secret=", "jwt=", "session=", "sessionid=", "auth="],
            r#"(?i)([?&;](?:sig|signature|x-amz-signature|x-goog-signature|code|key|secret|jwt|session|sessionid|auth)=)([^\s&"';,)]+)"#,
            |found| {
                let is_long = found[2].len() >= 8 || found[1].to_ascii_lowercase().contains("secret");
                (is_long && &found[2] != REDACTED).then(|| format!("{}{REDACTED}", &found[1]))
            },
        ),
        // `NAME=value`, `name = "value"`.
        pattern(
            &["="],
            r#"([A-Za-z0-9_.-]{2,128})(\s?=\s?)(\\?"(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s&"';,)}\]<>|\\]+)"#,
            |found| {
                let (name, value) = (&found[1], found[3].trim_matches(['"', '\'', '\\']));
                let counts = is_assigned(name.trim_start_matches('-'), value);
                let quote = found[3].chars().next().filter(|quote| matches!(quote, '"' | '\''));
                let quote = quote.map(String::from).unwrap_or_default();
                counts.then(|| format!("{name}{}{quote}{REDACTED}{quote}", &found[2]))
            },
        ),
        // `--password value`.
        pattern(&["--"], r#"(--[A-Za-z0-9-]{4,64})(\s+|[\\"',\s]{3,8})([^\s"'\\-][^\s"'\\]*)"#, |found| {
            let is_secret = names::is_secret(&found[1][2..]) && !names::is_no_secret(&found[3]);
            (is_secret && looks_made_up(&found[3])).then(|| format!("{}{}{REDACTED}", &found[1], &found[2]))
        }),
        // A header in the middle of a line.
        pattern(&[":"], r#"\b([A-Za-z0-9_.-]{4,64})(: ?\\?["']?)([^\s"',;{}\[\]\\]+)"#, |found| {
            let (name, value) = (&found[1], &found[3]);
            let is_secret = names::is_secret(name) && !names::is_word_of_prose(name) && !names::is_no_secret(value);
            (is_secret && looks_made_up(value)).then(|| format!("{name}{}{REDACTED}", &found[2]))
        }),
        function(&[":"], yaml::redact),
    ]
});

/// The words of rules that find a secret by its own form, whatever stands before it.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    RULES.iter().flat_map(|rule| rule.words).copied().filter(|word| word.len() > 2 || *word == "@")
}

fn is_assigned(name: &str, value: &str) -> bool {
    if !names::is_secret(name) || names::is_no_secret(value) {
        return false;
    }
    match name.to_ascii_lowercase().as_str() {
        // `secret=istio-ca-secret` names one.
        "secret" | "pass" => looks_made_up(value) && !is_object_name(value),
        // The folder of a shell.
        "pwd" => !value.starts_with('/'),
        "cookie" | "authorization" => looks_made_up(value),
        _ => true,
    }
}

/// As the names of Kubernetes' objects are.
pub(super) fn is_object_name(value: &str) -> bool {
    value.contains('-') && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Prose goes on in a word of letters; what was made up has digits, or is longer than a word.
pub(super) fn looks_made_up(value: &str) -> bool {
    value.len() >= 20 || value.len() >= 4 && value.bytes().any(|byte| byte.is_ascii_digit())
}

/// Keys in PEM. One that was cut off at the end is a secret as well.
fn pem(text: &str) -> Option<(String, u64)> {
    /// With what stands before each line in a log.
    const LONGEST: usize = 16 << 10;
    static BEGIN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"-----BEGIN ([A-Z0-9 ]{0,20})PRIVATE KEY( BLOCK)?-----").expect("the pattern is a constant")
    });
    static END: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"-----END [A-Z0-9 ]{0,20}PRIVATE KEY(?: BLOCK)?-----").expect("the pattern is a constant")
    });
    let (mut out, mut done, mut count) = (String::new(), 0, 0);
    while let Some(begin) = BEGIN.captures_at(text, done) {
        let head = begin.get(0).expect("a match is whole");
        let mut limit = (head.end() + LONGEST).min(text.len());
        while !text.is_char_boundary(limit) {
            limit -= 1;
        }
        let rest = &text[head.end()..limit];
        // Another one begins where this one was cut off.
        let rest = BEGIN.find(rest).map_or(rest, |next| &rest[..next.start()]);
        let (content, end) = match END.find(rest) {
            Some(end) => (&rest[..end.start()], head.end() + end.end()),
            None => (rest, head.end() + rest.len()),
        };
        out.push_str(&text[done..head.start()]);
        let (kind, block) = (&begin[1], begin.get(2).map_or("", |block| block.as_str()));
        out.push_str(&format!(
            "-----BEGIN {kind}PRIVATE KEY{block}-----{REDACTED}-----END {kind}PRIVATE KEY{block}-----"
        ));
        count += u64::from(content != REDACTED);
        done = end;
    }
    out.push_str(&text[done..]);
    (count > 0).then_some((out, count))
}

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

/// Parts of names. Rules that go by the name before a value need one.
static NAMES: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(names::HINTS)
        .expect("a few short words make a small automaton")
});

/// Whether a rule goes by the name that stands before a value.
fn goes_by_name(rule: &Rule) -> bool {
    rule.words.iter().all(|word| word.len() <= 2 && *word != "@")
}

/// The text with its matches replaced, and how many were. What is left as it is may begin another match inside of it, as in
/// `message: password: hunter2`.
fn replaced(text: &str, pattern: &Regex, replace: Replace) -> Option<(String, u64)> {
    let (mut out, mut done, mut at, mut count) = (String::new(), 0, 0, 0);
    while let Some(found) = pattern.captures_at(text, at) {
        let whole = found.get(0).expect("a match is whole");
        match replace(&found) {
            Some(replacement) if replacement != whole.as_str() => {
                out.push_str(&text[done..whole.start()]);
                out.push_str(&replacement);
                (done, at, count) = (whole.end(), whole.end(), count + 1);
            }
            _ => {
                let name = found.get(1).map_or(whole.end(), |name| name.end());
                at = name.max(whole.start() + 1).min(whole.end());
            }
        }
        while !text.is_char_boundary(at) {
            at += 1;
        }
        if at >= text.len() {
            break;
        }
    }
    out.push_str(&text[done..]);
    (count > 0).then_some((out, count))
}

/// The text without its secrets; borrowed when it has none.
pub fn redact_text(text: &str) -> Cow<'_, str> {
    redact_counted(text).0
}

/// The same, and how many secrets there were.
pub fn redact_counted(text: &str) -> (Cow<'_, str>, u64) {
    let (search, rules_of_words) = &*WORDS;
    let mut wanted = vec![false; RULES.len()];
    for found in search.find_overlapping_iter(text) {
        wanted[rules_of_words[found.pattern().as_usize()]] = true;
    }
    let has_names = NAMES.is_match(text);
    let (mut text, mut count) = (Cow::Borrowed(text), 0);
    for (rule, wanted) in RULES.iter().zip(wanted) {
        if !wanted || goes_by_name(rule) && !has_names {
            continue;
        }
        match &rule.apply {
            Apply::Function(redact) => {
                if let Some((redacted, here)) = redact(&text) {
                    text = Cow::Owned(redacted);
                    count += here;
                }
            }
            Apply::Pattern(pattern, replace) => {
                if let Some((redacted, here)) = replaced(&text, pattern, *replace) {
                    text = Cow::Owned(redacted);
                    count += here;
                }
            }
        }
    }
    (text, count)
}
