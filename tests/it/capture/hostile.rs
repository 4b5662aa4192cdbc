//! Broken and hostile recordings are refused with a reason, and leave nothing behind.

use std::path::{Path, PathBuf};

use meshtriage::capture::{Capture, Error, Limits};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use crate::support::archives::{entry, good, gzip};

/// A folder for the archive, and one in which it would be unpacked.
struct Place {
    folder: TempDir,
    limits: Limits,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join("temporary");
        std::fs::create_dir(&temporary).unwrap();
        Self { folder, limits: Limits { temporary_folder: Some(temporary), ..Limits::default() } }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Why it is refused. Nothing of it may stay.
    fn refused(&self, path: &Path) -> Error {
        let error = Capture::open(path, &self.limits).err().unwrap_or_else(|| panic!("{} was opened", path.display()));
        let left = std::fs::read_dir(self.limits.temporary_folder.as_ref().unwrap()).unwrap().count();
        assert_eq!(left, 0, "something was left behind after: {error}");
        assert!(!error.to_string().is_empty());
        error
    }
}

#[test]
fn the_small_archive_of_these_tests_opens() {
    let place = Place::new();
    let path = place.file("good.tar.gz", &gzip(&good()));
    assert!(Capture::open(&path, &place.limits).is_ok());
    assert!(Capture::open(&place.file("good.tar", &good()), &place.limits).is_ok());
    let left = std::fs::read_dir(place.limits.temporary_folder.as_ref().unwrap()).unwrap().count();
    assert_eq!(left, 0, "what was unpacked goes with the capture");
}

#[test]
fn an_archive_that_was_cut_is_truncated() {
    let place = Place::new();
    let real = super::recorded("upstream/bug-report/istioctl-1.30.3.tar.gz");
    for length in [100, 5000, real.len() / 2, real.len() - 20, real.len() - 4] {
        let error = place.refused(&place.file("cut.tar.gz", &real[..length]));
        assert!(matches!(error, Error::Truncated { .. }), "{length}: {error}");
    }
    let plain = good();
    let error = place.refused(&place.file("cut.tar", &plain[..plain.len() - 100]));
    assert!(matches!(error, Error::Truncated { .. }), "{error}");
}

#[test]
fn paths_that_lead_out_are_refused() {
    let place = Place::new();
    for path in ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil", "C:\\evil", ".."] {
        let archive = [good(), entry(EntryType::Regular, path, None, b"evil")].concat();
        let error = place.refused(&place.file("out.tar.gz", &gzip(&archive)));
        assert!(matches!(&error, Error::UnsafePath { entry, .. } if entry == path), "{path}: {error}");
    }
    // The long name comes in an entry of its own.
    let mut name = b"../".repeat(100);
    name.push(0);
    let archive = [entry(EntryType::GNULongName, "././@LongLink", None, &name), good()].concat();
    let error = place.refused(&place.file("long.tar.gz", &gzip(&archive)));
    assert!(matches!(error, Error::UnsafePath { .. }), "{error}");
    let record = b"25 path=../../etc/passwd\n";
    let archive = [entry(EntryType::XHeader, "pax", None, record), good()].concat();
    let error = place.refused(&place.file("pax.tar.gz", &gzip(&archive)));
    assert!(matches!(error, Error::UnsafePath { .. }), "{error}");
}

#[test]
fn links_and_devices_are_refused() {
    let place = Place::new();
    for kind in
        [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo, EntryType::GNUSparse]
    {
        let archive = [good(), entry(kind, "cluster/link", Some("/etc/passwd"), b"")].concat();
        let error = place.refused(&place.file("link.tar.gz", &gzip(&archive)));
        assert!(matches!(&error, Error::UnsafePath { entry, .. } if entry == "cluster/link"), "{kind:?}: {error}");
    }
}

