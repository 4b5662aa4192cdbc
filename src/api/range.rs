//! Which part of a file a request asks for ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#name-range-requests)).

use http::{HeaderMap, HeaderName, header};

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// From the first offset up to and without the second.
    Of(u64, u64),
    /// Nothing of the file is in the range.
    None,
}

/// What `Range` asks for. What cannot be understood, and several ranges at once, are the whole file, as is a range of
/// another version of it (`If-Range`).
pub(super) fn part(headers: &HeaderMap, tag: &str, size: u64) -> Part {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(range) = text(header::RANGE) else { return Part::Whole };
    if headers.contains_key(header::IF_RANGE) && text(header::IF_RANGE) != Some(tag) {
        return Part::Whole;
    }
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), _) if first >= size && (last.is_empty() || number(last).is_some_and(|last| last >= first)) => {
            Part::None
        }
        (Some(first), Some(last)) if first <= last => Part::Of(first, last.saturating_add(1).min(size)),
        (Some(first), None) if last.is_empty() => Part::Of(first, size),
        (None, Some(0)) if first.is_empty() => Part::None,
        (None, Some(_)) if first.is_empty() && size == 0 => Part::None,
        (None, Some(last)) if first.is_empty() => Part::Of(size.saturating_sub(last), size),
        _ => Part::Whole,
    }
}

fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // One that is too large for a number is as good as the largest.
    Some(text.parse().unwrap_or(u64::MAX))
}

/// Whether a list of tags, such as that of `If-None-Match`, has this one. A weak tag is as good.
pub(super) fn has_tag(headers: &HeaderMap, name: HeaderName, tag: &str) -> bool {
    let lists = headers.get_all(name);
    let mut tags = lists.iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(','));
    tags.any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"abc\"";

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let check = |range: &'static str, expected: Part| {
            assert_eq!(part(&headers(&[(header::RANGE, range)]), TAG, 100), expected, "{range}");
        };
        check("bytes=0-9", Part::Of(0, 10));
        check("bytes=90-", Part::Of(90, 100));
        check("bytes=-10", Part::Of(90, 100));
        check("bytes=-1000", Part::Of(0, 100));
        check("bytes=50-1000", Part::Of(50, 100));
        check("bytes=99-99999999999999999999999", Part::Of(99, 100));
        check("bytes=100-", Part::None);
        check("bytes=100-200", Part::None);
        check("bytes=-0", Part::None);
        for whole in
            ["bytes=9-0", "bytes=200-100", "bytes=0-1,5-6", "bytes=a-b", "bytes=-", "lines=1-2", "", "bytes=+1-2"]
        {
            check(whole, Part::Whole);
        }
        assert_eq!(part(&headers(&[(header::RANGE, "bytes=-5")]), TAG, 0), Part::None);
    }

    #[test]
    fn a_range_of_another_version_is_the_whole() {
        let of = |if_range: &'static str| {
            part(&headers(&[(header::RANGE, "bytes=0-9"), (header::IF_RANGE, if_range)]), TAG, 100)
        };
        assert_eq!(of("\"abc\""), Part::Of(0, 10));
        assert_eq!(of("\"old\""), Part::Whole);
        assert_eq!(of("W/\"abc\""), Part::Whole, "a weak tag promises no equal bytes");
    }

    #[test]
    fn tags_are_found_in_lists() {
        let has = |list: &'static str| has_tag(&headers(&[(header::IF_NONE_MATCH, list)]), header::IF_NONE_MATCH, TAG);
        assert!(has("\"abc\"") && has("\"x\", W/\"abc\"") && has("*"));
        assert!(!has("\"x\"") && !has(""));
    }
}
