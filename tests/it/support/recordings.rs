//! The recordings of `tests/recordings`, unpacked once below the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use flate2::read::GzDecoder;
use sha2::{Digest as _, Sha256};

static HEALTHY: OnceLock<PathBuf> = OnceLock::new();
static BROKEN: OnceLock<PathBuf> = OnceLock::new();
static UPSTREAM: OnceLock<PathBuf> = OnceLock::new();

/// A path in a recording, such as `broken/cluster/version.json`, or a whole one.
pub(crate) fn recording_path(path: &str) -> PathBuf {
    let (name, inside) = path.split_once('/').unwrap_or((path, ""));
    let folder = match name {
        "healthy" => &HEALTHY,
        "broken" => &BROKEN,
        "upstream" => &UPSTREAM,
        _ => panic!("there is no recording {name}"),
    };
    let folder = folder.get_or_init(|| unpacked(name));
    if inside.is_empty() { folder.clone() } else { folder.join(inside) }
}

/// The folder has the archive's hash in its name, so that another archive is another folder. `tests/lab.sh` makes the same.
fn unpacked(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let archive = fs::read(root.join(format!("tests/recordings/{name}.tar.gz"))).unwrap();
    let hash = Sha256::digest(&archive).iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let hash = format!("{hash:012x}");
    let recordings = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("recordings");
    let folder = recordings.join(format!("{name}-{hash}"));
    if !folder.exists() {
        fs::create_dir_all(&recordings).unwrap();
        let temporary = tempfile::tempdir_in(&recordings).unwrap();
        // Below a folder of its own: a temporary one is closed to others.
        let content = temporary.path().join(name);
        tar::Archive::new(GzDecoder::new(archive.as_slice())).unpack(&content).unwrap();
        // Another process may have been quicker, with the same content.
        let renamed = fs::rename(&content, &folder);
        assert!(folder.exists(), "cannot unpack {name}: {renamed:?}");
    }
    folder
}
