use serde_json::json;

use super::*;

#[test]
fn globs_match_the_whole_name() {
    let check = |pattern: &str, text: &str, expected: bool| {
        assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
    };
    for (pattern, text) in [
        ("cart", "cart"),
        ("c*", "cart"),
        ("*t", "cart"),
        ("c*r*", "cart"),
        ("c?rt", "cart"),
        ("[a-c]art", "cart"),
        ("[^x]art", "cart"),
        (r"\*", "*"),
        ("", ""),
        ("*", ""),
        ("[]]", "]"),
    ] {
        check(pattern, text, true);
    }
    for (pattern, text) in [
        ("cart", "carts"),
        ("cart", "acart"),
        ("c?rt", "crt"),
        ("a*b", "a/b"),
        ("?", "/"),
        ("[a", "a"),
        ("[^c]art", "cart"),
        (r"\", "x"),
        ("", "x"),
    ] {
        check(pattern, text, false);
    }
    // Quick, however many stars there are.
    check(&"a*".repeat(200), &"a".repeat(2000), true);
    check(&format!("{}b", "a*".repeat(200)), &"a".repeat(2000), false);
}

#[test]
fn specs_that_cannot_be_read_say_why() {
    let error = |spec: &str| spec.parse::<Spec>().expect_err("it is wrong").to_string();
    assert!(error("a/b/c/d=e/f=g/h/i").contains("has 7 parts"));
    for wrong in ["///app", "///app=a=b", "///a*p=b", "///=b"] {
        assert!(error(wrong).starts_with("bad label selection"), "{wrong}");
    }
    assert!(error("////x").starts_with("bad annotation selection"));
    assert!(error(&"x".repeat(MAX_SPEC_BYTES + 1)).contains("longer than"));
}

fn selection(include: &[&str], exclude: &[&str]) -> Selection {
    let own = |specs: &[&str]| specs.iter().map(|&spec| spec.to_owned()).collect::<Vec<_>>();
    Selection::parse(&own(include), &own(exclude)).expect("the specs are right")
}

fn candidate(namespace: &str, workload: Option<&str>, pod: &str) -> Candidate {
    Candidate {
        namespace: namespace.to_owned(),
        workload: workload.map(str::to_owned),
        pod: pod.to_owned(),
        ..Candidate::default()
    }
}

#[test]
fn names_are_not_matched_in_their_middle() {
    let prod = selection(&["prod"], &[]);
    assert!(prod.takes(&candidate("prod", None, "a"), "c"));
    assert!(!prod.takes(&candidate("preprod-2", None, "a"), "c"));
    // istioctl's first stage does.
    assert!(!istioctl::skips_pod(&prod, &candidate("preprod-2", None, "a"), &["c"]));
}

#[test]
fn workloads_of_every_kind_are_matched() {
    let named = selection(&["shop/db"], &[]);
    assert!(named.takes(&candidate("shop", Some("db"), "db-0"), "postgres"));
    assert!(!named.takes(&candidate("shop", None, "db"), "postgres"), "a pod without a workload has no such");
    let stateful = Workload { kind: "StatefulSet".to_owned(), name: "db".to_owned() };
    let pod = candidate("shop", Some("db"), "db-0");
    assert!(istioctl::taken(&named, &pod, Some(&stateful), &["postgres"]).is_empty(), "istioctl loses it");
}

#[test]
fn namespaces_are_known_when_all_are_named() {
    assert_eq!(selection(&["a,b/x", "c"], &[]).namespaces(), Some(["a", "b", "c"].map(str::to_owned).into()));
    for any in [&["a", "/x"][..], &["a*"], &[]] {
        assert_eq!(selection(any, &[]).namespaces(), None, "{any:?}");
    }
    let without = selection(&[], &["kube-*", "shop/cart"]);
    assert!(without.excludes_namespace("kube-system") && !without.excludes_namespace("shop"));
    assert!(!without.covers_namespace("kube-system") && without.covers_namespace("shop"));
}

#[test]
fn a_replica_set_leads_to_its_deployment() {
    let pod = json!({"metadata": {"namespace": "shop", "labels": {"pod-template-hash": "5c4"},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "cart-5c4", "controller": true}]}});
    let check = |owners: &Owners, pod: &serde_json::Value, kind: &str, name: &str| {
        assert_eq!(owners.workload(pod), Some(Workload { kind: kind.to_owned(), name: name.to_owned() }));
    };
    check(&Owners::default(), &pod, "Deployment", "cart");
    let mut owners = Owners::default();
    owners.learn(&json!({"metadata": {"namespace": "shop", "name": "cart-5c4",
        "ownerReferences": [{"kind": "Deployment", "name": "cart-green"}]}}));
    check(&owners, &pod, "Deployment", "cart-green");
    let lone = json!({"metadata": {"namespace": "shop", "ownerReferences": [{"kind": "ReplicaSet", "name": "lone"}]}});
    check(&owners, &lone, "ReplicaSet", "lone");
    assert_eq!(owners.workload(&json!({"metadata": {}})), None);
}
