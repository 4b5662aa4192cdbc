//! Secrets in JSON, which is rewritten as text: a tree of a large answer takes several times its memory. It is read twice.
//! The first time notes of each object what its fields tell of the others; the second time replaces.

use std::{borrow::Cow, sync::LazyLock};

use aho_corasick::AhoCorasick;
use base64::Engine as _;

use super::{
    BASE64, BY_ENVOY, LAST_APPLIED, REDACTED, REDACTED_BASE64, certificates_in, is_certificate, lines::Lines, names,
    text,
};

/// What is known of the whole document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Any,
    /// A Secret, even where it does not say so, as in a list.
    Secret,
}

/// Documents in strings in documents, and so on; deeper ones are searched as text.
const EMBEDDED: usize = 4;

/// JSON without its secrets, and how many there were; `None` when it has none.
pub(super) fn redact(json: &str, root: Root) -> Option<(String, u64)> {
    redact_within(json, root, EMBEDDED)
}

fn redact_within(json: &str, root: Root, embedded: usize) -> Option<(String, u64)> {
    // A letter that is written as its number could hide a word.
    if root == Root::Any && !json.contains("\\u") && !HINTS.is_match(json) {
        return None;
    }
    let objects = survey(json);
    let mut rewriting = Rewriting { json, done: 0, out: String::new(), count: 0, lines: Lines::default(), embedded };
    rewriting.walk(&objects, root);
    (rewriting.count > 0).then(|| {
        rewriting.out.push_str(&json[rewriting.done..]);
        (rewriting.out, rewriting.count)
    })
}

/// Words, one of which stands in every document with a secret.
static HINTS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let words = text::words().chain(names::HINTS).chain(["last-applied", "inline", "\"kty\""]);
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).expect("a few short words make a small automaton")
});

/// What the fields of an object tell of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Facts {
    /// Its `kind` is Secret, and its `apiVersion` `v1`.
    kind: u8,
    version: bool,
    /// Its `name`, `key` or `header` is that of a secret.
    names_a_secret: bool,
    /// A JSON Web Key.
    is_web_key: bool,
}

const SECRET: u8 = 1;
const SECRET_LIST: u8 = 2;

impl Facts {
    fn note(&mut self, key: &str, value: &str) {
        match key {
            "kind" if value == "Secret" => self.kind = SECRET,
            "kind" if value == "SecretList" => self.kind = SECRET_LIST,
            "apiVersion" if value == "v1" => self.version = true,
            "name" | "key" | "header" | "headerName" | "header_name" if names::is_secret(value) => {
                self.names_a_secret = true;
            }
            "kty" => self.is_web_key = true,
            _ => {}
        }
    }
}

/// A token of JSON.
enum Token {
    Open(u8),
    Close,
    /// With its quotes, and whether it is the name of a field.
    Text {
        start: usize,
        end: usize,
        is_key: bool,
    },
    /// A number, `true`, `false`, or `null`.
    Word {
        start: usize,
        end: usize,
    },
}

struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            let start = self.at;
            self.at += 1;
            match byte {
                b'{' | b'[' => return Some(Token::Open(byte)),
                b'}' | b']' => return Some(Token::Close),
                b'"' => {
                    while let Some(byte) = self.bytes.get(self.at) {
                        self.at += if *byte == b'\\' { 2 } else { 1 };
                        if *byte == b'"' {
                            break;
                        }
                    }
                    let end = self.at.min(self.bytes.len());
                    let after = self.bytes[end..].iter().find(|byte| !byte.is_ascii_whitespace());
                    return Some(Token::Text { start, end, is_key: after == Some(&b':') });
                }
                b',' | b':' => {}
                byte if byte.is_ascii_whitespace() => {}
                _ => {
                    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                    let length = self.bytes[self.at..].iter().take_while(|byte| is_inside(byte)).count();
                    self.at += length;
                    return Some(Token::Word { start, end: self.at });
                }
            }
        }
    }
}

fn tokens(json: &str) -> Tokens<'_> {
    Tokens { bytes: json.as_bytes(), at: 0 }
}

/// The text of a string with its quotes.
fn unquoted(quoted: &str) -> Cow<'_, str> {
    let plain = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if !plain.contains('\\') {
        return Cow::Borrowed(plain);
    }
    serde_json::from_str(quoted).map_or(Cow::Borrowed(plain), Cow::Owned)
}

