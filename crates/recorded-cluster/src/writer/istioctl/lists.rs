//! Objects of several kinds as one YAML list, as kubectl prints them.

use std::io::Write;

use serde_json::{Value, json};
use tempfile::SpooledTempFile;

use super::super::budget::Section;
use super::super::objects::{JSON, Listed, Page, part, paths, paths_in};
use super::super::recording::Recording;
use super::super::spool::Cleaner;
use super::Place;
use report::yaml;

/// A kind that cannot be listed is noted, and the others are written.
pub(super) async fn record(recording: &Recording, name: &str, resources: &[Listed], place: Place) {
    let file = format!("cluster/{name}");
    let mut list = List { content: recording.spool(), count: 0 };
    for listed in resources {
        let added = match recording.spent.allows(Section::Objects) {
            Ok(()) => add(recording, &mut list, listed, place).await,
            Err(why) => Err(why),
        };
        if let Err(why) = added {
            let gvr = &listed.gvr;
            recording.fail(&format!("{file}.{}.{}", gvr.plural, gvr.version), &gvr.path(), &why).await;
        }
    }
    match list.finish() {
        Ok(content) => recording.put(Section::Objects, file, content).await,
        Err(error) => recording.fail(&file, &file, &format!("cannot be kept: {error}")).await,
    }
}

async fn add(recording: &Recording, list: &mut List, listed: &Listed, place: Place) -> Result<(), String> {
    let paths = match place {
        Place::Everywhere => paths(recording, listed),
        Place::ControlPlane => paths_in(&recording.options.control_plane, &listed.gvr),
    };
    for path in paths {
        let mut token = String::new();
        loop {
            let content = part(recording, &path, JSON, &token).await?;
            let cleaner = Cleaner::new(recording, listed.gvr.clone());
            let page = tokio::task::spawn_blocking(move || yaml_of(&content, &cleaner));
            let (items, next) = page.await.map_err(|error| error.to_string())??;
            for item in items {
                list.push(&item).map_err(|error| error.to_string())?;
            }
            token = next;
            if token.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

/// The objects of a page as items of a YAML list, and the token of the next page.
fn yaml_of(content: &[u8], cleaner: &Cleaner) -> Result<(Vec<String>, String), String> {
    let page = Page::parse(content)?;
    let kind = page.kind.strip_suffix("List").unwrap_or_default().to_owned();
    let mut items = Vec::new();
    for item in page.items.into_iter().flatten() {
        let mut item: Value = serde_json::from_str(item.get()).map_err(|error| error.to_string())?;
        if !cleaner.clean(&mut item) {
            continue;
        }
        // Objects of a list do not say what they are; kubectl does.
        if let Some(fields) = item.as_object_mut() {
            fields.entry("apiVersion").or_insert_with(|| json!(cleaner.api_version()));
            fields.entry("kind").or_insert_with(|| json!(kind));
        }
        items.push(yaml::to_string(&json!([item])));
    }
    Ok((items, page.metadata.next))
}

struct List {
    content: SpooledTempFile,
    count: usize,
}

impl List {
    fn push(&mut self, item: &str) -> std::io::Result<()> {
        if self.count == 0 {
            self.content.write_all(b"apiVersion: v1\nitems:\n")?;
        }
        self.count += 1;
        self.content.write_all(item.as_bytes())
    }

    fn finish(mut self) -> std::io::Result<SpooledTempFile> {
        if self.count == 0 {
            self.content.write_all(b"apiVersion: v1\nitems: []\n")?;
        }
        self.content.write_all(b"kind: List\nmetadata:\n  resourceVersion: \"\"\n")?;
        Ok(self.content)
    }
}
