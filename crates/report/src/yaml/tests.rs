//! What is written, byte for byte, and that it reads back the same.

use serde_json::json;

use super::*;

fn check(value: &Value, expected: &str) {
    assert_eq!(to_string(value), expected);
}

#[test]
fn lists_stand_under_their_key() {
    check(
        &json!({"b": [{"y": 1, "x": [1, [2, 3]]}], "a": {}, "c": [], "d": null, "e": {"f": true}}),
        "a: {}\nb:\n- x:\n  - 1\n  - - 2\n    - 3\n  \"y\": 1\nc: []\nd: null\ne:\n  f: true\n",
    );
}

#[test]
fn text_that_reads_as_something_else_is_quoted() {
    for text in [
        "true",
        "no",
        "on",
        "1",
        "0x1F",
        "1.5",
        "1e3",
        "",
        "~",
        "12:30",
        "2026-11-25",
        "2026-11-25T10:48:32Z",
        "007",
        "1_000",
        ".5",
        "+.inf",
    ] {
        check(&json!({ "k": text }), &format!("k: \"{text}\"\n"));
    }
    for text in ["true-ish", "v1", "1.2.3", "500m", "2Gi", "10.0.0.1", "a:b", "http://x:80/y", "_1", "istio-system"] {
        check(&json!({ "k": text }), &format!("k: {text}\n"));
    }
}

#[test]
fn text_with_yaml_marks_is_in_single_quotes() {
    for text in ["a: b", "*", "[x]", "a #b", "- a", "'", "@x", "ends:", " lead", "100%: x"] {
        let quoted = text.replace('\'', "''");
        check(&json!({ "k": text }), &format!("k: '{quoted}'\n"));
    }
    check(&json!({"k": "tab\there"}), "k: \"tab\\there\"\n");
    check(&json!({"k": "esc\u{1b}"}), "k: \"esc\\e\"\n");
}

#[test]
fn several_lines_are_a_block() {
    check(&json!({"k": "a\n  b\n\nc"}), "k: |-\n  a\n    b\n\n  c\n");
    check(&json!({"k": ["a\nb\n"]}), "k:\n- |\n  a\n  b\n");
    check(&json!({"k": "a\n\n"}), "k: |+\n  a\n\n");
    check(&json!({"k": "a \nb"}), "k: \"a \\nb\"\n");
}

#[test]
fn long_text_is_folded_after_column_80() {
    let words = ["word"; 20].join(" ");
    check(&json!({"k": &words}), &format!("k: {}\n  {}\n", ["word"; 16].join(" "), ["word"; 4].join(" ")));
}

#[test]
fn keys_are_in_natural_order() {
    let keys = ["b10", "b9", "a-b", "a", "aB", "a/b", "a1"];
    let map: serde_json::Map<_, _> = keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
    check(&Value::Object(map), "a: null\na-b: null\na/b: null\na1: null\naB: null\nb9: null\nb10: null\n");
}

fn any_value() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    let text = prop_oneof![
        "[ -~]{0,12}",
        "[ \n\t'\":#\\-?|>%@`{}\\[\\],&*!a0.]{0,10}",
        "(word ){10,30}end",
        "[a-z\u{e9}\u{85}\u{2028}\u{7}\u{feff}\n ]{0,8}",
        "[0-9:_.eExX+-]{1,8}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[ -~]{0,6}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(value in any_value()) {
        let written = to_string(&value);
        let read: Value = serde_saphyr::from_str(&written)
            .map_err(|error| proptest::test_runner::TestCaseError::fail(format!("{error}\n{written}")))?;
        proptest::prop_assert_eq!(&read, &value, "{}", written);
    }
}
