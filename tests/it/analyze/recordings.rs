//! Recorded meshes, against what the real `istioctl analyze` said about them.

use std::path::Path;

use jiff::Timestamp;
use meshtriage::analyzers::{Format, Message, Options, analyze, level, print};
use meshtriage::mesh::{Kind, LOCAL_CLUSTER, Mesh, MeshBuilder, MeshConfig, Perspective, Settings};
use serde_json::Value;

use crate::support::{recording_path, say};

/// Just after the recordings were made.
fn recorded_at() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

pub(super) fn mesh_of(capture: &str, istio_namespace: &str) -> Mesh {
    let resources = recording_path(capture).join("cluster/resources");
    let settings = Settings { istio_namespace: istio_namespace.into(), live: true, ..Settings::new(recorded_at()) };
    let mut builder = MeshBuilder::new(settings);
    for kind in Kind::readable() {
        let group = if kind.group().is_empty() { "api".to_owned() } else { format!("apis/{}", kind.group()) };
        let path = resources.join(group).join(kind.version()).join(format!("{}.json", kind.plural()));
        // A kind that the cluster does not serve has no list.
        if path.exists() {
            let list: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for item in list["items"].as_array().unwrap() {
                builder.add(kind, LOCAL_CLUSTER, item);
            }
        }
    }
    let mesh = builder.build();
    assert!(mesh.each(Kind::Pod).len() > 0 && mesh.malformed().is_empty());
    mesh
}

fn compatible(revision: Option<&str>) -> Perspective {
    Perspective { compatible: true, revision: revision.map(str::to_owned) }
}

struct Recording {
    capture: &'static str,
    istio_namespace: &'static str,
    file: &'static str,
    revision: Option<&'static str>,
    namespace: Option<&'static str>,
}

fn recordings() -> Vec<Recording> {
    let mut recordings = Vec::new();
    let namespaces =
        ["aks-istio-ingress", "aks-istio-system", "archive", "bank", "kube-system", "legacy", "promo", "shop", "tools"];
    for capture in ["healthy", "broken"] {
        for (file, revision) in [
            ("analyze-30-all.txt", Some("asm-1-30")),
            ("analyze-30-all.json", Some("asm-1-30")),
            ("analyze-29-all.txt", Some("asm-1-29")),
            ("analyze-29-all.json", Some("asm-1-29")),
            ("analyze-norev-all.txt", None),
            ("analyze-norev-all.json", None),
        ] {
            recordings.push(Recording {
                capture,
                istio_namespace: "aks-istio-system",
                file,
                revision,
                namespace: None,
            });
        }
        for namespace in namespaces {
            let file: &'static str = format!("analyze-30-{namespace}.json").leak();
            if !Path::new(&recording_path(capture).join("istioctl").join(file)).exists() {
                assert_eq!(capture, "healthy", "{file}");
                continue;
            }
            recordings.push(Recording {
                capture,
                istio_namespace: "aks-istio-system",
                file,
                revision: Some("asm-1-30"),
                namespace: Some(namespace),
            });
        }
    }
    for (file, namespace) in [
        ("analyze-default-all.txt", None),
        ("analyze-default-all.json", None),
        ("analyze-ns-batch.json", Some("batch")),
        ("analyze-ns-default-apps.json", Some("default-apps")),
        ("analyze-ns-istio-system.json", Some("istio-system")),
        ("analyze-ns-kube-system.json", Some("kube-system")),
        ("analyze-ns-web.json", Some("web")),
    ] {
        recordings.push(Recording {
            capture: "upstream",
            istio_namespace: "istio-system",
            file,
            revision: None,
            namespace,
        });
    }
    recordings
}

