//! Remedies that do not contradict each other. An effect brings none of its own; of two causes that would set one label of
//! one object to different values, the graver one decides.

use std::collections::BTreeMap;

use crate::answer::Cause;

/// Goes through the causes in their order.
pub(crate) fn reconcile(causes: &mut [Cause]) {
    let mut settled: BTreeMap<(String, String), (String, usize)> = BTreeMap::new();
    for cause in causes {
        let mut conflict = None;
        for (object, key, value) in labels(&cause.remedy) {
            match settled.get(&(object.clone(), key.clone())) {
                Some((other, rank)) if *other != value => conflict = Some((*rank, object)),
                Some(_) => {}
                None => {
                    settled.insert((object, key), (value, cause.rank));
                }
            }
        }
        if let Some((rank, object)) = conflict {
            cause.remedy = format!("First mend cause {rank}, which is about {object}, too: then look again.");
        }
    }
}

/// What `kubectl label` would set: object, key and value.
fn labels(remedy: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for part in remedy.split("kubectl label ").skip(1) {
        let command = part.split(['`', '\'', '\n', ';']).next().unwrap_or_default();
        let mut words = command.split_whitespace().filter(|word| !word.starts_with("--"));
        let (Some(kind), Some(name)) = (words.next(), words.next()) else { continue };
        for word in words {
            if let Some((key, value)) = word.split_once('=') {
                found.push((format!("{kind} {name}"), key.to_owned(), value.trim_end_matches(['.', ',']).to_owned()));
            } else if let Some(key) = word.strip_suffix('-') {
                found.push((format!("{kind} {name}"), key.to_owned(), String::new()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_commands_are_read() {
        let found = labels("Run `kubectl label namespace shop istio-injection- istio.io/rev=asm-1-30 --overwrite`.");
        let shop = "namespace shop".to_owned();
        let expected = [
            (shop.clone(), "istio-injection".to_owned(), String::new()),
            (shop, "istio.io/rev".to_owned(), "asm-1-30".to_owned()),
        ];
        assert_eq!(found, expected);
    }
}
