//! Percent-encoded pastes: links of portals and callbacks carry a message in their query.

/// The text decoded, where enough of it is encoded to say that it is; bytes that are no text are left out.
pub(super) fn decode(text: &str) -> Option<String> {
    /// A message of five words has this many blanks.
    const LEAST: usize = 4;
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut encoded = 0;
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.extend(u8::try_from(high * 16 + low));
                encoded += 1;
                at += 3;
            }
            (byte, _, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    // A query writes `+` for a blank, and then encodes the plus sign and the blanks of nothing else.
    let pluses = bytes.iter().filter(|byte| **byte == b'+').count();
    let form = pluses >= LEAST && !text.contains(' ') && !text.contains("%20");
    if encoded < LEAST && !form {
        return None;
    }
    if form {
        decoded.iter_mut().filter(|byte| **byte == b'+').for_each(|byte| *byte = b' ');
    }
    Some(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_decoded_and_other_texts_left() {
        let link = "https://x/?m=Missing%20service%20mesh%20mode%3A%20";
        assert_eq!(decode(link).as_deref(), Some("https://x/?m=Missing service mesh mode: "));
        let form = "m=Missing+service+mesh+mode+here%21";
        assert_eq!(decode(form).as_deref(), Some("m=Missing service mesh mode here!"));
        for other in ["100% of a mesh", "a+b", "", "%", "%2", "use %s and %d", "%zz%zz%zz%zz%zz"] {
            assert_eq!(decode(other), None, "{other}");
        }
    }
}
