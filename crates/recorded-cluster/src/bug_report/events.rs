//! Events from the table that `kubectl get events -o wide` printed, which is all that istioctl 1.30 keeps of them.
//! Times are ages there, so that they are as exact as the age is.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::super::resource::Resource;
use super::super::store::{Gvr, Store};

pub(super) fn add(store: &mut Store) {
    let gvr = Gvr::new("", "v1", "events");
    if store.resources.contains_key(&gvr) {
        return;
    }
    let Some(recorded_at) = store.recorded_at else { return };
    let Ok(content) = store.tree.document("cluster/events") else { return };
    let content = String::from_utf8_lossy(&content);
    let mut lines = content.lines();
    let Some(columns) = lines.next().and_then(Columns::of) else { return };
    let mut resource = Resource::new("Event");
    for line in lines.filter(|line| !line.trim().is_empty()) {
        if let Some(event) = event(store, &columns, line, recorded_at) {
            resource.push(&event);
        }
    }
    store.resources.insert(gvr, resource);
}

/// The columns of a table and where each begins, in characters.
struct Columns(Vec<(String, usize)>);

impl Columns {
    /// Names of columns have single blanks in them, and two or more between them.
    fn of(header: &str) -> Option<Self> {
        let mut columns = Vec::new();
        let (mut name, mut start, mut blanks) = (String::new(), 0, 2);
        for (index, character) in header.chars().enumerate() {
            if character == ' ' {
                blanks += 1;
                continue;
            }
            if blanks > 1 {
                if !name.is_empty() {
                    columns.push((std::mem::take(&mut name), start));
                }
                start = index;
            } else if blanks == 1 {
                name.push(' ');
            }
            name.push(character);
            blanks = 0;
        }
        columns.push((name, start));
        let wanted = ["NAMESPACE", "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE", "NAME"];
        wanted.iter().all(|wanted| columns.iter().any(|(name, _)| name == wanted)).then_some(Self(columns))
    }

    fn cell(&self, line: &[char], name: &str) -> String {
        let Some(index) = self.0.iter().position(|(column, _)| column == name) else { return String::new() };
        let start = self.0[index].1.min(line.len());
        let end = self.0.get(index + 1).map_or(line.len(), |(_, start)| (*start).min(line.len()));
        line[start..end].iter().collect::<String>().trim().to_owned()
    }
}

fn event(store: &Store, columns: &Columns, line: &str, now: Timestamp) -> Option<Value> {
    let line = line.chars().collect::<Vec<_>>();
    let cell = |name: &str| columns.cell(&line, name);
    let object = cell("OBJECT");
    let (singular, name) = object.split_once('/')?;
    let types = store.types.values();
    let kind =
        types.filter(|found| found.singular == singular).map(|found| found.kind.as_str()).next().unwrap_or(singular);
    let namespace = cell("NAMESPACE");
    let last = time(&cell("LAST SEEN"), now);
    let first = time(&cell("FIRST SEEN"), now).or(last);
    let component = cell("SOURCE");
    let mut involved = Map::from_iter([("kind".into(), json!(kind)), ("name".into(), json!(name))]);
    let is_cluster_wide = store.types.values().any(|found| found.kind == kind && !found.namespaced);
    if !is_cluster_wide {
        involved.insert("namespace".into(), json!(namespace));
    }
    let field = cell("SUBOBJECT");
    if !field.is_empty() {
        involved.insert("fieldPath".into(), json!(field));
    }
    Some(json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": cell("NAME"), "namespace": namespace, "creationTimestamp": first},
        "involvedObject": involved, "reason": cell("REASON"), "type": cell("TYPE"), "message": cell("MESSAGE"),
        "source": {"component": component.split(',').next().unwrap_or_default()},
        "firstTimestamp": first, "lastTimestamp": last, "count": cell("COUNT").parse::<u64>().unwrap_or(1),
    }))
}

/// The time that an age stands for: `4m46s`, `24m`, or `10m (x3 over 24m)`.
fn time(age: &str, now: Timestamp) -> Option<Timestamp> {
    let age = age.split_whitespace().next()?;
    let (mut seconds, mut number) = (0_i64, None);
    for character in age.chars() {
        let unit = match character {
            digit @ '0'..='9' => {
                let digit = i64::from(u32::from(digit) - u32::from('0'));
                number = Some(number.unwrap_or(0_i64).checked_mul(10)?.checked_add(digit)?);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 24 * 3600,
            'y' => 365 * 24 * 3600,
            _ => return None,
        };
        seconds = seconds.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    now.checked_sub(SignedDuration::from_secs(seconds)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_times_before_the_recording() {
        let now: Timestamp = "2026-11-25T11:00:00Z".parse().expect("it is a time");
        let check = |age: &str, expected: Option<&str>| {
            assert_eq!(time(age, now).map(|time| time.to_string()).as_deref(), expected, "{age}");
        };
        check("4m46s", Some("2026-11-25T10:55:14Z"));
        check("1d", Some("2026-11-24T11:00:00Z"));
        check("10m (x3 over 24m)", Some("2026-11-25T10:50:00Z"));
        check("<unknown>", None);
        check("", None);
        check("99999999999999999999y", None);
    }
}