/// Facts of all objects, in the order in which they begin.
fn survey(json: &str) -> Vec<Facts> {
    let mut objects: Vec<Facts> = Vec::new();
    // Of each list or object that is open: which object it is, and the field that is being read.
    let mut open: Vec<(Option<usize>, Option<(usize, usize)>)> = Vec::new();
    for token in tokens(json) {
        match token {
            Token::Open(b'{') => {
                open.push((Some(objects.len()), None));
                objects.push(Facts::default());
            }
            Token::Open(_) => open.push((None, None)),
            Token::Close => drop(open.pop()),
            Token::Text { start, end, is_key: true } => {
                if let Some((Some(_), field)) = open.last_mut() {
                    *field = Some((start, end));
                }
            }
            Token::Text { start, end, .. } => {
                if let Some((Some(object), Some(field))) = open.last()
                    // Longer ones tell nothing.
                    && field.1 - field.0 < 16 && end - start < 256
                {
                    objects[*object].note(&unquoted(&json[field.0..field.1]), &unquoted(&json[start..end]));
                }
            }
            Token::Word { .. } => {}
        }
    }
    objects
}

/// What stands in a list or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Plain,
    /// The data of a Secret, as base64 or plain.
    Data {
        base64: bool,
    },
    /// Items that are Secrets.
    Secrets,
    /// Envoy's `DataSource` of a key or a password; a file name in it is no secret.
    /// <https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/common.proto>
    Source,
    /// How a header must look.
    Match,
    /// Values of a header or of a variable.
    Values,
}

struct Level {
    facts: Option<Facts>,
    inside: Inside,
    /// Of the field that is being read; in a list, the flag that was read last, if its value is a secret.
    key: String,
}

impl Level {
    /// `--password`, which the next of a list of arguments belongs to.
    fn note_flag(&mut self, argument: &str) {
        let flag = argument.strip_prefix('-').map(|flag| flag.trim_start_matches('-'));
        self.key = flag.filter(|flag| names::is_secret(flag)).unwrap_or_default().to_owned();
    }
}

struct Rewriting<'a> {
    json: &'a str,
    /// Up to here it is written.
    done: usize,
    out: String,
    count: u64,
    /// A key in several lines may be several strings.
    lines: Lines,
    embedded: usize,
}

impl Rewriting<'_> {
    fn walk(&mut self, objects: &[Facts], root: Root) {
        let mut objects = objects.iter();
        let mut open: Vec<Level> = Vec::new();
        for token in tokens(self.json) {
            match token {
                Token::Open(byte) => {
                    let inside = open.last().map_or(Inside::Plain, |level| within(level, byte == b'['));
                    let facts = (byte == b'{').then(|| {
                        let mut facts = objects.next().copied().unwrap_or_default();
                        let is_item = open.last().is_some_and(|level| level.inside == Inside::Secrets);
                        if is_item || root == Root::Secret && open.is_empty() {
                            (facts.kind, facts.version) = (SECRET, true);
                        }
                        facts
                    });
                    // What holds for a list of texts does not hold for one of objects, which say themselves what they are.
                    let is_item = open.last().is_some_and(|level| level.facts.is_none());
                    let is_object =
                        facts.is_some() && (is_item && inside == Inside::Values || inside == Inside::Secrets);
                    let inside = if is_object { Inside::Plain } else { inside };
                    open.push(Level { facts, inside, key: String::new() });
                }
                Token::Close => drop(open.pop()),
                Token::Text { start, end, is_key: true } => {
                    if let Some(level) = open.last_mut() {
                        level.key.clear();
                        level.key.push_str(&unquoted(&self.json[start..end]));
                    }
                }
                Token::Text { start, end, .. } => {
                    self.text(open.last(), start, end);
                    if let Some(level) = open.last_mut().filter(|level| level.facts.is_none()) {
                        level.note_flag(&unquoted(&self.json[start..end]));
                    }
                }
                Token::Word { start, end } => {
                    let is_number = self.json.as_bytes()[start].is_ascii_digit();
                    let named = open.last().is_some_and(|level| {
                        level.facts.is_some() && names::is_secret(&level.key) && !names::is_word_of_prose(&level.key)
                    });
                    if is_number && named && self.json[start..end].len() > 3 {
                        self.replace(start, end, &format!("\"{REDACTED}\""), 1);
                    }
                }
            }
        }
    }

    fn replace(&mut self, start: usize, end: usize, with: &str, count: u64) {
        self.out.push_str(&self.json[self.done..start]);
        self.out.push_str(with);
        self.done = end;
        self.count += count;
    }

    fn text(&mut self, level: Option<&Level>, start: usize, end: usize) {
        let value = unquoted(&self.json[start..end]);
        let found = match level.map(replacement) {
            Some(Replacement::Whole(_)) if names::is_no_secret(&value) => None,
            Some(Replacement::Whole(with)) => Some((Cow::Borrowed(with), 1)),
            Some(Replacement::Data(with)) => {
                let keep = value.is_empty() || *value == *with || is_certificate(&value);
                let with = || certificates_in(&value).map_or(Cow::Borrowed(with), Cow::Owned);
                (!keep).then(|| (with(), 1))
            }
            Some(Replacement::UserAndPassword) => is_user_and_password(&value).then_some((Cow::Borrowed(REDACTED), 1)),
            Some(Replacement::Search) | None => self.search(&value),
        };
        if let Some((with, count)) = found {
            let quoted = serde_json::to_string(&*with).expect("a text is JSON");
            self.replace(start, end, &quoted, count);
        }
    }

    /// Searches a string, which may be a document itself, as `kubectl apply` leaves one in an annotation.
    fn search<'t>(&mut self, value: &'t str) -> Option<(Cow<'t, str>, u64)> {
        let is_open = self.lines.is_open();
        if value.len() < 4 || !is_open && !HINTS.is_match(value) {
            return None;
        }
        if self.embedded > 0
            && value.trim_start().starts_with(['{', '['])
            && serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok()
        {
            let (redacted, count) = redact_within(value, Root::Any, self.embedded - 1)?;
            return Some((Cow::Owned(redacted), count));
        }
        let (redacted, count) = self.lines.redact(value);
        (count > 0).then_some((redacted, count))
    }
}

