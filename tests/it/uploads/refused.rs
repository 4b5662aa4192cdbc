//! Broken and hostile uploads get a problem that says what to change, and nothing of them stays on the disk.

use std::path::Path;

use axum::body::Body;
use futures::stream;
use http::{Request, StatusCode};
use meshtriage::uploads::Limits;
use tar::EntryType;

use super::{ANYBODY, Service, files, folder};
use crate::{
    capture::recorded,
    support::archives::{entry, good, gzip, header},
};

/// The problem's code. The disk is clean afterwards.
async fn refused(service: &Service, folder: &Path, body: impl Into<Body>) -> String {
    let answer = service.upload(ANYBODY, body).await;
    let problem = answer.problem();
    assert_eq!(files(folder), [""; 0].map(Path::new), "{problem}");
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(!detail.contains(folder.to_str().unwrap()), "the path of this machine is told: {detail}");
    assert_eq!(service.uploads.opened(), 0);
    problem
}

fn with(hostile: &[u8]) -> Vec<u8> {
    gzip(&[good(), hostile.to_vec()].concat())
}

#[tokio::test]
async fn what_is_no_recording_is_refused() {
    let folder = folder();
    let service = Service::new(folder.path());
    for (name, body) in [
        ("empty", Vec::new()),
        ("text", b"hello".to_vec()),
        ("packed text", gzip(b"hello")),
        ("packed words", gzip(&b"hello, this is no tar archive. ".repeat(100))),
        ("nothing", gzip(&[0; 1024])),
        ("unknown", gzip(&entry(EntryType::Regular, "a/b.txt", None, b"x"))),
        ("binary", vec![0xff, 0xfe, 0, 1, 2]),
        ("no objects", b"just: words".to_vec()),
        ("nested", gzip(&gzip(&good()))),
    ] {
        assert_eq!(refused(&service, folder.path(), body).await, "not_a_capture", "{name}");
    }
}

#[tokio::test]
async fn broken_archives_are_refused() {
    let folder = folder();
    let service = Service::new(folder.path());
    let real = recorded("upstream/bug-report/istioctl-1.30.3.tar.gz");
    for length in [100, 5000, real.len() / 2, real.len() - 4] {
        let cut = real[..length].to_vec();
        assert_eq!(refused(&service, folder.path(), cut).await, "capture_truncated", "{length}");
    }
    let mut sum = gzip(&good());
    let end = sum.len() - 6;
    sum[end] ^= 1;
    assert_eq!(refused(&service, folder.path(), sum).await, "capture_damaged");
    let manifest = entry(EntryType::Regular, "manifest.json", None, b"{\"format\": 1");
    assert_eq!(refused(&service, folder.path(), with(&manifest)).await, "capture_damaged");
}

#[tokio::test]
async fn entries_that_are_not_safe_are_refused() {
    let folder = folder();
    let service = Service::new(folder.path());
    for path in ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil", "C:\\evil", ".."] {
        let archive = with(&entry(EntryType::Regular, path, None, b"evil"));
        assert_eq!(refused(&service, folder.path(), archive).await, "capture_unsafe", "{path}");
    }
    for kind in
        [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo, EntryType::GNUSparse]
    {
        let archive = with(&entry(kind, "cluster/link", Some("/etc/passwd"), b""));
        assert_eq!(refused(&service, folder.path(), archive).await, "capture_unsafe", "{kind:?}");
    }
    let long = entry(EntryType::GNULongName, "././@LongLink", None, &b"../".repeat(100));
    assert_eq!(refused(&service, folder.path(), gzip(&[long, good()].concat())).await, "capture_unsafe");
}

#[tokio::test]
async fn bombs_are_refused() {
    let folder = folder();
    let service = Service::new(folder.path());
    let ten_gigabytes = 10 << 30;
    let check = async |service: &Service, body: Vec<u8>| {
        assert_eq!(refused(service, folder.path(), body).await, "capture_too_large");
    };
    // Eighty megabytes of nothing in eighty kilobytes.
    check(&service, with(&entry(EntryType::Regular, "cluster/zeros", None, &vec![0; 80 << 20]))).await;
    check(&service, with(&header(EntryType::Regular, "cluster/large", None, ten_gigabytes))).await;
    check(&service, header(EntryType::GNULongName, "././@LongLink", None, ten_gigabytes)).await;
    let sparse = gzip(&[good(), header(EntryType::GNUSparse, "cluster/sparse", None, ten_gigabytes)].concat());
    assert_eq!(refused(&service, folder.path(), sparse).await, "capture_unsafe");

    let limits = Limits { files: 10, unpacked_bytes: 1 << 20, ..Limits::default() };
    let service = Service::with(folder.path(), limits);
    let many: Vec<_> = (0..20).flat_map(|index| entry(EntryType::Regular, &format!("f{index}"), None, b"x")).collect();
    check(&service, gzip(&many)).await;
    check(&service, with(&entry(EntryType::Regular, "cluster/zeros", None, &vec![0; 2 << 20]))).await;
}

