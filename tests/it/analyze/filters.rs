//! What is shown of what was found: by namespace, by the object's own wish, by the caller's, by level.

use meshtriage::analyzers::{Analysis, Format, Options, UnknownAnalyzer, analyze, print};
use meshtriage::mesh::{Kind, LOCAL_CLUSTER, Mesh, MeshBuilder, Perspective, Settings};
use meshtriage::report::Severity;
use serde_json::{Value, json};

use super::cases::now;

fn rule(namespace: &str, name: &str, annotations: &Value) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name, "annotations": annotations},
           "spec": {"host": "nowhere", "trafficPolicy": {"tls": {"mode": "SIMPLE"}}}})
}

/// Each rule has an unknown host (IST0174) and an unverified server (IST0128).
fn mesh(compatible: bool) -> Mesh {
    let mut builder = MeshBuilder::new(Settings { live: true, ..Settings::new(now()) });
    for (namespace, name, annotations) in [
        ("shop", "a", json!({})),
        ("shop", "b", json!({"galley.istio.io/analyze-suppress": "IST0174"})),
        ("bank", "c", json!({"galley.istio.io/analyze-suppress": "IST0100, IST0174"})),
        ("bank", "d", json!({"galley.istio.io/analyze-suppress": "*"})),
    ] {
        builder.add(Kind::DestinationRule, LOCAL_CLUSTER, &rule(namespace, name, &annotations));
    }
    let metadata = json!({"name": "shop", "annotations": {"networking.istio.io/unknown": ""}});
    builder.add(Kind::Namespace, LOCAL_CLUSTER, &json!({"metadata": metadata}));
    builder.build().seen_from(Perspective { compatible, revision: None })
}

fn options() -> Options {
    let names =
        ["destinationrule.CaCertificateAnalyzer", "destinationrule.SubsetSelectPodAnalyzer", "annotations.K8sAnalyzer"];
    Options { analyzers: names.map(str::to_owned).to_vec(), ..Options::default() }
}

fn shown(analysis: &Analysis<'_>) -> Vec<String> {
    analysis.messages.iter().map(|message| format!("{} {}", message.code.id, message.object.unwrap().name())).collect()
}

#[test]
fn objects_decline_messages() {
    let mesh = mesh(true);
    let analysis = analyze(&mesh, &options()).unwrap();
    // The list of codes is not trimmed, so that `c` declines nothing.
    assert_eq!(shown(&analysis), ["IST0108 shop", "IST0128 a", "IST0128 b", "IST0128 c", "IST0174 a", "IST0174 c"]);
    assert_eq!(analysis.suppressed.len(), 3);
}

#[test]
fn namespaces_are_chosen() {
    let mesh = mesh(true);
    let shop = Options { namespaces: ["shop".to_owned()].into(), ..options() };
    assert_eq!(shown(&analyze(&mesh, &shop).unwrap()), ["IST0108 shop", "IST0128 a", "IST0128 b", "IST0174 a"]);
    let bank = Options { namespaces: ["bank".to_owned()].into(), ..options() };
    assert_eq!(shown(&analyze(&mesh, &bank).unwrap()), ["IST0128 c", "IST0174 c"]);
}

#[test]
fn callers_suppress() {
    for (pattern, compatible, expected) in [
        ("DestinationRule shop/*", true, 1),
        ("DestinationRule *", true, 0),
        ("* bank/c", true, 1),
        ("DestinationRule a.shop", true, 2),
        ("DestinationRule a.shop", false, 1),
        ("destinationrule shop/a", true, 2),
    ] {
        let mesh = mesh(compatible);
        let suppress = vec![format!("IST0174={pattern}").parse().unwrap()];
        let analysis = analyze(&mesh, &Options { suppress, ..options() }).unwrap();
        let left = shown(&analysis).iter().filter(|line| line.starts_with("IST0174")).count();
        assert_eq!(left, expected, "{pattern:?}, compatible: {compatible}");
    }
}

