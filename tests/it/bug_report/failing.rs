//! Pods that hang or fail cost their own time only, and none of their troubles loses what others say.

use std::time::{Duration, Instant};

use meshtriage::{
    capture::{self, Layout, WriteOptions},
    report::Progress,
};
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
    let named = |troubled: bool| {
        let one = |index: usize| {
            let (name, port) = match index % 100 {
                at if troubled && at % 10 == 7 => ("silent", silent),
                13 if troubled => ("failing", failing),
                18 if troubled => ("closed", closed),
                _ => ("good", good),
            };
            (format!("{name}-{index:03}"), port)
        };
        (0..PODS).map(one).collect()
    };
    let well = fake::cluster(named(false)).await;
    let troubled = fake::cluster(named(true)).await;
    for layout in [Layout::Own, Layout::Istioctl] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture.tar.gz");
        let options = WriteOptions { layout, ..options() };
        let begun = Instant::now();
        capture::write(well.client(), &path, &options).await.unwrap();
        let alone = begun.elapsed();
        let progress = options.progress.subscribe();
        options.progress.send_replace(Progress::default());
        let begun = Instant::now();
        let written = capture::write(troubled.client(), &path, &options).await.unwrap();
        let took = begun.elapsed();
        say(&format!(
            "{PODS} pods, {layout:?}: {alone:?}; with 12 that hang or fail: {took:?}, {} files",
            written.files
        ));
        // Each silent pod has three ports, with one time-out each. One after the other they would take 45 s.
        assert!(took < alone + Duration::from_secs(15), "{took:?}");
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
    assert_eq!(good, PODS - 12);
    assert_eq!(files[&format!("{folder}/good-000/{dump}")], b"LIVE");
    for name in ["silent-007", "closed-018"] {
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
    let pages = files.keys().filter(|file| file.starts_with("envoy/") && file.strip_suffix(".error").is_none()).count();
    assert!((10..40).contains(&pages), "{pages} pages of four bytes each");
    assert!(files.keys().any(|file| file.starts_with("logs/shop/")), "the logs have a budget of their own");
    assert!(written.skipped.iter().any(|skipped| skipped.why.contains("40 bytes for pages of proxies are used up")));
    options.budgets.time = Duration::ZERO;
    let written = capture::write(cluster.client(), &path, &options).await.unwrap();
    assert!(written.skipped.iter().any(|skipped| skipped.why.contains("for the recording is over")));
}
