//! The bug report: which pods are meant, what is collected, and the run around it.

mod cases;
mod failing;
mod layout;
mod lost;
mod report;

use std::collections::BTreeMap;
use std::path::Path;

/// The files of an archive.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    unpacked(std::fs::File::open(path).unwrap())
}

pub(crate) fn unpacked(archive: impl std::io::Read) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let read = |entry: std::io::Result<tar::Entry<'_, _>>| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    };
    archive.entries().unwrap().map(read).collect()
}
