//! URLs, secrets and headers of callbacks as they are kept: sealed with a key that the database does not hold, since a URL
//! alone may start a job.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

/// Shorter keys could be guessed.
pub const SHORTEST_KEY: usize = 32;

/// Seals and opens.
pub struct Seal(LessSafeKey);

impl Seal {
    /// The key is any text of 32 bytes or more, such as of `openssl rand -base64 32`.
    pub fn new(key: &[u8]) -> Option<Self> {
        let key = key.trim_ascii();
        if key.len() < SHORTEST_KEY {
            return None;
        }
        let key = UnboundKey::new(&AES_256_GCM, &Sha256::digest(key)).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    /// `owner` is what the text belongs to: it cannot be opened for anything else.
    pub fn seal(&self, owner: &str, text: &str) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = text.as_bytes().to_vec();
        let aad = Aad::from(owner.as_bytes());
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
        Some(BASE64.encode([nonce.as_slice(), &sealed].concat()))
    }

    pub fn open(&self, owner: &str, sealed: &str) -> Option<String> {
        let bytes = BASE64.decode(sealed).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let text = self.0.open_in_place(nonce, Aad::from(owner.as_bytes()), &mut sealed).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn sealed_text_opens_with_its_key_and_for_its_owner_only() {
        let seal = Seal::new(&[7; 32]).unwrap();
        let sealed = seal.seal("one", "https://example.com/secret").unwrap();
        assert!(!sealed.contains("example") && sealed != seal.seal("one", "https://example.com/secret").unwrap());
        assert_eq!(seal.open("one", &sealed).unwrap(), "https://example.com/secret");
        assert_eq!(seal.open("two", &sealed), None);
        assert_eq!(Seal::new(&[8; 32]).unwrap().open("one", &sealed), None);
        assert_eq!(seal.open("one", "AAAA"), None);
        assert!(Seal::new(b"short").is_none());
    }
}
