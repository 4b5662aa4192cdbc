//! All logs of the recordings: what is read, what is found, and that a healthy mesh raises no alarm.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use meshtriage::logs::access_log::AccessLogLine;
use meshtriage::logs::digest::{self, DigestBuilder, LogDigest};
use meshtriage::logs::line::split_timestamp;
use meshtriage::logs::pairing::{self, DestinationLog, PairConclusion};
use meshtriage::logs::signatures::{Source, match_event};
use meshtriage::logs::summary;
use meshtriage::report::{Counts, Finding, Severity, Subject};

use crate::support::recording_path;

struct Log {
    namespace: String,
    pod: String,
    container: String,
    digest: LogDigest,
    access: Vec<AccessLogLine>,
    /// Lines that look like access-log lines, parsed or not.
    access_total: u64,
    findings: Vec<Finding>,
}

fn logs(recording: &str) -> Vec<Log> {
    let root = recording_path(&format!("{recording}/logs"));
    let mut logs = Vec::new();
    for namespace in children(&root) {
        for pod in children(&namespace) {
            for file in children(&pod) {
                logs.push(read(&namespace, &pod, &file));
            }
        }
    }
    logs
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn read(namespace: &Path, pod: &Path, file: &Path) -> Log {
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let container = name(file);
    let text = fs::read_to_string(file).unwrap();
    let source = Source::of_container(&container);
    let mut builder = DigestBuilder::new(source);
    let mut access = Vec::new();
    let mut access_total = 0;
    for line in text.lines() {
        let (_, rest) = split_timestamp(line);
        let looks = rest.starts_with("[20") && rest.contains("] \"") || rest.contains("\"response_flags\"");
        access_total += u64::from(looks && source == Source::Proxy);
        access.extend(builder.push(line));
    }
    let digest = builder.finish();
    let subject = Subject::namespaced("Pod", name(namespace), name(pod)).container(container.clone());
    let mut findings = digest::findings(&digest, &subject);
    findings.extend(summary::findings(&summary::summarize(&access), &subject));
    Log { namespace: name(namespace), pod: name(pod), container, digest, access, access_total, findings }
}

const RECORDINGS: [&str; 3] = ["healthy", "broken", "upstream"];

#[test]
fn all_lines_of_all_recordings_are_read() {
    let (mut lines, mut parsed, mut total) = (0, 0, 0);
    let mut table = String::from("recording  lines  access parsed/total  unknown  error warning info\n");
    for recording in RECORDINGS {
        let logs = logs(recording);
        let own_lines: u64 = logs.iter().map(|log| log.digest.lines).sum();
        let own_parsed: u64 = logs.iter().map(|log| log.digest.access_lines).sum();
        let own_total: u64 = logs.iter().map(|log| log.access_total).sum();
        let unknown: u64 = logs.iter().map(|log| log.digest.unknown_lines).sum();
        let findings: Vec<Finding> = logs.iter().flat_map(|log| log.findings.clone()).collect();
        let counts = Counts::of(&findings);
        writeln!(
            table,
            "{recording:<9} {own_lines:>6} {own_parsed:>13}/{own_total:<6} {unknown:>8} {:>6} {:>7} {:>4}",
            counts.error, counts.warning, counts.info
        )
        .unwrap();
        let mut hits: BTreeMap<&str, (u64, BTreeSet<Severity>)> = BTreeMap::new();
        for hit in logs.iter().flat_map(|log| &log.digest.signatures) {
            let entry = hits.entry(&hit.id).or_default();
            entry.0 += hit.count;
            if !hit.normal {
                entry.1.insert(hit.severity);
            }
        }
        for (id, (count, severities)) in hits {
            writeln!(table, "    {id:<28} {count:>5} {severities:?}").unwrap();
        }
        for finding in findings.iter().filter(|finding| finding.severity > Severity::Info) {
            writeln!(table, "  {:?} {} {}: {}", finding.severity, finding.code, finding.subject.name, finding.message)
                .unwrap();
        }
        lines += own_lines;
        parsed += own_parsed;
        total += own_total;
    }
    show(&table);
    assert!(lines > 15_000, "{lines} lines");
    assert!(total > 1_000 && parsed * 1000 >= total * 999, "{parsed} of {total} access-log lines");
}

#[test]
fn healthy_mesh_raises_no_alarm() {
    let logs = logs("healthy");
    assert!(logs.len() > 20);
    for log in &logs {
        for finding in &log.findings {
            assert_eq!(finding.severity, Severity::Info, "{}/{}: {}", log.namespace, log.pod, finding.message);
        }
    }
}

/// Fault of `tests/recordings/README.md`, recording, container, start of the pod's name, code, and a part of the message.
const VISIBLE: [(&str, &str, &str, &str, &str, &str); 19] = [
    (
        "1 host that does not exist",
        "broken",
        "istio-proxy",
        "frontend",
        "LOG1005",
        "towards checkout.shop:8080, 53 of 53",
    ),
    (
        "2 subset that is not defined",
        "broken",
        "istio-proxy",
        "frontend",
        "LOG1005",
        "towards catalog.shop:8080, 17 of",
    ),
    ("3 secret that does not exist", "broken", "discovery", "istiod-asm-1-30", "", "pay-tls"),
    ("5 TLS off towards STRICT, client", "broken", "istio-proxy", "cart", "LOG1011", "towards payments.bank:9090"),
    ("5 TLS off towards STRICT, server", "broken", "istio-proxy", "payments", "LOG1206", "without TLS"),
    ("6 rejected listener, istiod", "broken", "discovery", "istiod-asm-1-30", "LOG0001", "terminal filter"),
    ("6 rejected listener, proxy", "broken", "istio-proxy", "catalog-v2", "LOG0047", "virtualInbound"),
    ("13 policy for nobody, server", "broken", "istio-proxy", "cart", "LOG1105", "no ALLOW policy matched"),
    ("13 policy for nobody, client", "broken", "istio-proxy", "frontend", "LOG1204", "towards cart.shop:8080"),
    ("15 expired certificate", "broken", "discovery", "istiod-asm-1-30", "", "shop-tls is expired"),
    ("16 wrong port, client", "broken", "istio-proxy", "orders", "LOG1202", "towards inventory.legacy:8080"),
    ("16 wrong port, server", "broken", "istio-proxy", "inventory", "LOG1002", "nothing listens"),
    ("21 istiod not reachable", "broken", "istio-proxy", "catalog-v1", "LOG0048", "i/o timeout"),
    ("24 keys cannot be fetched", "broken", "discovery", "istiod-asm-1-30", "", "login.invalid"),
    ("cache ejected", "upstream", "istio-proxy", "store", "LOG1001", "cache.default-apps"),
    ("cache answers 500", "upstream", "istio-proxy", "cache", "LOG1203", "answered with an error"),
    ("REGISTRY_ONLY (the name has no DNS entry)", "upstream", "store", "store", "", "cannot resolve"),
    ("plain text to STRICT, server", "upstream", "istio-proxy", "api", "LOG1206", "without TLS"),
    ("plain text to STRICT, client", "upstream", "client", "client", "", "are reset"),
];

#[test]
fn faults_that_show_in_logs_are_found() {
    let by_recording: BTreeMap<&str, Vec<Log>> =
        RECORDINGS.into_iter().map(|recording| (recording, logs(recording))).collect();
    let mut table = String::new();
    let mut missed = Vec::new();
    for (fault, recording, container, pod, code, text) in VISIBLE {
        let found = by_recording[recording]
            .iter()
            .filter(|log| log.container == container && log.pod.starts_with(pod))
            .flat_map(|log| &log.findings)
            .find(|finding| {
                // The client's view of a refusal is only information: the server's log decides.
                (finding.severity > Severity::Info || code == "LOG1204")
                    && (code.is_empty() || finding.code == code)
                    && finding.message.contains(text)
            });
        if let Some(finding) = found {
            writeln!(table, "found  {fault}: {} {}", finding.code, finding.message).unwrap();
        } else {
            writeln!(table, "MISSED {fault}").unwrap();
            missed.push(fault);
        }
    }
    show(&table);
    assert!(missed.is_empty(), "missed {missed:?}");
}

#[test]
fn both_ends_of_a_failing_request_are_joined() {
    let broken = logs("broken");
    let proxy =
        |pod: &str| broken.iter().find(|log| log.container == "istio-proxy" && log.pod.starts_with(pod)).unwrap();
    let check = |source: &str, destination: &str, expected: PairConclusion, at_least: u64| {
        let log = proxy(destination);
        let destination = DestinationLog {
            pod: &log.pod,
            address: None,
            lines: &log.access,
            first_at: log.digest.first_at.as_deref(),
            last_at: log.digest.last_at.as_deref(),
        };
        let summary = pairing::pair(&proxy(source).access, &[destination]);
        let count = summary.failed.get(&expected).copied().unwrap_or_default();
        assert!(count >= at_least, "{source}: {:?}", summary.failed);
    };
    check("orders", "inventory", PairConclusion::ServerProxyFailed, 45);
    check("cart", "payments", PairConclusion::ConnectionRefused, 50);
    check("frontend", "cart", PairConclusion::ServerProxyFailed, 45);
    check("frontend", "cart", PairConclusion::AnsweredLocally, 60);
}

#[test]
fn events_of_the_recordings_are_read() {
    let mut found = BTreeMap::new();
    for recording in RECORDINGS {
        let text =
            fs::read_to_string(recording_path(&format!("{recording}/cluster/resources/api/v1/events.json"))).unwrap();
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        for event in list["items"].as_array().unwrap() {
            let (reason, message) = (event["reason"].as_str().unwrap_or(""), event["message"].as_str().unwrap_or(""));
            if let Some(hit) = match_event(reason, message) {
                *found.entry((recording, hit.id)).or_insert(0) += 1;
            }
        }
    }
    show(&format!("{found:#?}"));
    assert!(found.contains_key(&("broken", "ev-webhook".to_owned())));
}

#[expect(clippy::print_stdout, reason = "the table is what the test is read for")]
fn show(table: &str) {
    println!("{table}");
}
