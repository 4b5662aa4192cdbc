//! API keys for bots that cannot hold a Kubernetes token. A file, mounted from a Secret, lists the hash of each key and
//! the Kubernetes user and groups that it stands for.

use std::{
    fmt::Write as _,
    sync::{Arc, PoisonError, RwLock},
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Caller, Rights};

/// The group of everybody who is known.
const AUTHENTICATED: &str = "system:authenticated";

/// Why the file of keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("the keys file is not the YAML that is expected: {0}")]
    Malformed(String),
    #[error("the keys file lists no key")]
    Empty,
    #[error("key {name:?}: {why}")]
    Bad { name: String, why: &'static str },
}

/// The keys that are let in. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<RwLock<Vec<Key>>>);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keys: Vec<Key>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    name: String,
    /// SHA-256 of the key, 64 hexadecimal digits. Keys are random and long, so a slow hash would add nothing.
    sha256: String,
    /// Kubernetes user whose permissions the key has.
    user: String,
    #[serde(default)]
    groups: Vec<String>,
}

impl Keys {
    /// Reads `keys: [{name, sha256, user, groups}]`.
    pub fn parse(text: &str) -> Result<Self, KeysError> {
        Ok(Self(Arc::new(RwLock::new(read(text)?))))
    }

    /// Reads the file anew, since keys are made and taken back. Says whether there are other ones now; while the file is
    /// of no use, those of before stay.
    pub fn reload(&self, text: &str) -> Result<bool, KeysError> {
        let keys = read(text)?;
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *known != keys;
        *known = keys;
        Ok(changed)
    }

    pub(super) fn find(&self, key: &str, rights: Rights) -> Option<Caller> {
        let mut hash = String::with_capacity(64);
        for byte in Sha256::digest(key.as_bytes()) {
            let _ = write!(hash, "{byte:02x}");
        }
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|known| known.sha256.eq_ignore_ascii_case(&hash))?;
        let mut groups = found.groups.clone();
        // As the API server does with everybody whom it knows.
        if !groups.iter().any(|group| group == AUTHENTICATED) {
            groups.push(AUTHENTICATED.to_owned());
        }
        Some(Caller {
            user: found.user.clone(),
            uid: None,
            groups,
            extra: vec![("meshtriage/key".to_owned(), vec![found.name.clone()])],
            rights,
        })
    }
}

fn read(text: &str) -> Result<Vec<Key>, KeysError> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| KeysError::Malformed(error.to_string()))?;
    if file.keys.is_empty() {
        return Err(KeysError::Empty);
    }
    for key in &file.keys {
        let bad = |why| KeysError::Bad { name: key.name.clone(), why };
        if key.sha256.len() != 64 || !key.sha256.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(bad("sha256 must be 64 hexadecimal digits"));
        }
        if key.user.is_empty() {
            return Err(bad("user must name a Kubernetes user"));
        }
    }
    Ok(file.keys)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    // The hash of "secret-key-one".
    const FILE: &str = "keys:\n- name: bot\n  sha256: 24d3a1eabf8d7bd41bd1e5a8ee5ef2c37d6dc3a3fbe3d4bb0c7fae4d2b6b1c00\n  user: system:serviceaccount:ops:bot\n";

    #[test]
    fn unknown_key_is_nobody() {
        assert_eq!(Keys::parse(FILE).unwrap().find("other", Rights::Reviewed), None);
    }

    #[test]
    fn key_is_its_user() {
        let hash = Sha256::digest(b"k").iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let file = format!("keys:\n- {{name: bot, sha256: {hash}, user: bot, groups: [ops]}}\n");
        let caller = Keys::parse(&file).unwrap().find("k", Rights::Reviewed).unwrap();
        assert_eq!(caller.user, "bot");
        assert_eq!(caller.groups, ["ops", "system:authenticated"]);
    }

    #[test]
    fn keys_of_a_file_that_has_changed_are_known_at_once() {
        let hash = |key: &str| Sha256::digest(key).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let file = |key: &str| format!("keys:\n- {{name: bot, sha256: {}, user: bot}}\n", hash(key));
        let keys = Keys::parse(&file("one")).unwrap();
        let shared = keys.clone();
        assert!(!keys.reload(&file("one")).unwrap());
        assert!(keys.reload(&file("two")).unwrap());
        assert!(shared.find("one", Rights::Reviewed).is_none() && shared.find("two", Rights::Reviewed).is_some());
        keys.reload("keys: []").unwrap_err();
        assert!(shared.find("two", Rights::Reviewed).is_some());
    }

    #[test]
    fn broken_files_say_what_is_wrong() {
        let error = |text: &str| Keys::parse(text).unwrap_err().to_string();
        assert_eq!(error("keys: []"), "the keys file lists no key");
        assert!(error("keys:\n- {name: a, sha256: zz, user: u}").contains("64 hexadecimal"));
        assert!(error("keys: 3").starts_with("the keys file is not the YAML"));
    }
}