/// What stands in the value of the field that is being read.
fn within(level: &Level, is_list: bool) -> Inside {
    let Some(facts) = level.facts else {
        // In a list: its objects are what it is a list of.
        return level.inside;
    };
    let key = level.key.as_str();
    match key {
        "data" if facts.kind == SECRET && facts.version => Inside::Data { base64: true },
        "stringData" if facts.kind == SECRET && facts.version => Inside::Data { base64: false },
        "items" if is_list && facts.kind == SECRET_LIST => Inside::Secrets,
        "private_key" | "privateKey" | "password" | "secret" | "token_secret" | "tokenSecret" | "hmac_secret"
        | "hmacSecret" | "client_secret" | "clientSecret"
            if !is_list =>
        {
            Inside::Source
        }
        "string_match" | "stringMatch" | "safe_regex_match" if facts.names_a_secret => Inside::Match,
        "values" | "value" if facts.names_a_secret => Inside::Values,
        _ if names::is_header_of_credentials(key) || names::is_cookie(key) => {
            if is_list {
                Inside::Values
            } else {
                Inside::Match
            }
        }
        _ if is_list && key != "secret" && (names::is_secret(key) || names::is_secret(key.trim_end_matches('s'))) => {
            Inside::Values
        }
        _ => Inside::Plain,
    }
}

enum Replacement {
    /// If it is a secret at all.
    Whole(&'static str),
    /// Of a Secret, but for certificates.
    Data(&'static str),
    /// If it is `user:password` in base64.
    UserAndPassword,
    /// The secrets in it.
    Search,
}

/// What to do with a string in an object or in a list.
fn replacement(level: &Level) -> Replacement {
    let key = level.key.as_str();
    match level.inside {
        Inside::Data { base64: true } => return Replacement::Data(REDACTED_BASE64),
        Inside::Data { base64: false } => return Replacement::Data(REDACTED),
        Inside::Source => match key {
            "inline_bytes" | "inlineBytes" => return Replacement::Whole(REDACTED_BASE64),
            "inline_string" | "inlineString" => return Replacement::Whole(REDACTED),
            _ => {}
        },
        Inside::Match if matches!(key, "exact" | "prefix" | "suffix" | "contains") => {
            return Replacement::Whole(REDACTED);
        }
        Inside::Values => return Replacement::Whole(REDACTED),
        Inside::Match | Inside::Plain | Inside::Secrets => {}
    }
    let Some(facts) = level.facts else {
        return if key.is_empty() { Replacement::Search } else { Replacement::Whole(REDACTED) };
    };
    match key {
        "value" if facts.names_a_secret => Replacement::Whole(REDACTED),
        "raw_value" | "rawValue" if facts.names_a_secret => Replacement::Whole(REDACTED_BASE64),
        "exact_match" | "exactMatch" | "prefix_match" if facts.names_a_secret => Replacement::Whole(REDACTED),
        "d" | "p" | "q" | "dp" | "dq" | "qi" | "k" if facts.is_web_key => Replacement::Whole(REDACTED),
        "auth" => Replacement::UserAndPassword,
        LAST_APPLIED => Replacement::Search,
        _ if names::is_secret(key) => Replacement::Whole(REDACTED),
        _ => Replacement::Search,
    }
}

fn is_user_and_password(value: &str) -> bool {
    let decoded = BASE64.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.is_some_and(|decoded| decoded.contains(':')) && !BY_ENVOY.contains(&value)
}