#[test]
fn hidden_messages_still_make_it_fail() {
    let mesh = mesh(true);
    let warnings = Options { failure_threshold: Severity::Warning, output_threshold: Severity::Error, ..options() };
    let analysis = analyze(&mesh, &warnings).unwrap();
    assert!(analysis.failing && analysis.messages.is_empty());
    assert!(!analyze(&mesh, &options()).unwrap().failing);
}

#[test]
fn unknown_analyzers_are_refused() {
    let mesh = mesh(true);
    let error = analyze(&mesh, &Options { analyzers: vec!["nothing".into()], ..Options::default() });
    assert_eq!(error.unwrap_err(), UnknownAnalyzer("nothing".into()));
}

#[test]
fn rules_that_cannot_see_are_skipped() {
    let mut builder = MeshBuilder::new(Settings { live: true, ..Settings::new(now()) });
    builder.add(Kind::DestinationRule, LOCAL_CLUSTER, &rule("shop", "a", &json!({})));
    builder.add_unreadable(Kind::Pod, "forbidden");
    let mesh = builder.build();
    let analysis = analyze(&mesh, &options()).unwrap();
    assert_eq!(analysis.executed, ["destinationrule.CaCertificateAnalyzer"]);
    let [skipped] = analysis.skipped.as_slice() else { panic!("{:?}", analysis.skipped) };
    assert_eq!((skipped.what.as_str(), skipped.why.as_str()), ("pods", "forbidden"));
    assert_eq!(skipped.silences, ["annotations.K8sAnalyzer", "destinationrule.SubsetSelectPodAnalyzer"]);
}

/// `istioctl` cannot parse such a file; to us it is an object that breaks a rule.
#[test]
fn objects_that_cannot_be_decoded() {
    let text = "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\nspec: {host: [a]}\n";
    let mut builder = MeshBuilder::new(Settings::new(now()));
    builder.add_files(&[("a.yaml".to_owned(), text.to_owned())]);
    let mesh = builder.build();
    let options =
        Options { analyzers: vec!["schema.ValidationAnalyzer.DestinationRule".to_owned()], ..Options::default() };
    let ours = analyze(&mesh, &options).unwrap();
    assert_eq!((shown(&ours), ours.malformed.len()), (vec!["IST0106 a".to_owned()], 0));
    let mesh = mesh.seen_from(Perspective { compatible: true, revision: None });
    let as_istioctl = analyze(&mesh, &options).unwrap();
    assert_eq!((shown(&as_istioctl), as_istioctl.malformed.len()), (vec![], 1));
}

#[test]
fn clusters_are_named_where_there_are_several() {
    let mut builder = MeshBuilder::new(Settings { live: true, ..Settings::new(now()) });
    for cluster in [LOCAL_CLUSTER, "west"] {
        let metadata = json!({"name": "cart", "namespace": "shop", "annotations": {"networking.istio.io/unknown": ""}});
        builder.add(Kind::Service, cluster, &json!({"metadata": metadata}));
    }
    let mesh = builder.build();
    // A text does not name its cluster, and of equal neighbours `istioctl` shows one.
    for (compatible, expected) in [(true, vec!["cluster-default"]), (false, vec!["cluster-default", "cluster-west"])] {
        let mesh = mesh.seen_from(Perspective { compatible, revision: None });
        let analysis = analyze(&mesh, &options()).unwrap();
        assert!(analysis.several_clusters);
        let text = print(&analysis.messages, Format::Log { color: false }, true);
        let clusters: Vec<&str> = text.lines().map(|line| line.split(['[', ']']).nth(3).unwrap()).collect();
        assert_eq!(clusters, expected);
    }
}

#[test]
fn findings_have_remedies_and_fingerprints_of_their_own() {
    let mesh = mesh(false);
    let findings = analyze(&mesh, &options()).unwrap().findings();
    assert!(findings.iter().all(|finding| !finding.remedy.is_empty()));
    let of_a: Vec<_> = findings.iter().filter(|finding| finding.subject.name == "a").collect();
    assert_eq!(of_a.len(), 2);
    assert!(
        of_a.iter().any(|finding| finding.subject.path.as_deref() == Some("{.spec.trafficPolicy.tls.caCertificates}"))
    );
}
