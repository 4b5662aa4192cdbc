//! Shell patterns, anchored at both ends: `*`, `?`, `[a-z]`, `[^a-z]`, and `\` for the next character itself, as Go's
//! [`path.Match`](https://pkg.go.dev/path#Match) has them. `*` and `?` do not match a `/`.

/// Whether the whole text matches the pattern. A pattern that is broken, such as `[a`, matches nothing.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut position) = (0, 0);
    // Where to try again: behind the last star, and one character further in the text each time. Going back to the last
    // star alone is enough, so that time does not grow with a power of the stars.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if at == pattern.len() && position == text.len() {
            return true;
        }
        if pattern.get(at) == Some(&'*') {
            retry = Some((at + 1, position));
            at += 1;
            continue;
        }
        let next = text.get(position).and_then(|character| one(&pattern[at..], *character));
        if let Some(length) = next {
            at += length;
            position += 1;
            continue;
        }
        match retry {
            Some((behind, start)) if text.get(start).is_some_and(|skipped| *skipped != '/') => {
                (at, position) = (behind, start + 1);
                retry = Some((behind, start + 1));
            }
            _ => return false,
        }
    }
}

/// Whether a name is a pattern.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '\\'])
}

/// How many characters of the pattern match this one of the text; `None` when they do not.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern.first()? {
        '?' => (character != '/').then_some(1),
        '[' => class(pattern, character),
        '\\' => (*pattern.get(1)? == character).then_some(2),
        plain => (*plain == character).then_some(1),
    }
}

fn class(pattern: &[char], character: char) -> Option<usize> {
    let negated = pattern.get(1) == Some(&'^');
    let mut at = if negated { 2 } else { 1 };
    let mut found = false;
    let first = at;
    loop {
        if pattern.get(at) == Some(&']') && at > first {
            break;
        }
        let low = bound(pattern, &mut at)?;
        let high = if pattern.get(at) == Some(&'-') {
            at += 1;
            bound(pattern, &mut at)?
        } else {
            low
        };
        found |= low <= character && character <= high;
    }
    (found != negated).then_some(at + 1)
}

/// One end of a range in a class.
fn bound(pattern: &[char], at: &mut usize) -> Option<char> {
    if pattern.get(*at) == Some(&'\\') {
        *at += 1;
    }
    let character = *pattern.get(*at)?;
    *at += 1;
    Some(character)
}
