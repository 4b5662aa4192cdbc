use super::*;

const NOT_READY: &str = "2026-03-01T10:00:01.000000Z\twarn\treadiness\tEnvoy proxy is NOT ready: config not received from XDS server (is Istiod running?): cds updates: 0 successful, 0 rejected";
const READY: &str = "2026-03-01T10:00:02.000000Z\tinfo\treadiness\tEnvoy proxy is ready";

fn pod() -> Subject {
    Subject::namespaced("Pod", "shop", "cart-1").container("istio-proxy")
}

fn severities(source: Source, lines: &[&str]) -> Vec<(String, Severity)> {
    let digest = digest(source, lines.iter().copied());
    findings(&digest, &pod()).into_iter().map(|finding| (finding.code.into_owned(), finding.severity)).collect()
}

#[test]
fn trouble_that_is_over_is_only_information() {
    let code = "LOG0121".to_owned();
    assert_eq!(severities(Source::Proxy, &[NOT_READY, NOT_READY]), [(code.clone(), Severity::Error)]);
    assert_eq!(severities(Source::Proxy, &[NOT_READY, READY]), [(code.clone(), Severity::Info)]);
    assert_eq!(severities(Source::Proxy, &[READY, NOT_READY]), [(code, Severity::Error)]);
}

#[test]
fn planned_end_of_a_stream_is_no_finding() {
    let closed = "2026-03-01T10:00:00.000000Z\twarning\tenvoy config\tDeltaAggregatedResources gRPC config stream to xds-grpc closed: ";
    assert_eq!(severities(Source::Proxy, &[&format!("{closed}13, "), &format!("{closed}0, ")]), []);
    let broken = format!("{closed}14, connection error");
    assert_eq!(severities(Source::Proxy, &[&broken])[0].1, Severity::Error);
    let again =
        "2026-03-01T10:00:03.000000Z\tinfo\txdsproxy\tconnected to delta upstream XDS server: istiod:15012\tid=2";
    assert_eq!(severities(Source::Proxy, &[&broken, again])[0].1, Severity::Info);
}

#[test]
fn what_follows_a_shutdown_is_planned() {
    let drain = "2026-03-01T10:00:02.000000Z\tinfo\tAgent draining Proxy for termination";
    let closed = "2026-03-01T10:00:03.000000Z\twarning\tenvoy config\tDeltaAggregatedResources gRPC config stream to xds-grpc closed: 14, no";
    assert_eq!(
        severities(Source::Proxy, &[drain, closed, NOT_READY]).iter().map(|pair| pair.1).max(),
        Some(Severity::Info)
    );
    assert_eq!(severities(Source::Proxy, &[closed, drain])[0].1, Severity::Error);
}

#[test]
fn rare_trouble_of_a_kind_that_comes_and_goes_is_information() {
    let line = "2026-03-01T10:00:00.000000Z\tinfo\tads\tTimeout writing web-1.default-7: cds";
    assert_eq!(severities(Source::Istiod, &[line])[0].1, Severity::Info);
    assert_eq!(severities(Source::Istiod, &[line; 3])[0].1, Severity::Warning);
}

#[test]
fn hits_are_counted_with_times_samples_and_values() {
    let nack = |proxy: &str, time: &str| {
        format!(
            "2026-03-01T{time}.000000Z\twarn\tads\tADS:LDS: ACK ERROR {proxy} Internal:Error adding listener: port 80\tid=3"
        )
    };
    let lines = [
        nack("web-5c47566dff-nnzd7.shop-1", "10:00:00"),
        nack("web-5c47566dff-cs8hq.shop-2", "10:00:05"),
        nack("api-6b56f8757f-djsgq.shop-3", "10:00:09"),
    ];
    let digest = digest(Source::Istiod, lines.iter().map(String::as_str));
    let [hit] = digest.signatures.as_slice() else { panic!("{:?}", digest.signatures) };
    assert_eq!((hit.count, hit.samples.len()), (3, 2));
    assert_eq!(hit.first_at.as_deref(), Some("2026-03-01T10:00:00.000000Z"));
    assert_eq!(hit.last_at.as_deref(), Some("2026-03-01T10:00:09.000000Z"));
    assert_eq!(hit.captures["error"], "Error adding listener: port 80");
    let [finding] = findings(&digest, &pod()).try_into().unwrap();
    assert_eq!(
        finding.message,
        "proxy api-6b56f8757f-djsgq.shop-3 rejects LDS configuration: Error adding listener: port 80 (3 times)"
    );
    assert_eq!(finding.evidence[0].from, "log of shop/cart-1 (istio-proxy)");
    assert_eq!((finding.evidence[0].count, finding.evidence.len()), (Some(3), 2));
    assert!(!finding.discriminator.contains("djsgq") && finding.discriminator.contains("LDS"));
}

#[test]
fn different_objects_of_one_signature_are_different_findings_up_to_a_bound() {
    let lines: Vec<String> = (0..60)
        .map(|n: u8| {
            let name = char::from(b'a' + n % 26).to_string().repeat(1 + usize::from(n / 26));
            format!("warn\tfailed to fetch key and certificate for kubernetes://{name}: not found")
        })
        .collect();
    let digest = digest(Source::Istiod, lines.iter().map(String::as_str));
    assert_eq!(digest.signatures.len(), GROUPS + 1);
    assert_eq!(digest.signatures.iter().map(|hit| hit.count).sum::<u64>(), 60);
}

