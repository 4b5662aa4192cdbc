//! Regular expressions in [RE2's syntax](https://github.com/google/re2/wiki/Syntax), as Go's parser checks them.
//!
//! Only the syntax is read, from left to right and once; nothing is compiled, so no expression is costly. Our own
//! regex engine would not do: it refuses `/{id}` and takes look-alikes such as `[a&&b]` that RE2 reads otherwise.

use super::Check;
use super::text::quoted;

const MAX_LENGTH: usize = 1024;
const MAX_REPEAT: u64 = 1000;

/// An expression of a rule, for the field `place`.
pub(in super::super) fn check(expression: &str, place: &str) -> Check {
    if expression.len() > MAX_LENGTH {
        return Err(format!("{}: regex is too large, max length allowed is {MAX_LENGTH}", quoted(place)));
    }
    syntax(expression).map_err(|error| {
        format!(
            "{}: {error}; Istio uses RE2 style regex-based match (https://github.com/google/re2/wiki/Syntax)",
            quoted(place)
        )
    })
}

/// Whether Go can parse the expression; the error is Go's.
pub(in super::super) fn syntax(expression: &str) -> Check {
    let mut parser = Parser { text: expression, at: 0, groups: vec![Group::default()], names: Vec::new() };
    parser.run().map_err(|(code, part)| format!("error parsing regexp: {code}: `{part}`"))
}

type Wrong<'a> = (&'static str, &'a str);

const MISSING_ARGUMENT: &str = "missing argument to repetition operator";
const BAD_REPEAT: &str = "invalid repeat count";
const BAD_ESCAPE: &str = "invalid escape sequence";
const BAD_RANGE: &str = "invalid character class range";
const BAD_PERL: &str = "invalid or unsupported Perl syntax";
const BAD_NAME: &str = "invalid named capture";

/// An open group: what the repetitions inside multiply to, at most, and of its last part.
#[derive(Default)]
struct Group {
    most: u64,
    /// `None` where there is nothing to repeat.
    last: Option<u64>,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    groups: Vec<Group>,
    names: Vec<&'a str>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn since(&self, from: usize) -> &'a str {
        &self.text[from..self.at]
    }

    /// A part that a repetition may follow.
    fn part(&mut self, repeats: u64) {
        let group = self.groups.last_mut().expect("the outermost group is never closed");
        group.most = group.most.max(repeats);
        group.last = Some(repeats);
    }