/// Small YAML that stands for gigabytes.
/// A long name takes one block of the archive, and hundreds of the disk.
#[tokio::test]
async fn folders_are_counted_and_not_too_deep() {
    let folder = folder();
    let few = Limits { folders: 100, ..Limits::default() };
    let service = Service::with(folder.path(), few);
    let file = |name: &str| entry(EntryType::Regular, name, None, b"x");
    let deep = file(&format!("{}x", "a/".repeat(45)));
    assert_eq!(refused(&service, folder.path(), with(&deep)).await, "capture_unsafe");
    let wide: Vec<u8> = (0..101).flat_map(|number| file(&format!("a{number}/x"))).collect();
    assert_eq!(refused(&service, folder.path(), with(&wide)).await, "capture_too_large");
    let nested: Vec<u8> = (0..10).flat_map(|number| file(&format!("a{number}/{}x", "b/".repeat(20)))).collect();
    assert_eq!(refused(&service, folder.path(), with(&nested)).await, "capture_too_large");
    let empty: Vec<u8> = (0..60_000).flat_map(|_| header(EntryType::Directory, "a", None, 0)).collect();
    assert_eq!(refused(&service, folder.path(), with(&empty)).await, "capture_too_large");
    let fine: Vec<u8> = (0..50).flat_map(|number| file(&format!("a{number}/x"))).collect();
    assert_eq!(service.upload(ANYBODY, with(&fine)).await.status, StatusCode::CREATED);
}

/// What is packed tightly, and files that are many or large.
#[tokio::test]
async fn each_limit_is_kept() {
    let folder = folder();
    let limits = Limits { files: 10, unpacked_bytes: 16 << 20, ..Limits::default() };
    let service = Service::with(folder.path(), limits);
    let file = |name: &str, content: &[u8]| entry(EntryType::Regular, name, None, content);
    let many: Vec<u8> = (0..11).flat_map(|number| file(&format!("f{number}"), b"x")).collect();
    assert_eq!(refused(&service, folder.path(), with(&many)).await, "capture_too_large");
    let large = file("large", &vec![0; 17 << 20]);
    assert_eq!(refused(&service, folder.path(), with(&large)).await, "capture_too_large");
    let together: Vec<u8> = (0..3).flat_map(|number| file(&format!("f{number}"), &vec![7; 6 << 20])).collect();
    assert_eq!(refused(&service, folder.path(), with(&together)).await, "capture_too_large");
}

#[tokio::test]
async fn disk_that_is_full_takes_nothing() {
    let folder = folder();
    let service = Service::with(folder.path(), Limits { free_bytes: u64::MAX / 2, ..Limits::default() });
    assert_eq!(refused(&service, folder.path(), gzip(&good())).await, "storage_full");
}