#[test]
fn same_words_as_istioctl() {
    let meshes = [("healthy", "aks-istio-system"), ("broken", "aks-istio-system"), ("upstream", "istio-system")]
        .map(|(capture, namespace)| (capture, mesh_of(capture, namespace)));
    let recordings = recordings();
    let mut failures = Vec::new();
    for recording in &recordings {
        let (_, mesh) = meshes.iter().find(|(capture, _)| *capture == recording.capture).unwrap();
        assert_eq!(mesh.istio_namespace(), recording.istio_namespace);
        let mesh = mesh.seen_from(compatible(recording.revision));
        let options =
            Options { namespaces: recording.namespace.map(str::to_owned).into_iter().collect(), ..Options::default() };
        let analysis = analyze(&mesh, &options).unwrap();
        let is_json = Path::new(recording.file).extension().is_some_and(|extension| extension == "json");
        let format = if is_json { Format::Json } else { Format::Log { color: false } };
        let found = print(&analysis.messages, format, false);
        let path = recording_path(recording.capture).join("istioctl").join(recording.file);
        let expected = std::fs::read_to_string(path).unwrap();
        if found.trim_end() != expected.trim_end() {
            let missing: Vec<&str> = expected.lines().filter(|line| !found.contains(*line)).collect();
            let surplus: Vec<&str> = found.lines().filter(|line| !expected.contains(*line)).collect();
            failures.push(format!(
                "{}/{}\n  missing\n    {}\n  surplus\n    {}",
                recording.capture,
                recording.file,
                missing.join("\n    "),
                surplus.join("\n    ")
            ));
        }
    }
    let (passed, total) = (recordings.len() - failures.len(), recordings.len());
    say(&format!("recordings of istioctl analyze: {passed} of {total}"));
    assert!(failures.is_empty(), "{passed} of {total}\n{}", failures.join("\n"));
}

/// Severity, code and object of everything that our own rules find.
fn found_by_our_rules(capture: &str, istio_namespace: &str) -> Vec<String> {
    let mesh = mesh_of(capture, istio_namespace);
    let analysis = analyze(&mesh, &Options::default()).unwrap();
    let name = |message: &Message<'_>| {
        format!("{} {} {}", level(message.severity), message.code.id, message.origin().unwrap_or_default())
    };
    analysis.messages.iter().map(name).collect()
}