    fn run(&mut self) -> Result<(), Wrong<'a>> {
        let mut repeated_at = None;
        while let Some(next) = self.rest().chars().next() {
            let start = self.at;
            let mut repeat = None;
            match next {
                '(' => self.open()?,
                ')' => {
                    let closed = self.groups.pop().filter(|_| !self.groups.is_empty());
                    let Some(closed) = closed else { return Err(("unexpected )", self.text)) };
                    self.at += 1;
                    self.part(closed.most);
                }
                '|' => {
                    self.at += 1;
                    self.groups.last_mut().expect("the outermost group is never closed").last = None;
                }
                '[' => {
                    self.class()?;
                    self.part(0);
                }
                '\\' => {
                    self.escape()?;
                    self.part(0);
                }
                '*' | '+' | '?' => {
                    self.at += 1;
                    repeat = Some(1);
                }
                '{' => {
                    if let Some((count, valid)) = self.counts() {
                        if !valid {
                            return Err((BAD_REPEAT, self.since(start)));
                        }
                        repeat = Some(count);
                    } else {
                        self.at += 1;
                        self.part(0);
                    }
                }
                _ => {
                    self.at += next.len_utf8();
                    self.part(0);
                }
            }
            repeated_at = match repeat {
                None => None,
                Some(count) => {
                    self.repeat(start, count, next == '{', repeated_at)?;
                    Some(repeated_at.unwrap_or(start))
                }
            };
        }
        if self.groups.len() > 1 {
            return Err(("missing closing )", self.text));
        }
        Ok(())
    }

    fn repeat(&mut self, start: usize, count: u64, counted: bool, before: Option<usize>) -> Result<(), Wrong<'a>> {
        if self.rest().starts_with('?') {
            self.at += 1;
        }
        if let Some(before) = before {
            return Err(("invalid nested repetition operator", self.since(before)));
        }
        let group = self.groups.last_mut().expect("the outermost group is never closed");
        let Some(inner) = group.last else { return Err((MISSING_ARGUMENT, &self.text[start..self.at])) };
        // `(a{100}){100}` would mean ten thousand copies.
        let total = if counted && count > 0 { count * inner.max(1) } else { inner };
        if counted && count >= 2 && total > MAX_REPEAT {
            return Err((BAD_REPEAT, self.since(start)));
        }
        self.part(total);
        Ok(())
    }

    /// `{n}`, `{n,}` or `{n,m}`: the count and whether it is allowed. Anything else is a plain brace.
    fn counts(&mut self) -> Option<(u64, bool)> {
        let inner = &self.rest()[1..];
        let (inner, _) = inner.split_once('}')?;
        let (least, most) = match inner.split_once(',') {
            None => (whole(inner)?, Some(whole(inner)?)),
            Some((least, "")) => (whole(least)?, None),
            Some((least, most)) => (whole(least)?, Some(whole(most)?)),
        };
        self.at += inner.len() + 2;
        let valid = least <= MAX_REPEAT && most.is_none_or(|most| most <= MAX_REPEAT && least <= most);
        Some((most.unwrap_or(least), valid))
    }

    fn open(&mut self) -> Result<(), Wrong<'a>> {
        let rest = self.rest();
        if !rest.starts_with("(?") {
            self.at += 1;
            self.groups.push(Group::default());
            return Ok(());
        }
        let prefix = ["(?P<", "(?<"].into_iter().find(|prefix| rest.starts_with(prefix));
        if let Some(prefix) = prefix {
            let Some(end) = rest.find('>') else { return Err((BAD_NAME, rest)) };
            let name = &rest[prefix.len()..end];
            let valid = !name.is_empty() && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
            if !valid || self.names.contains(&name) {
                return Err((BAD_NAME, if valid { name } else { &rest[..=end] }));
            }
            self.names.push(name);
            self.at += end + 1;
            self.groups.push(Group::default());
            return Ok(());
        }
        self.flags()
    }

    /// `(?i)`, `(?i-s:`; other Perl groups, such as look-ahead, do not exist in RE2.
    fn flags(&mut self) -> Result<(), Wrong<'a>> {
        let start = self.at;
        self.at += 2;
        let (mut negative, mut flag) = (false, false);
        while let Some(next) = self.rest().chars().next() {
            self.at += next.len_utf8();
            match next {
                'i' | 'm' | 's' | 'U' => flag = true,
                '-' if !negative => (negative, flag) = (true, false),
                ':' | ')' if !negative || flag => {
                    if next == ':' {
                        self.groups.push(Group::default());
                    }
                    return Ok(());
                }
                _ => return Err((BAD_PERL, self.since(start))),
            }
        }
        Err(("missing closing )", self.text))
    }

    /// An escape outside of a class.
    fn escape(&mut self) -> Result<(), Wrong<'a>> {
        let rest = self.rest();
        match rest.as_bytes().get(1) {
            Some(b'A' | b'b' | b'B' | b'z') => self.at += 2,
            Some(b'C') => return Err((BAD_ESCAPE, &rest[..2])),
            Some(b'Q') => self.at += rest.find("\\E").map_or(rest.len(), |end| end + 2),
            _ if self.class_escape()? => {}
            _ => {
                self.character_escape()?;
            }
        }
        Ok(())
    }

    /// `\d`, `\pL`, `\p{Greek}` and the like.
    fn class_escape(&mut self) -> Result<bool, Wrong<'a>> {
        let rest = self.rest();
        match rest.as_bytes().get(1) {
            Some(b'd' | b'D' | b's' | b'S' | b'w' | b'W') => {
                self.at += 2;
                Ok(true)
            }
            Some(b'p' | b'P') => {
                let (name, length) = if let Some(inner) = rest[2..].strip_prefix('{') {
                    let Some(end) = inner.find('}') else { return Err((BAD_RANGE, rest)) };
                    (&inner[..end], end + 4)
                } else {
                    let length = rest[2..].chars().next().map_or(0, char::len_utf8);
                    (&rest[2..2 + length], 2 + length)
                };
                if !is_unicode_class(name) {
                    return Err((BAD_RANGE, &rest[..length]));
                }
                self.at += length;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// An escape that stands for one character.
    fn character_escape(&mut self) -> Result<u32, Wrong<'a>> {
        let start = self.at;
        self.at += 1;
        let Some(next) = self.rest().chars().next() else {
            return Err(("trailing backslash at end of expression", ""));
        };
        self.at += next.len_utf8();
        let octal = |text: &str| text.bytes().take_while(|byte| (b'0'..=b'7').contains(byte)).count().min(2);
        match next {
            // One digit alone would be a back-reference.
            '1'..='7' if octal(self.rest()) == 0 => {}
            '0'..='7' => {
                self.at += octal(self.rest());
                return Ok(u32::from_str_radix(&self.text[start + 1..self.at], 8).unwrap_or_default());
            }
            'x' => {
                if let Some(value) = self.hexadecimal() {
                    return Ok(value);
                }
            }
            'a' => return Ok(7),
            'f' => return Ok(12),
            'n' => return Ok(10),
            'r' => return Ok(13),
            't' => return Ok(9),
            'v' => return Ok(11),
            _ if next.is_ascii() && !next.is_ascii_alphanumeric() => return Ok(u32::from(next)),
            _ => {}
        }
        Err((BAD_ESCAPE, self.since(start)))
    }

    /// `\x7F` or `\x{10FFFF}`.
    fn hexadecimal(&mut self) -> Option<u32> {
        let rest = self.rest();
        let (digits, length) = match rest.strip_prefix('{') {
            Some(inner) => (&inner[..inner.find('}')?], inner.find('}')? + 2),
            None => (rest.get(..2)?, 2),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(digits, 16).ok().filter(|value| *value <= 0x10_ffff)?;
        self.at += length;
        Some(value)
    }

    fn class(&mut self) -> Result<(), Wrong<'a>> {
        let start = self.at;
        self.at += 1;
        if self.rest().starts_with('^') {
            self.at += 1;
        }
        let mut first = true;
        while first || !self.rest().starts_with(']') {
            first = false;
            if let Some(inner) = self.rest().strip_prefix("[:")
                && let Some(end) = inner.find(":]")
            {
                let named = &self.rest()[..end + 4];
                if !is_named_class(&inner[..end]) {
                    return Err((BAD_RANGE, named));
                }
                self.at += named.len();
                continue;
            }
            if self.rest().starts_with('\\') && self.class_escape()? {
                continue;
            }
            let range = self.at;
            let low = self.class_character(start)?;
            if self.rest().len() >= 2 && self.rest().starts_with('-') && !self.rest().starts_with("-]") {
                self.at += 1;
                if self.class_character(start)? < low {
                    return Err((BAD_RANGE, self.since(range)));
                }
            }
        }
        self.at += 1;
        Ok(())
    }

    fn class_character(&mut self, class: usize) -> Result<u32, Wrong<'a>> {
        match self.rest().chars().next() {
            None => Err(("missing closing ]", &self.text[class..])),
            Some('\\') => self.character_escape(),
            Some(next) => {
                self.at += next.len_utf8();
                Ok(u32::from(next))
            }
        }
    }
}

