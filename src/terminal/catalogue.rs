//! `meshtriage steps`: what there is to run, and what each step takes and needs.

use std::{fmt::Write as _, process::ExitCode};

use serde_json::Value;

use super::{output, usage};
use crate::{
    cluster::nearest,
    report::Format,
    steps::{self, AnyStep, STEPS},
};

/// Prints all steps, or one in full.
pub fn steps(id: Option<&str>) -> anyhow::Result<ExitCode> {
    let width = output::width();
    let Some(id) = id else {
        output::write(&list(width))?;
        return Ok(ExitCode::SUCCESS);
    };
    let Some(step) = steps::find(id) else { return Ok(usage(&unknown(id))) };
    output::write(&described(step, width))?;
    Ok(ExitCode::SUCCESS)
}

/// One line for a step that does not exist.
pub(super) fn unknown(id: &str) -> String {
    let names = nearest(id, STEPS.iter().map(|step| step.about().id));
    let hint = if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(" or ")) };
    format!("there is no step {id:?}{hint} `meshtriage steps` lists them all")
}

fn list(width: usize) -> String {
    let longest = STEPS.iter().map(|step| step.about().id.len()).max().unwrap_or_default();
    let mut out = String::new();
    for step in STEPS {
        let about = step.about();
        let title: String = about.title.chars().take(width.saturating_sub(longest + 2).max(20)).collect();
        let _ = writeln!(out, "{:longest$}  {title}", about.id);
    }
    out.push_str("\n`meshtriage steps STEP` tells the inputs of one.\n");
    out
}

fn described(step: &dyn AnyStep, width: usize) -> String {
    let about = step.about();
    let mut out = format!("{}: {}\n\n", about.id, about.title);
    paragraph(&mut out, "", about.description, width);
    let _ = writeln!(out, "\nEndpoint: {} {}", about.method, about.endpoint);
    let _ = writeln!(out, "Command:  {}", about.command);
    let _ = writeln!(out, "Docs:     {}", about.docs);
    if about.mutating {
        out.push_str("Changes the cluster: needs --enable-actions, and is a dry run unless told otherwise.\n");
    }
    out.push_str("\nInputs (--input name=value, repeat a name for a list):\n");
    let schema = step.input_schema();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let must = if required.iter().any(|one| one == name) { ", required" } else { "" };
        let _ = writeln!(out, "  {name} ({}{must})", kind(property, &schema));
        paragraph(&mut out, "      ", property["description"].as_str().unwrap_or_default(), width);
    }
    out.push_str("  min_severity, top, view=summary, sort\n");
    paragraph(&mut out, "      ", "How much of the answer is shown, and in which order.", width);
    out.push_str("\nPermissions that the caller needs:\n");
    for permission in about.permissions {
        let group = if permission.group.is_empty() { String::new() } else { format!(".{}", permission.group) };
        let _ = writeln!(out, "  {} {}{group}", permission.verb, permission.resource);
    }
    let formats = Format::ALL.map(Format::name).join(", ");
    out.push('\n');
    paragraph(&mut out, "", &format!("Formats (--format): {formats}"), width);
    out.push_str("\nExit codes: see `meshtriage run --help`.\n");
    out
}

/// The type of an input in words.
fn kind(property: &Value, schema: &Value) -> String {
    if let Some(reference) = property["$ref"].as_str() {
        return kind(schema.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null), schema);
    }
    if let Some(all) = property["enum"].as_array() {
        return all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|");
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(all) = property[several].as_array() {
            let kinds: Vec<_> = all.iter().filter(|one| one["type"] != "null").map(|one| kind(one, schema)).collect();
            if all.iter().all(|one| one["const"].is_string() || one["enum"].is_array()) {
                return kinds.join("|");
            }
            return kinds.into_iter().next().unwrap_or_default();
        }
    }
    if let Some(only) = property["const"].as_str() {
        return only.to_owned();
    }
    let name = match &property["type"] {
        Value::String(name) => name.as_str(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default(),
        _ => "",
    };
    match name {
        "array" => format!("list of {}", kind(&property["items"], schema)),
        "" => "any".to_owned(),
        name => name.to_owned(),
    }
}

/// Words in lines that fit.
fn paragraph(out: &mut String, indent: &str, text: &str, width: usize) {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && indent.len() + line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(out, "{indent}{line}");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(out, "{indent}{line}");
    }
}
