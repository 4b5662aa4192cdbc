//! What `kubectl get` prints of objects, with each of its outputs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    object::Object,
    table::{PrintedTable, nothing_found},
};
use report::yaml;

/// kubectl's `--output`; without it, its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KubectlOutput {
    /// The table with more columns.
    Wide,
    /// The objects.
    Yaml,
    /// The objects.
    Json,
    /// Type and name of each object.
    Name,
}

/// What the answer holds of each object besides its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Include {
    /// The object itself, as the API server has it, without `managedFields` and without secrets.
    Object,
}

/// What was asked for, as far as it shows in what kubectl prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    /// One object by its name, which is printed without a list around it.
    pub(crate) single: bool,
    /// Objects of several namespaces, whose table has a column for it.
    pub(crate) several: bool,
    /// The only namespace that was looked in.
    pub(crate) only: Option<&'a str>,
}

impl<'a> Found<'a> {
    pub(crate) fn of(namespaced: bool, namespaces: &'a [String], single: bool) -> Self {
        let only = match namespaces {
            [namespace] if namespaced => Some(namespace.as_str()),
            _ => None,
        };
        Self { single, several: namespaced && only.is_none(), only }
    }
}

pub(crate) fn kubectl_get(
    output: Option<KubectlOutput>,
    table: &PrintedTable,
    objects: &[Object],
    found: Found<'_>,
) -> String {
    match output {
        Some(KubectlOutput::Yaml) => yaml::to_string(&manifests(objects, found.single)),
        Some(KubectlOutput::Json) => indented(manifests(objects, found.single)),
        None | Some(KubectlOutput::Wide) if table.rows.is_empty() => nothing_found(found.only),
        None => table.text(false, found.several),
        Some(KubectlOutput::Wide) => table.text(true, found.several),
        Some(KubectlOutput::Name) => objects.iter().map(name).collect(),
    }
}

/// Objects as `kubectl get --output yaml` writes them in a list.
pub(crate) fn manifests_yaml(objects: &[Object]) -> String {
    yaml::to_string(&manifests(objects, false))
}

/// One object alone, or a list.
fn manifests(objects: &[Object], single: bool) -> Value {
    match objects {
        [only] if single => only.manifest(),
        several => json!({
            "apiVersion": "v1",
            "kind": "List",
            "metadata": {"resourceVersion": ""},
            "items": several.iter().map(Object::manifest).collect::<Vec<_>>(),
        }),
    }
}

/// kubectl indents by four and sorts the fields.
fn indented(mut value: Value) -> String {
    value.sort_all_objects();
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    value.serialize(&mut serializer).expect("a value is JSON");
    String::from_utf8(text).expect("JSON is UTF-8") + "\n"
}

/// `deployment.apps/cart`.
fn name(object: &Object) -> String {
    let group = object.text("/apiVersion").rsplit_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
    format!("{}{group}/{}\n", object.kind.to_ascii_lowercase(), object.name())
}
