//! Answers as they are kept: packed, since JSON of a mesh shrinks to a tenth.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

use super::rows::storable;

/// More than any answer that is kept.
const MOST_BYTES: u64 = 64 << 20;

pub(super) fn pack(text: &str) -> Vec<u8> {
    let mut packed = DeflateEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
    packed.write_all(storable(text).as_bytes()).expect("a vector takes all");
    packed.finish().expect("a vector takes all")
}

pub(super) fn unpack(packed: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    DeflateDecoder::new(packed).take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn answer_survives() {
        for text in ["", "{}", "wörld 🌍", &"{\"a\": 1}".repeat(10_000)] {
            assert_eq!(unpack(&pack(text)).unwrap(), text);
        }
        assert_eq!(unpack(&pack("a\0b")).unwrap(), "a\u{fffd}b");
        assert!(unpack(b"\xff\xff nonsense").is_err());
    }
}
