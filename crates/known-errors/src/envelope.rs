//! Takes a message out of what it came in: the JSON of Azure Resource Manager and Kubernetes, the text of Azure CLI.

use std::borrow::Cow;

use serde_json::Value;

/// A text to look up, taken from a paste.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Inner<'a> {
    pub text: Cow<'a, str>,
    /// The code that Azure CLI printed before it.
    pub(super) code: Option<String>,
}

/// A paste may carry JSON within JSON; deeper than this nobody packs.
const DEEPEST: usize = 4;
/// More messages than this are no error message.
const MOST: usize = 16;
/// How many braces are tried as the beginning of JSON.
const MOST_BEGINNINGS: usize = 8;

/// The texts inside a paste, the innermost first. The paste itself is not among them.
pub(super) fn open(paste: &str) -> Vec<Inner<'_>> {
    let mut inner = Vec::new();
    open_into(paste, 0, &mut inner);
    inner
}

fn open_into<'a>(text: &'a str, depth: usize, inner: &mut Vec<Inner<'a>>) {
    if depth >= DEEPEST || inner.len() >= MOST {
        return;
    }
    let mut messages = messages_of_json(text);
    if messages.is_empty() {
        messages.extend(message_of_broken_json(text));
    }
    for message in messages {
        let mut deeper = Vec::new();
        open_into(&message, depth + 1, &mut deeper);
        inner.extend(
            deeper.into_iter().map(|inner| Inner { text: Cow::Owned(inner.text.into_owned()), code: inner.code }),
        );
        inner.push(Inner { text: Cow::Owned(message), code: None });
    }
    if let Some((code, message)) = azure_cli(text) {
        open_into(message, depth + 1, inner);
        inner.push(Inner { text: Cow::Borrowed(message), code: Some(code.to_owned()) });
    }
    inner.truncate(MOST);
}

/// Messages of [ARM's error envelope][arm] (`error.code/message/details`), of a Kubernetes `Status`, and of likenesses.
///
/// [arm]: https://github.com/cloud-and-ai-microsoft/resource-provider-contract/blob/master/v1.0/common-api-details.md#error-response-content
fn messages_of_json(text: &str) -> Vec<String> {
    let mut messages = Vec::new();
    let beginnings = text.match_indices(['{', '[']).take(MOST_BEGINNINGS);
    for (start, _) in beginnings {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        if let Some(Ok(value)) = values.next() {
            collect(&value, 0, &mut messages);
            if !messages.is_empty() {
                break;
            }
        }
    }
    messages
}

fn collect(value: &Value, depth: usize, messages: &mut Vec<String>) {
    const DEEPEST_OBJECT: usize = 12;
    if depth > DEEPEST_OBJECT || messages.len() >= MOST {
        return;
    }
    match value {
        Value::Object(fields) => {
            // Details are nearer to the cause than what carries them.
            for name in ["details", "causes", "innererror", "innerError", "error", "properties", "statusMessage"] {
                if let Some(inner) = fields.get(name) {
                    collect_or_text(inner, depth, messages);
                }
            }
            if let Some(Value::String(message)) = fields.get("message").or_else(|| fields.get("Message")) {
                push(message, messages);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, depth + 1, messages)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn collect_or_text(value: &Value, depth: usize, messages: &mut Vec<String>) {
    match value {
        // `"error": "invalid_request"` is a code; a sentence is a message.
        Value::String(text) if text.contains(' ') => push(text, messages),
        other => collect(other, depth + 1, messages),
    }
}

fn push(message: &str, messages: &mut Vec<String>) {
    if !message.trim().is_empty() && messages.len() < MOST && !messages.iter().any(|known| known == message) {
        messages.push(message.to_owned());
    }
}

/// The `message` of JSON that was cut off, so that it cannot be parsed.
fn message_of_broken_json(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("\"message\"")?;
    let rest = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let mut escaped = false;
    let end = rest.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    let message = &rest[..end.unwrap_or(rest.len())];
    (!message.trim().is_empty()).then(|| message.to_owned())
}

/// Azure CLI prints `(Code) text`, then `Code: Code` and `Message: text` again.
fn azure_cli(text: &str) -> Option<(&str, &str)> {
    let start = text.find('(')?;
    // Before it stands `ERROR: ` at most: a bracket in the middle of a sentence is another thing.
    if start > 0 && !text[..start].trim_end().ends_with([':', '│', '>']) && !text[..start].trim().is_empty() {
        return None;
    }
    let (code, rest) = text[start + 1..].split_once(')')?;
    let named = (3..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    let message = rest.strip_prefix([' ', '\n'])?;
    if !named {
        return None;
    }
    let end = ["\nCode:", "\r\nCode:", " Code: "].iter().filter_map(|mark| message.find(mark)).min();
    Some((code, message[..end.unwrap_or(message.len())].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(paste: &str, expected: &[&str]) {
        let inner = open(paste);
        assert_eq!(inner.iter().map(|inner| inner.text.as_ref()).collect::<Vec<_>>(), expected, "{paste:?}");
    }

    #[test]
    fn arm_json_gives_details_before_the_message_round_them() {
        check(
            r#"Deployment failed. {"error":{"code":"A","message":"outer","details":[{"code":"B","message":"inner"}]}} tail"#,
            &["inner", "outer"],
        );
        check(
            r#"{"status":"Failed","error":{"message":"{\"error\":{\"message\":\"deep\"}}"}}"#,
            &["deep", r#"{"error":{"message":"deep"}}"#],
        );
    }

    #[test]
    fn cut_off_json_gives_what_is_left() {
        check(r#"{"error":{"code":"BadRequest","message":"Missing \"service"#, &[r#"Missing \"service"#]);
        check(r#"{"error":{"code":"BadRequest","message":"Missing","deta"#, &["Missing"]);
    }

    #[test]
    fn azure_cli_text_gives_the_message_once() {
        check("(BadRequest) Missing mode: \nCode: BadRequest\nMessage: Missing mode: ", &["Missing mode:"]);
        check("ERROR: (BadRequest) Missing mode. Code: BadRequest Message: Missing mode.", &["Missing mode."]);
        check("number of revisions (two) is wrong", &[]);
    }

    #[test]
    fn other_json_and_garbage_give_nothing() {
        check(r#"{"level":"info","msg":"all is well"}"#, &[]);
        check(&"{".repeat(100_000), &[]);
        check(&"[".repeat(100_000), &[]);
        check(&r#"{"details":"#.repeat(1_000), &[]);
    }
}