/// An archive is small when it comes, and large when it is unpacked.
#[test]
fn disk_is_looked_at_while_unpacking() {
    let folder = folder();
    let archive = folder.path().join("a.tar.gz");
    std::fs::write(&archive, gzip(&good())).unwrap();
    let limits = meshtriage::capture::Limits { free_bytes: u64::MAX / 2, ..Default::default() };
    let error = meshtriage::capture::Capture::open(&archive, &limits).err().unwrap();
    let meshtriage::capture::Error::Io { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
}

#[tokio::test]
async fn aliases_that_multiply_are_refused() {
    let folder = folder();
    let service = Service::new(folder.path());
    let mut laughs = vec!["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]".to_owned()];
    for level in 1..12 {
        let before = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs.push(format!("a{level}: &a{level} [{before}]"));
    }
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let body = format!("{object}{}\n", laughs.join("\n"));
    assert_eq!(refused(&service, folder.path(), body).await, "not_a_capture");
    let text = format!("{object}one: &one {}\nall: [{}]\n", "x".repeat(1 << 20), vec!["*one"; 4000].join(", "));
    assert_eq!(refused(&service, folder.path(), text).await, "not_a_capture");
}

#[tokio::test]
async fn what_takes_too_long_to_open_is_refused() {
    let folder = folder();
    let limits = Limits { open_time: std::time::Duration::ZERO, ..Limits::default() };
    let service = Service::with(folder.path(), limits);
    assert_eq!(refused(&service, folder.path(), gzip(&good())).await, "capture_too_large");
}

/// Times at the ends of what can be written, and texts without end.
#[tokio::test]
async fn manifest_that_lies_harms_nobody() {
    let folder = folder();
    let service = Service::new(folder.path());
    for recorded_at in ["9999-12-30T22:00:00.999Z", "-009999-01-03T00:00:00Z"] {
        let skipped: Vec<_> =
            (0..500).map(|i| format!("{{\"what\": \"{i}{}\", \"why\": \"w\"}}", "x".repeat(5000))).collect();
        let manifest = format!(
            "{{\"format\": 1, \"generator\": \"x\", \"recorded_at\": \"{recorded_at}\", \"cluster_id\": \"{}\", \
             \"skipped\": [{}], \"files\": {{}}}}",
            "c".repeat(5000),
            skipped.join(", ")
        );
        let archive = with(&entry(EntryType::Regular, "manifest.json", None, manifest.as_bytes()));
        let answer = service.upload(ANYBODY, archive).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        assert!(answer.text.len() < 100_000, "{}", answer.text.len());
        let about = answer.json();
        assert!(about["skipped_count"].as_u64().unwrap() >= 500, "{about}");
        let id = about["id"].as_str().unwrap();
        for step in [
            "kubectl/istiod-logs",
            "kubectl/istiod-pods",
            "kubectl/crds",
            "istioctl/analyze",
            "istioctl/version",
            "istioctl/tags",
            "istioctl/verify-install",
            "istioctl/proxy-status",
            "kubectl/resource-status?resource=pods&all_namespaces=true",
            "istioctl/check-inject?namespace=b",
        ] {
            let and = if step.contains('?') { '&' } else { '?' };
            let answer = service.get(ANYBODY, &format!("/v1/{step}{and}capture={id}")).await;
            assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{step} {recorded_at}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn bodies_that_break_off_are_refused() {
    let folder = folder();
    let service = Service::new(folder.path());
    let pieces = [Ok(gzip(&good())), Err(std::io::Error::other("the connection was reset"))];
    assert_eq!(refused(&service, folder.path(), Body::from_stream(stream::iter(pieces))).await, "invalid_request");
    for announced in [10, 10_000] {
        let request = Request::post("/v1/captures")
            .header("content-type", "application/gzip")
            .header("content-length", announced);
        let answer = service.send(ANYBODY, request, gzip(&good())).await;
        assert_eq!(answer.problem(), "invalid_request");
        assert!(answer.json()["detail"].as_str().unwrap().contains("Content-Length"), "{}", answer.text);
    }
    assert_eq!(files(folder.path()).len(), 0);
}

#[tokio::test]
async fn wrong_requests_are_explained() {
    let folder = folder();
    let service = Service::new(folder.path());
    let post = |path: &str, media: &str| Request::post(path).header("content-type", media);
    let problem = async |request| service.send(ANYBODY, request, gzip(&good())).await.problem();
    let form = "application/x-www-form-urlencoded";
    assert_eq!(problem(post("/v1/captures", form)).await, "unsupported_media_type");
    assert_eq!(problem(Request::post("/v1/captures")).await, "unsupported_media_type");
    for query in ["nam=x", "name=", "name=a%0ab", &format!("name={}", "x".repeat(121)), "name=a&name=b"] {
        let path = format!("/v1/captures?{query}");
        assert_eq!(problem(post(&path, "application/gzip")).await, "validation_failed", "{query}");
    }
    let header = post("/v1/captures", "application/gzip").header("meshtriage-capture-name", b"\xff".as_slice());
    assert_eq!(problem(header).await, "validation_failed");
    for path in ["/v1/captures?limit=0", "/v1/captures?limit=501", "/v1/captures?cursor=x"] {
        assert_eq!(service.get(ANYBODY, path).await.problem(), "validation_failed", "{path}");
    }
    assert_eq!(service.get(ANYBODY, "/v1/captures/..%2F..%2Fetc").await.problem(), "not_found");
    let put = service.send(ANYBODY, Request::put("/v1/captures"), Body::empty()).await;
    assert_eq!(put.problem(), "method_not_allowed");
    assert!(put.headers["allow"].to_str().unwrap().contains("POST"), "{put:?}");
    assert_eq!(files(folder.path()).len(), 0);
}