/// Nothing is wrong in this mesh, so nothing but remarks may be said about it. `istioctl` warns of proxy images, which
/// it compares without their variant.
#[test]
fn healthy_mesh_is_healthy() {
    let found = found_by_our_rules("healthy", "aks-istio-system");
    let faults: Vec<&String> = found.iter().filter(|line| !line.starts_with("Info")).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The faults of the broken mesh that rules can see, by the number that its description gives them.
#[test]
fn faults_of_the_broken_mesh_are_found() {
    let found = found_by_our_rules("broken", "aks-istio-system");
    let faults = [
        (1, "Error IST0101 VirtualService shop/checkout"),
        (2, "Error IST0101 VirtualService shop/catalog"),
        (3, "Error IST0101 Gateway bank/pay"),
        (4, "Warning IST0103 Pod promo/banner-7df74fdc67-qmwsm"),
        (6, "Warning IST0133 EnvoyFilter shop/catalog-v2-tap"),
        (6, "Warning IST0151 EnvoyFilter shop/catalog-v2-tap"),
        (7, "Error IST0111 Sidecar legacy/default"),
        (7, "Error IST0111 Sidecar legacy/second-default"),
        (8, "Error IST0101 Gateway shop/old-shop"),
        (9, "Info IST0118 Service shop/reports"),
        (12, "Warning IST0158 Namespace legacy"),
        (14, "Warning IST0134 ServiceEntry bank/partner-tcp"),
        (15, "Error IST0161 Gateway shop/shop"),
        (19, "Error IST0139 MutatingWebhookConfiguration istio-sidecar-injector-asm-1-28-aks-istio-system"),
        (19, "Warning IST0103 Pod archive/batch-57557cf4b6-gbdx6"),
        (22, "Error IST0109 VirtualService shop/frontend-a"),
        (22, "Error IST0109 VirtualService shop/frontend-b"),
        (23, "Warning IST0132 VirtualService shop/blog"),
        (24, "Warning IST0175 Deployment aks-istio-system/istiod-asm-1-29"),
        (24, "Warning IST0175 Deployment aks-istio-system/istiod-asm-1-30"),
        (29, "Warning IST0171 HTTPRoute shop/api-search"),
    ];
    let missing: Vec<_> = faults.iter().filter(|(_, line)| !found.iter().any(|it| it == line)).collect();
    say(&format!("faults of the broken mesh: {} of {}\n{found:#?}", faults.len() - missing.len(), faults.len()));
    assert!(missing.is_empty(), "{missing:#?}");
}

/// A tag stands for its revision, whose webhooks do not overlap with the tag's; and what runs is what was configured.
#[test]
fn mesh_with_a_tag_has_no_faults_of_injection() {
    let found = found_by_our_rules("upstream", "istio-system");
    assert_eq!(
        found,
        [
            "Error IST0101 VirtualService default-apps/reviews-short",
            "Info IST0102 Namespace batch",
            "Info IST0102 Namespace default",
        ]
    );
}

/// On a revisioned installation `istio-injection=enabled` does nothing, so nobody is told to set it.
#[test]
fn advice_about_injection_names_an_installed_revision() {
    let mesh = mesh_of("broken", "aks-istio-system");
    let options = Options { analyzers: vec!["injection.Analyzer".into()], ..Options::default() };
    let findings = analyze(&mesh, &options).unwrap().findings();
    let of = |name: &str| findings.iter().find(|finding| finding.subject.name.starts_with(name)).unwrap();
    let promo = of("banner-");
    assert_eq!(
        promo.remedy,
        "kubectl label namespace promo istio-injection- istio.io/rev=asm-1-30 --overwrite, and restart the workload."
    );
    assert!(of("batch-").message.contains("asks for the revision asm-1-28, and there is no such control plane"));
    assert!(of("tools").message.contains("'kubectl label namespace tools istio.io/rev=asm-1-30'"));
    assert!(findings.iter().all(|finding| !finding.remedy.contains("istio-injection=enabled")));
    assert!(findings.iter().all(|finding| finding.subject.name != "aks-istio-system"));
}

/// What a configuration was read from, the strongest last.
fn names(config: &MeshConfig) -> Vec<&str> {
    config.layers.iter().map(|layer| layer.name.as_str()).collect()
}

/// istiod reads the configuration of its revision over the user's, whatever `istioctl` reads.
#[test]
fn mesh_configuration_is_that_of_each_revision() {
    let mesh = mesh_of("healthy", "aks-istio-system");
    assert_eq!(mesh.revisions().into_iter().collect::<Vec<_>>(), ["asm-1-29", "asm-1-30"]);
    let config = mesh.config_of("shop");
    assert_eq!(names(config), ["istio-shared-configmap-asm-1-30", "istio-asm-1-30"]);
    assert_eq!((config.root_namespace.as_str(), config.image_type.as_str()), ("aks-istio-system", "distroless"));
    assert_eq!(names(mesh.config_of("legacy")), ["istio-shared-configmap-asm-1-29", "istio-asm-1-29"]);
    assert!(mesh.is_root_namespace("aks-istio-system"));

    let as_istioctl = mesh.seen_from(compatible(Some("asm-1-30")));
    assert_eq!(as_istioctl.config().root_namespace, "istio-system");
    assert!(as_istioctl.config().layers.is_empty());

    let upstream = mesh_of("upstream", "istio-system");
    assert_eq!(names(upstream.config()), ["istio"]);
    assert_eq!(upstream.config().proxy_metadata["ISTIO_META_DNS_CAPTURE"], "true");
    assert_eq!(upstream.tags().get("prod"), Some(&"default"));
}

/// Objects of another revision are hidden from `istioctl`, the control plane's own among them; we always see those.
#[test]
fn control_planes_of_all_revisions_are_seen() {
    let mesh = mesh_of("healthy", "aks-istio-system");
    let istiods = |mesh: &Mesh| {
        let deployments = mesh.in_namespace(Kind::Deployment, "aks-istio-system");
        deployments.filter(|it| it.label("app") == Some("istiod")).count()
    };
    assert_eq!(istiods(&mesh), 2);
    assert_eq!(istiods(&mesh.seen_from(Perspective { compatible: false, revision: Some("asm-1-30".into()) })), 2);
    assert_eq!(istiods(&mesh.seen_from(compatible(Some("asm-1-30")))), 1);
    assert_eq!(istiods(&mesh.seen_from(compatible(None))), 0);
}
