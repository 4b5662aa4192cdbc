//! `meshtriage run` as a shell sees it: exit codes, and what goes to which stream.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{corpus_path, needs, recording_path};

fn meshtriage(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meshtriage")).args(arguments).output().unwrap()
}

fn analyze(file: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let path = corpus_path("analyze/cli/integration").join(file);
    let output = meshtriage(&[&["run", "istioctl.analyze", "--files", path.to_str().unwrap()], more].concat());
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn clean_file_is_said_to_be_clean() {
    needs!(Corpus);
    let (code, out, err) = analyze("destinationrule.yaml", &["--format", "raw", "--input", "compatible=true"]);
    assert_eq!((code, out.as_str()), (Some(0), ""));
    assert!(err.contains("No validation issues found when analyzing "), "{err}");
}

#[test]
fn findings_end_with_79_in_every_format() {
    needs!(Corpus);
    for format in ["json", "text", "raw", "yaml", "markdown", "slack", "adaptive-card", "html", "csv", "sarif", "junit"]
    {
        let (code, _, _) = analyze("virtualservice.yaml", &["--format", format, "--input", "compatible=true"]);
        assert_eq!(code, Some(79), "{format}");
    }
    let (_, _, err) = analyze("virtualservice.yaml", &["--format", "raw", "--input", "compatible=true"]);
    assert!(err.contains("Analyzers found issues when analyzing all namespaces."), "{err}");
}

#[test]
fn unreadable_file_is_named_and_ends_with_65() {
    needs!(Corpus);
    let (code, _, err) = analyze("invalid.yaml", &["--format", "text"]);
    assert_eq!(code, Some(65));
    assert!(err.contains("Error(s) adding files\n\terrors parsing content \""), "{err}");
    assert!(err.contains("invalid.yaml") && err.contains("neither apiVersion nor kind"), "{err}");
}

#[test]
fn file_of_another_kind_is_skipped() {
    needs!(Corpus);
    let (code, out, err) = analyze("invalid.md", &["--format", "json", "--input", "compatible=true"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("invalid.md, recognized file extensions are: [.json .yaml .yml]"), "{err}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["data"]["messages"], serde_json::json!([]));
    assert_eq!(answer["run"]["recorded"], false);
}

#[test]
fn files_are_proposed_on_top_of_a_recording() {
    needs!(Corpus);
    let recording = recording_path("upstream");
    let over = |file: &str| {
        let more = ["--capture", recording.to_str().unwrap(), "--input", "only_new=true", "--input", "compatible=true"];
        let (code, out, err) = analyze(file, &more);
        let answer: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
        let found = answer["findings"].as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap().to_owned());
        (code, found.collect::<Vec<_>>(), answer["data"]["objects"].as_u64().unwrap())
    };
    let (code, found, objects) = over("virtualservice.yaml");
    // Neither the host nor its subset is there.
    assert_eq!((code, found), (Some(79), vec!["IST0101".to_owned(), "IST0101".to_owned()]));
    assert!(objects > 50, "the recording's objects are there too: {objects}");
    let both = meshtriage(&["run", "kubectl.crds", "--demo", "--files", "x.yaml"]);
    assert_eq!(both.status.code(), Some(64));
}

#[test]
fn wrong_calls_end_with_64() {
    for arguments in [
        &["run", "istioctl.analyze", "--no-such-flag"][..],
        &["run", "no.such-step", "--demo"],
        &["run", "kubectl.istiod-logs", "--demo", "--input", "tail=x"],
        &["run", "kubectl.istiod-logs", "--demo", "--input", "tail"],
        &["run", "kubectl.istiod-logs", "--demo", "--format", "no-such"],
        &["no-such-command"],
    ] {
        let output = meshtriage(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
    assert_eq!(meshtriage(&["--help"]).status.code(), Some(0));
}
