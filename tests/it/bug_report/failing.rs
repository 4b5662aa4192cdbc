//! Pods that hang or fail cost their own time only, and none of their troubles loses what others say.

use std::time::{Duration, Instant};

use meshtriage::capture::{self, Layout, WriteOptions};
use serde_json::Value;

use super::files;
use crate::{
    pods::{self, GOOD},
    support::{fake, say},
};

const PODS: usize = 100;

fn options() -> WriteOptions {
    let mut options = WriteOptions::new(jiff::Timestamp::UNIX_EPOCH);
    options.call_timeout = Duration::from_millis(1500);
    options.one_dump = true;
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_and_failing_pods_cost_their_own_time() {
    let good = pods::saying(GOOD).await;
    let silent = pods::silent().await;
    let failing = pods::saying("HTTP/1.1 500 No\r\ncontent-length: 6\r\n\r\nbroken").await;
    let closed = pods::closed().await;
    let mut names = fake::Pods::new();
    for index in 0..PODS {
        let (name, port) = match index {
            // One in twenty.
            7 | 27 | 47 => ("silent", silent),
            13 => ("failing", failing),
            17 => ("closed", closed),
            _ => ("good", good),
        };
        names.insert(format!("{name}-{index:03}"), port);
    }
    let cluster = fake::cluster(names).await;
    for layout in [Layout::Own, Layout::Istioctl] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture.tar.gz");
        let options = WriteOptions { layout, ..options() };
        let progress = options.progress.subscribe();
        let begun = Instant::now();
        let written = capture::write(cluster.client(), &path, &options).await.unwrap();
        let took = begun.elapsed();
        say(&format!("{PODS} pods, five of them hanging or failing, {layout:?}: {took:?}, {} files", written.files));
        // Three ports of each silent pod, all at the same time; one after the other they would take twenty seconds.
        assert!(took < Duration::from_secs(12), "{took:?}");
        let files = files(&path);
        check(&files, layout);
        let progress = progress.borrow();
        assert_eq!(progress.parts_done, progress.parts_total);
        assert!(progress.failures > 0 && progress.bytes > 0);
        let manifest = if layout == Layout::Own { "manifest.json" } else { "meshtriage-manifest.json" };
        let manifest: Value = serde_json::from_slice(&files[manifest]).unwrap();
        let skipped = manifest["skipped"].to_string();
        assert!(skipped.contains("port 15000 of shop/silent-007") && skipped.contains("no answer within"), "{skipped}");
    }
}

fn check(files: &std::collections::BTreeMap<String, Vec<u8>>, layout: Layout) {
    let (folder, dump) = match layout {
        Layout::Own => ("envoy/shop", "config_dump_include_eds.json"),
        Layout::Istioctl => ("proxies/shop", "config_dump?include_eds"),
    };
    let good = files.keys().filter(|file| file.starts_with(&format!("{folder}/good-")) && file.ends_with(dump)).count();
    assert_eq!(good, PODS - 5);
    assert_eq!(files[&format!("{folder}/good-000/{dump}")], b"LIVE");
    for name in ["silent-007", "closed-017"] {
        let error = String::from_utf8(files[&format!("{folder}/{name}/{dump}.error")].clone()).unwrap();
        assert!(error.contains("no answer") || error.contains("not tried") || error.contains("refused"), "{error}");
        assert!(!files.contains_key(&format!("{folder}/{name}/{dump}")));
    }
    match layout {
        Layout::Own => assert!(files[&format!("{folder}/failing-013/{dump}.status")].starts_with(b"500\n")),
        Layout::Istioctl => assert!(files.contains_key(&format!("{folder}/failing-013/{dump}.error"))),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_leave_out_what_is_beyond_them_and_say_so() {
    let good = pods::saying(GOOD).await;
    let names = (0..20).map(|index| (format!("good-{index}"), good)).collect();
    let cluster = fake::cluster(names).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture.tar.gz");
    let mut options = options();
    options.budgets.proxies.bytes = 40;
    options.concurrency = 1;
    let written = capture::write(cluster.client(), &path, &options).await.unwrap();
    let files = files(&path);
    let pages = files.keys().filter(|file| file.starts_with("envoy/") && !file.ends_with(".error")).count();
    assert!((10..40).contains(&pages), "{pages} pages of four bytes each");
    assert!(files.keys().any(|file| file.starts_with("logs/shop/")), "the logs have a budget of their own");
    assert!(written.skipped.iter().any(|skipped| skipped.why.contains("40 bytes for pages of proxies are used up")));
    options.budgets.time = Duration::ZERO;
    let written = capture::write(cluster.client(), &path, &options).await.unwrap();
    assert!(written.skipped.iter().any(|skipped| skipped.why.contains("for the recording is over")));
}