#[test]
fn bombs_are_too_large() {
    let mut place = Place::new();
    let zeros = vec![0; 80 << 20];
    let archive = [good(), entry(EntryType::Regular, "cluster/zeros", None, &zeros)].concat();
    let bomb = place.file("bomb.tar.gz", &gzip(&archive));
    let error = place.refused(&bomb);
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    place.limits.ratio = u64::MAX;
    place.limits.total_bytes = 1 << 20;
    assert!(matches!(place.refused(&bomb), Error::TooLarge { .. }));
    place.limits.total_bytes = 1 << 30;
    place.limits.file_bytes = 1 << 20;
    assert!(matches!(place.refused(&bomb), Error::TooLarge { what: "the size of one file", .. }));
    let many =
        (0..20).flat_map(|index| entry(EntryType::Regular, &format!("f{index}"), None, b"x")).collect::<Vec<_>>();
    place.limits = Limits { files: 10, ..place.limits };
    let error = place.refused(&place.file("many.tar.gz", &gzip(&many)));
    assert!(matches!(error, Error::TooLarge { what: "the number of files", .. }), "{error}");
    // A name that claims to be gigabytes long.
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(8 << 30);
    header.set_cksum();
    let error = place.refused(&place.file("name.tar", header.as_bytes()));
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn what_is_no_archive_is_said() {
    let place = Place::new();
    for (name, content) in [
        ("empty.tar.gz", Vec::new()),
        ("text.tar.gz", b"hello".to_vec()),
        ("no-tar.tar.gz", gzip(&b"hello, this is no tar archive. ".repeat(100))),
        ("short.tar.gz", gzip(b"hello")),
        ("nothing.tar.gz", gzip(&[0; 1024])),
        ("unknown.tar.gz", gzip(&entry(EntryType::Regular, "a/b.txt", None, b"x"))),
        ("binary", vec![0xff, 0xfe, 0, 1, 2]),
        ("words.yaml", b"just: words".to_vec()),
    ] {
        let error = place.refused(&place.file(name, &content));
        assert!(matches!(error, Error::NotACapture { .. }), "{name}: {error}");
    }
    let empty = place.folder.path().join("folder");
    std::fs::create_dir(&empty).unwrap();
    assert!(matches!(place.refused(&empty), Error::NotACapture { .. }));
    assert!(matches!(place.refused(&place.folder.path().join("none")), Error::NotFound { .. }));
}

#[test]
fn damaged_archives_are_said() {
    let place = Place::new();
    let mut archive = [good(), good()].concat();
    archive[1024 + 10] ^= 1;
    let error = place.refused(&place.file("header.tar.gz", &gzip(&archive)));
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    let mut packed = gzip(&good());
    let end = packed.len() - 6;
    packed[end] ^= 1;
    let error = place.refused(&place.file("sum.tar.gz", &packed));
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    let twice = [entry(EntryType::Regular, "cluster", None, b"x"), good()].concat();
    let error = place.refused(&place.file("twice.tar.gz", &gzip(&twice)));
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    let manifest = entry(EntryType::Regular, "manifest.json", None, b"{\"format\": 1");
    let error = place.refused(&place.file("manifest.tar.gz", &gzip(&[good(), manifest].concat())));
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    let newer = br#"{"format": 99, "generator": "x", "recorded_at": "2026-01-01T00:00:00Z", "cluster_id": null}"#;
    let newer = entry(EntryType::Regular, "manifest.json", None, newer);
    let error = place.refused(&place.file("newer.tar.gz", &gzip(&[good(), newer].concat())));
    assert!(error.to_string().contains("newer than this program"), "{error}");
}

#[test]
fn random_damage_never_panics() {
    let place = Place::new();
    let real = gzip(&[good(), good().repeat(3)].concat());
    for index in 0..real.len() {
        let mut damaged = real.clone();
        damaged[index] ^= 0x55;
        let path = place.file("random.tar.gz", &damaged);
        drop(Capture::open(&path, &place.limits));
    }
    let left = std::fs::read_dir(place.limits.temporary_folder.as_ref().unwrap()).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn links_in_a_folder_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret.json");
    std::fs::write(&secret, br#"{"items": []}"#).unwrap();
    let resources = folder.path().join("capture/cluster/resources/api/v1");
    std::fs::create_dir_all(&resources).unwrap();
    std::fs::write(resources.join("pods.json"), br#"{"items": []}"#).unwrap();
    std::os::unix::fs::symlink(&secret, resources.join("nodes.json")).unwrap();
    let capture = super::open(&folder.path().join("capture"));
    assert!(capture.skipped().iter().any(|skipped| skipped.what.contains("nodes.json")));
}

#[test]
fn long_names_of_both_kinds_are_read() {
    let place = Place::new();
    let path = format!("logs/{}/{}/container.log", "n".repeat(60), "p".repeat(120));
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(1);
    builder.append_data(&mut header, &path, b"x".as_slice()).unwrap();
    let gnu = builder.into_inner().unwrap();
    let record = format!("{} path={path}\n", path.len() + 10);
    let pax =
        [entry(EntryType::XHeader, "pax", None, record.as_bytes()), entry(EntryType::Regular, "short", None, b"x")]
            .concat();
    for archive in [gnu, pax] {
        let archive = gzip(&[good(), archive].concat());
        let capture = Capture::open(&place.file("long.tar.gz", &archive), &place.limits);
        assert!(capture.is_ok(), "{}", capture.err().unwrap());
        let parent = place.limits.temporary_folder.as_ref().unwrap();
        let unpacked = std::fs::read_dir(parent).unwrap().next().unwrap().unwrap().path();
        assert!(unpacked.join(&path).is_file());
    }
}
