//! Lines of every component, of several releases and wrapped in several ways, and lines of a healthy mesh
//! (`lines/*.txt`). One half was written before the rules that they try and is never looked at when a rule is changed.
#![expect(clippy::print_stderr, reason = "the score is worth knowing, also where it is good enough")]

use logs::signatures::{Source, match_event};
use logs::{DigestBuilder, SignatureHit};

/// `=== source id` and the lines of a case, up to the next.
fn cases(text: &str) -> Vec<(Source, &str, &str)> {
    let blocks = text.strip_prefix("=== ").unwrap_or(text).split("\n=== ");
    blocks
        .filter_map(|block| {
            let (head, lines) = block.split_once('\n')?;
            let (source, id) = head.split_once(' ')?;
            Some((source_of(source), id, lines))
        })
        .collect()
}

fn source_of(name: &str) -> Source {
    match name {
        "istiod" => Source::Istiod,
        "proxy" => Source::Proxy,
        "init" => Source::Init,
        "cni" => Source::Cni,
        "csi" => Source::Csi,
        "coredns" => Source::Coredns,
        "ztunnel" => Source::Ztunnel,
        "application" => Source::Application,
        "event" => Source::Event,
        other => panic!("no source {other}"),
    }
}

/// What the lines say, the gravest first.
fn hits(source: Source, lines: &str) -> Vec<SignatureHit> {
    if source == Source::Event {
        let (reason, message) = lines.split_once(' ').expect("a reason and a message");
        return match_event(reason, message).into_iter().collect();
    }
    let mut builder = DigestBuilder::new(source);
    lines.lines().for_each(|line| drop(builder.push(line)));
    builder.finish().signatures.into_iter().filter(|hit| !hit.normal).collect()
}

fn score(name: &str, known: &str, healthy: &str) -> (usize, usize, usize, usize) {
    let (known, healthy) = (cases(known), cases(healthy));
    let (mut right, mut wrong) = (0, 0);
    for (source, id, lines) in &known {
        let hits = hits(*source, lines);
        if hits.first().is_some_and(|hit| hit.id == *id) {
            right += 1;
        } else {
            let ids: Vec<_> = hits.iter().map(|hit| hit.id.as_str()).collect();
            eprintln!("{name}: {ids:?} instead of {id} in {source:?}: {lines}");
        }
    }
    for (source, _, lines) in &healthy {
        if let Some(hit) = hits(*source, lines).first() {
            wrong += 1;
            eprintln!("{name}: {} in {source:?}: {lines}", hit.id);
        }
    }
    eprintln!("{name}: {right} of {} right, {wrong} of {} healthy ones flagged", known.len(), healthy.len());
    (right, known.len(), wrong, healthy.len())
}

#[test]
fn lines_are_recognised() {
    let (right, all, wrong, _) = score("known", include_str!("lines/known.txt"), include_str!("lines/healthy.txt"));
    assert_eq!((right, wrong), (all, 0));
}

#[test]
fn held_out_lines_are_recognised() {
    let (right, all, wrong, _) =
        score("held out", include_str!("lines/held_out.txt"), include_str!("lines/healthy_held_out.txt"));
    assert!(right * 100 >= all * 95, "{right} of {all}");
    assert_eq!(wrong, 0);
}
