use serde_json::json;

use super::*;

#[test]
fn answers_of_istiod_are_taken_apart() {
    let parse = |text: &str| {
        let BuildInfo { version, revision, status, tag, .. } = BuildInfo::parse(text);
        (version, revision, status, tag)
    };
    let own = |a: &str, b: &str, c: &str, d: &str| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned());
    assert_eq!(parse("1.30.3-56df41f63e5a-Clean"), own("1.30.3", "56df41f63e5a", "Clean", "1.30.3"));
    assert_eq!(parse("1.30-alpha.0-abc-Clean\n"), own("1.30-alpha.0", "abc", "Clean", "1.30-alpha.0"));
    assert_eq!(parse("1.30-abc-dirty-Modified"), own("1.30", "abc-dirty", "Modified", "1.30"));
    assert_eq!(parse("1.30-abc"), own("1.30-abc", "", "", ""));
    assert_eq!(parse(r#"{"clientVersion": {"version": "1.2", "tag": "t"}}"#), own("1.2", "", "", "t"));
    assert_eq!(parse(""), own("", "", "", ""));
    assert_eq!(parse("{}"), own("{}", "", "", ""));
}

#[test]
fn a_replica_that_differs_is_named_by_its_component() {
    let istiod = |version: &str| IstiodBuild {
        component: "pilot".to_owned(),
        revision: "default".to_owned(),
        info: BuildInfo { version: version.to_owned(), ..BuildInfo::default() },
    };
    let versions = MeshVersions {
        mesh_version: vec![istiod("1.30.3"), istiod("1.30.2")],
        data_plane_version: Some(Vec::new()),
        ..MeshVersions::default()
    };
    let expected = "client version: \npilot version: 1.30.3\npilot version: 1.30.2\ndata plane version: none\n";
    assert_eq!(versions.print(true, None), expected);
}

fn replica(revision: &str, name: &str, version: &str, proxies: &[(&str, &str)]) -> Replica {
    let pod = json!({"metadata": {"name": name, "namespace": "istio-system", "labels": {"istio.io/rev": revision}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    let list: Vec<_> = proxies.iter().map(|(id, version)| json!({"proxy": id, "istio_version": version})).collect();
    Replica {
        istiod: Istiod { revision: revision.to_owned(), pod: serde_json::from_value(pod).unwrap() },
        version: Ok(Bytes::from(format!("{version}-abc-Clean"))),
        syncz: Ok(Bytes::from(serde_json::to_vec(&list).unwrap())),
    }
}

fn codes(replicas: Vec<Replica>) -> Vec<String> {
    let evidence = VersionEvidence { replicas, pods: Ok(Vec::new()), skipped: Vec::new() };
    let judged = Version::judge(&VersionInput::default(), evidence);
    judged.findings.iter().map(|finding| finding.code.to_string()).collect()
}

#[test]
fn one_minor_version_of_skew_is_supported() {
    let at = |proxy: &str| codes(vec![replica("a", "istiod-1", "1.30.3", &[("cart.shop", proxy)])]);
    assert!(at("1.30.3").is_empty());
    assert_eq!(at("1.30.1"), ["CPL0012"]);
    assert_eq!(at("1.29.6"), ["CPL0012"]);
    assert_eq!(at("1.28.6"), ["CPL0007"]);
    assert_eq!(at("1.31.0"), ["CPL0007"]);
    assert!(at("").is_empty());
}

#[test]
fn replicas_of_one_revision_should_be_equal() {
    let pair = |other: &str| codes(vec![replica("a", "i-1", "1.30.3", &[]), replica(other, "i-2", "1.30.4", &[])]);
    assert_eq!(pair("a"), ["CPL0009"]);
    assert!(pair("b").is_empty());
}

#[test]
fn a_proxy_that_moves_is_counted_once() {
    let both = vec![
        replica("a", "i-1", "1.30.3", &[("cart.shop", "1.30.3")]),
        replica("a", "i-2", "1.30.3", &[("cart.shop", "1.30.3")]),
    ];
    let evidence = VersionEvidence { replicas: both, pods: Ok(Vec::new()), skipped: Vec::new() };
    let data = Version::judge(&VersionInput::default(), evidence).data;
    assert_eq!(data.data_plane, [VersionCount { version: "1.30.3".to_owned(), proxies: 1 }]);
}

#[test]
fn a_silent_replica_does_not_hide_the_rest() {
    let mut dead = replica("a", "i-2", "1.30.3", &[]);
    dead.version = Err(Skipped::new("port 15014 of istio-system/i-2", "connection refused"));
    dead.syncz = Err(Skipped::new("port 15014 of istio-system/i-2", "connection refused"));
    let replicas = vec![replica("a", "i-1", "1.30.3", &[("cart.shop", "1.30.3")]), dead];
    let evidence = VersionEvidence { replicas, pods: Ok(Vec::new()), skipped: Vec::new() };
    let judged = Version::judge(&VersionInput::default(), evidence);
    assert_eq!(judged.findings.iter().map(|f| f.code.as_ref()).collect::<Vec<_>>(), ["CPL0008"]);
    assert_eq!(judged.data.proxies.len(), 1);
    assert_eq!(judged.data.revisions[0].versions, ["1.30.3"]);
}

#[test]
fn hostile_answers_are_skipped() {
    for body in ["", "{}", "[", "[null, 1, {\"proxy\": 3}]", "\u{0}"] {
        let mut odd = replica("a", "i-1", "1.30.3", &[]);
        odd.syncz = Ok(Bytes::from(body.to_owned()));
        let evidence = VersionEvidence { replicas: vec![odd], pods: Ok(Vec::new()), skipped: Vec::new() };
        let judged = Version::judge(&VersionInput::default(), evidence);
        assert!(judged.data.proxies.is_empty(), "{body}");
        assert_eq!(judged.skipped.is_empty(), body.starts_with("[null"), "{body}");
    }
}