/// A count without a leading zero; one that is too large for us is too large for RE2.
fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX).min(MAX_REPEAT + 1))
}

fn is_named_class(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
        "word", "xdigit",
    ];
    NAMES.contains(&name.strip_prefix('^').unwrap_or(name))
}

/// A general category or script, spelled as Unicode does. Our regex engine knows the same tables.
fn is_unicode_class(name: &str) -> bool {
    let name = name.strip_prefix('^').unwrap_or(name);
    let spelled = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && (name.len() > 2 || name.bytes().skip(1).all(|byte| byte.is_ascii_lowercase()));
    spelled && (name == "Any" || regex::Regex::new(&format!("^\\p{{{name}}}$")).is_ok())
}

#[cfg(test)]
mod tests {
    use super::syntax;

    fn wrong(expression: &str, expected: &str) {
        assert_eq!(syntax(expression), Err(format!("error parsing regexp: {expected}")), "{expression}");
    }

    #[test]
    fn what_go_accepts() {
        for expression in [
            "",
            "/{id}/a{,2}",
            "a|b||c",
            "(?i)abc(?P<name>x)(?<other>y)",
            r"\Qa+b",
            r"[]a]",
            r"[^]a-z\d[:alpha:]]",
            r"\pL\p{Greek}\x{10FFFF}\012\_",
            "^*",
            "a{2}?b*?c+",
            r"\*",
            "[a-]",
            "()",
        ] {
            assert_eq!(syntax(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn what_go_refuses() {
        wrong("*", "missing argument to repetition operator: `*`");
        wrong("a|*", "missing argument to repetition operator: `*`");
        wrong("(", "missing closing ): `(`");
        wrong("a)", "unexpected ): `a)`");
        wrong("[a", "missing closing ]: `[a`");
        wrong("[z-a]", "invalid character class range: `z-a`");
        wrong("a**", "invalid nested repetition operator: `**`");
        wrong("a{1001}", "invalid repeat count: `{1001}`");
        wrong("(a{100}){100}", "invalid repeat count: `{100}`");
        wrong("(?=a)", "invalid or unsupported Perl syntax: `(?=`");
        wrong(r"\8", r"invalid escape sequence: `\8`");
        wrong(r"(a)\1", r"invalid escape sequence: `\1`");
        wrong("(?P<n>a)(?P<n>b)", "invalid named capture: `n`");
        wrong("a\\", "trailing backslash at end of expression: ``");
        wrong(r"\p{Klingon}", r"invalid character class range: `\p{Klingon}`");
    }
}