#[test]
fn unknown_complaints_are_masked_and_counted() {
    let mut lines = Vec::new();
    for n in 0..30 {
        lines.push(format!("2026-03-01T10:00:00.000000Z\twarn\tmodel\tpool {n} is odd at 10.0.0.{n}:80"));
    }
    for word in 0..2000 {
        let name: String = format!("{word:04}").bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        lines.push(format!("2026-03-01T10:00:00.000000Z\terror\tother {name}"));
    }
    lines.push("2026-03-01T10:00:00.000000Z\tinfo\tall well".to_owned());
    let digest = digest(Source::Istiod, lines.iter().map(String::as_str));
    assert_eq!((digest.unknown_lines, digest.unknown.len()), (2030, UNKNOWN_TOLD));
    assert_eq!((digest.unknown[0].count, digest.unknown[0].text.as_str()), (30, "model pool N is odd at N"));
    assert_eq!((digest.levels.warn, digest.levels.error, digest.levels.info), (30, 2000, 1));
    assert!(digest.signatures.is_empty());
}

#[test]
fn client_cannot_plant_a_signature_in_the_access_log() {
    let line = r#"2026-03-01T10:00:00.5Z [2026-03-01T10:00:00.1Z] "GET / HTTP/1.1" 200 - via_upstream - "-" 0 0 1 1 "-" "Envoy exited with error: signal: killed" "id" "a" "10.0.0.1:80" inbound|80|| - 10.0.0.1:80 10.0.0.2:1 - default"#;
    let mut builder = DigestBuilder::new(Source::Proxy);
    assert!(builder.push(line).is_some());
    let long = line.replace("GET /", &format!("GET /{}", "a".repeat(9000))).replace("/a", "/signal: killed");
    assert!(builder.push(&long).is_none());
    assert!(builder.push(r#"{"path":"signal: killed","mine":1}"#).is_none());
    let digest = builder.finish();
    assert_eq!((digest.access_lines, digest.foreign_access_lines, digest.signatures.len()), (1, 2, 0));
}

#[test]
fn stack_of_a_panic_is_one_hit() {
    let lines = [
        "2026-03-01T10:00:00.000000Z\tinfo\tads\tPush",
        "panic: runtime error: index out of range",
        "",
        "goroutine 1 [running]:",
        "\tmain.go:3",
    ];
    let digest = digest(Source::Istiod, lines);
    assert_eq!((digest.signatures.len(), digest.continuation_lines, digest.unknown_lines), (1, 4, 0));
    assert_eq!(digest.signatures[0].message, "the process panicked: runtime error: index out of range");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(lines in proptest::collection::vec(".{0,200}", 0..20), source in 0..8_usize) {
        let sources = [
            Source::Istiod, Source::Proxy, Source::Init, Source::Cni, Source::Csi, Source::Coredns, Source::Event,
            Source::Application,
        ];
        let digest = digest(sources[source], lines.iter().map(String::as_str));
        proptest::prop_assert_eq!(digest.lines, lines.len() as u64);
        let LogLevelCounts { trace, debug, info, warn, error, fatal, none } = digest.levels;
        let counted = trace + debug + info + warn + error + fatal + none + digest.access_lines;
        proptest::prop_assert_eq!(counted, digest.lines);
    }

    #[test]
    fn any_cut_of_an_access_line_is_read_without_a_panic(at in 0..420_usize, odd in ".{0,6}") {
        let line = r#"[2026-03-01T10:00:00.1Z] "GET /ä HTTP/1.1" 503 UF a{b|c} t d "r" 0 0 1 1 "x" "u" "id" "a" "10.0.0.1:80" outbound|80|v1|h 1:1 2:2 3:3 sni route"#;
        let at = line.floor_char_boundary(at);
        let text = format!("{}{odd}{}", &line[..at], &line[at..]);
        if let Some(line) = AccessLogLine::parse(&text) {
            super::super::explain(&line);
        }
        AccessLogLine::parse(&line[..at]);
    }
}

#[test]
fn complaints_in_json_are_told_apart_by_target_and_error() {
    let line = |target: &str, error: &str| {
        format!(r#"{{"level":"error","msg":"call failed","target":"{target}","error":"{error}"}}"#)
    };
    let lines = [
        line("http://cart:80/a?token=1", "connection refused"),
        line("http://cart:80/a?token=2", "connection refused"),
        line("http://cart:80/a", "i/o timeout"),
        line("http://till:80/a", "connection refused"),
    ];
    let digest = digest(Source::Application, lines.iter().map(String::as_str));
    let texts: Vec<_> = digest.unknown.iter().map(|one| (one.text.as_str(), one.count)).collect();
    assert_eq!(texts.len() + digest.signatures.len(), 3, "{digest:#?}");
    assert!(texts.iter().all(|(text, _)| !text.contains("token=")), "{texts:?}");
    // Lines that differ by a number alone are one.
    let same = [line("http://cart:80", "took 5 s"), line("http://cart:80", "took 7 s")];
    let digest = super::digest(Source::Application, same.iter().map(String::as_str));
    assert_eq!(digest.unknown.iter().map(|one| one.count).collect::<Vec<_>>(), [2]);
}
