//! Limits of the platforms, and that nothing of an answer is lost without a word.

use serde_json::{Value, json};

use super::*;
use crate::{Evidence, Subject};

fn findings(count: usize) -> Vec<Finding> {
    let one = |index: usize| Finding {
        code: "IST0101".into(),
        severity: [Severity::Error, Severity::Warning, Severity::Info][index % 3],
        subject: Subject::namespaced("VirtualService", "shop", format!("cart-{index}")),
        message: "Referenced host not found: <b> & \"chekout\" *.shop ".repeat(12),
        evidence: vec![Evidence::new("log of shop/cart-1", "GET /a?<b> `x` 503 \u{1b}[2J")],
        remedy: "kubectl --namespace shop edit virtualservice `cart` --cert=<file>".repeat(8),
        docs: "https://istio.io/latest/docs/".into(),
        fingerprint: "v1:0".to_owned(),
        found_by: Vec::new(),
        discriminator: String::new(),
    };
    (0..count).map(one).collect()
}

fn written(format: Format, count: usize) -> String {
    let findings = findings(count);
    let skipped: Vec<_> = (0..10).map(|index| Skipped::new(format!("part {index}"), "forbidden: no")).collect();
    let shown = Shown {
        step: "istioctl.analyze",
        title: "Analyze the configuration",
        summary: "many <errors> & more",
        verdict: Some(Verdict::Error),
        counts: Counts::of(&findings),
        findings: &findings,
        not_shown: 0,
        skipped: &skipped,
        commands: &["istioctl analyze --all-namespaces".to_owned()],
        output: Some("NAME\ncart <x>\n"),
        at: "2026-01-01T00:00:00Z",
        link: "https://triage.example/v1/runs/1",
        fail_on: Severity::Error,
    };
    write(format, &shown, &json!({"summary": shown.summary}))
}

#[test]
fn slack_takes_the_message_however_much_was_found() {
    for count in [0, 1, 5, 1000] {
        let text = written(Format::Slack, count);
        assert!(text.chars().count() <= 13_000, "{count}: {}", text.len());
        let message: Value = serde_json::from_str(&text).unwrap();
        let blocks = message["blocks"].as_array().unwrap();
        assert!((3..=50).contains(&blocks.len()));
        for block in blocks {
            let longest = if block["type"] == "header" { 150 } else { 3000 };
            let text = block["text"]["text"].as_str().or_else(|| block["elements"][0]["text"].as_str()).unwrap();
            assert!(!text.is_empty() && text.chars().count() <= longest, "{block}");
            assert!(block["type"] == "header" || !text.contains("<b>"), "{block}");
        }
        let last = blocks.last().unwrap()["elements"][0]["text"].as_str().unwrap();
        assert!(last.contains("<https://triage.example/v1/runs/1|The whole answer>"), "{last}");
        assert_eq!(last.contains("findings are not shown"), count == 1000, "{last}");
        assert!(last.contains("7 more parts were not seen"), "{last}");
        assert_eq!(message["text"].as_str().unwrap().lines().count(), if count == 0 { 2 } else { 3 });
    }
}

#[test]
fn teams_takes_the_card_however_much_was_found() {
    for count in [0, 1, 1000] {
        let text = written(Format::AdaptiveCard, count);
        assert!(text.len() <= 20_000, "{count}: {}", text.len());
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(message["attachments"][0]["contentType"], "application/vnd.microsoft.card.adaptive");
        let card = &message["attachments"][0]["content"];
        assert_eq!(card["actions"][0]["url"], "https://triage.example/v1/runs/1");
        assert_eq!(text.contains("more findings are not shown"), count == 1000);
    }
    assert!(Format::AdaptiveCard.content_type().contains("charset=utf-8"));
}

#[test]
fn a_page_has_no_markup_of_others_and_nothing_of_other_hosts() {
    let page = written(Format::Html, 3);
    assert!(!page.contains("<b>") && !page.contains("<file>") && !page.contains("cart <x>"));
    assert!(!page.contains("<script") && !page.contains(" src=") && !page.contains("@import"));
    assert!(!page.contains('\u{1b}'));
    assert!(page.find("Findings").unwrap() < page.find("Not seen").unwrap());
    assert!(page.contains("part 9") && page.contains("cart &lt;x&gt;"));
}

#[test]
fn text_says_what_was_found_before_the_output() {
    let text = written(Format::Text, 2);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
    assert!(at("many <errors>") < at("ERROR [IST0101]"));
    assert!(at("WARNING [IST0101]") < at("Not seen:"));
    assert!(at("Not seen:") < at("Output:\n\nNAME\ncart <x>\n"));
    assert!(!text.contains('\u{1b}'));
    assert_eq!(written(Format::Raw, 2), "NAME\ncart <x>\n");
}

#[test]
fn a_terminal_gets_lines_of_its_width() {
    let findings = findings(1);
    let shown = Shown {
        step: "",
        title: "",
        summary: "nothing",
        verdict: Some(Verdict::Error),
        counts: Counts::default(),
        findings: &findings,
        not_shown: 2,
        skipped: &[],
        commands: &[],
        output: None,
        at: "",
        link: "",
        fail_on: Severity::Error,
    };
    let text = write_text(&shown, Style { colour: true, width: Some(80) });
    assert!(text.contains("\u{1b}[1;31mERROR [IST0101]\u{1b}[0m VirtualService shop/cart-0"), "{text}");
    assert!(text.lines().filter(|line| !line.contains('\u{1b}')).all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("2 more findings are not shown."));
}

#[test]
fn junit_fails_where_the_caller_wants_it_and_names_are_unique() {
    let xml = written(Format::Junit, 3);
    assert!(xml.contains("tests=\"13\" failures=\"1\""), "{xml}");
    assert_eq!(xml.matches("<failure type=\"error\"").count(), 1);
    assert_eq!(xml.matches("<system-out>").count(), 2);
    let names: std::collections::BTreeSet<_> = xml.split("<testcase ").skip(1).map(|it| it.split('>').next()).collect();
    assert_eq!(names.len(), 13);
}

#[test]
fn sarif_has_a_place_in_a_file_for_every_result() {
    let report: Value = serde_json::from_str(&written(Format::Sarif, 3)).unwrap();
    let run = &report["runs"][0];
    assert_eq!(run["automationDetails"]["id"], "istioctl.analyze/");
    for result in run["results"].as_array().unwrap() {
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.starts_with("cluster/shop/VirtualService/cart-") && place["region"]["startLine"] == 1, "{place}");
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
    }
    assert!(run["tool"]["driver"]["rules"][0]["shortDescription"]["text"].is_string());
}

#[test]
fn every_name_is_found_and_every_form_names_the_parts_that_were_not_seen() {
    for format in Format::ALL {
        assert_eq!(Format::named(format.name()), Some(format));
        if !matches!(format, Format::Json | Format::Yaml | Format::Raw) {
            assert!(written(format, 2).contains("part 2"), "{}", format.name());
        }
    }
}
