//! Archives made by hand, good and hostile.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use tar::{EntryType, Header};

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn entry(kind: EntryType, path: &str, link: Option<&str>, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(kind, path, link, content.len() as u64);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// The header alone, whatever size it claims.
pub(crate) fn header(kind: EntryType, path: &str, link: Option<&str>, size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    // Written by hand, because the library refuses such names.
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    if let Some(link) = link {
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    }
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Something small that opens.
pub(crate) fn good() -> Vec<u8> {
    let pods = br#"{"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [{"metadata": {"name": "a", "namespace": "b"}}]}"#;
    entry(EntryType::Regular, "cluster/resources/api/v1/pods.json", None, pods)
}
