//! Answers which of many hosts have a name in common with a given one, without comparing it with each.

use std::collections::{BTreeSet, HashMap};

/// Hosts, each with a value, by the ways in which hosts overlap: they are equal, or one is a wildcard that covers the
/// other. See [`overlap`](super::host::overlap), which says the same for two hosts.
#[derive(Debug)]
pub struct HostIndex<T> {
    /// Every host without its `*`, backwards, so that those with one ending lie side by side.
    backwards: Vec<(Vec<u8>, T)>,
    exact: HashMap<Vec<u8>, Vec<T>>,
    /// What follows the `*` of wildcards, and how long these endings are.
    wildcards: HashMap<Vec<u8>, Vec<T>>,
    lengths: BTreeSet<usize>,
}

impl<T: Copy + Ord> HostIndex<T> {
    pub fn new<'h>(hosts: impl Iterator<Item = (&'h str, T)>) -> Self {
        let mut index =
            Self { backwards: Vec::new(), exact: HashMap::new(), wildcards: HashMap::new(), lengths: BTreeSet::new() };
        for (host, value) in hosts {
            let ending = host.strip_prefix('*');
            let text = ending.unwrap_or(host).as_bytes();
            index.backwards.push((text.iter().rev().copied().collect(), value));
            if ending.is_some() {
                index.wildcards.entry(text.to_vec()).or_default().push(value);
                index.lengths.insert(text.len());
            } else {
                index.exact.entry(text.to_vec()).or_default().push(value);
            }
        }
        index.backwards.sort_unstable();
        index
    }

    /// The values of the hosts that have a name in common with this one, some perhaps twice.
    pub fn overlapping(&self, host: &str) -> impl Iterator<Item = T> {
        let ending = host.strip_prefix('*');
        let text = ending.unwrap_or(host).as_bytes();
        let covered = match ending {
            None => &[],
            Some(_) => self.ending_with(text),
        };
        let equal = if ending.is_none() { self.exact.get(text) } else { None };
        let covering = self.lengths.range(..=text.len()).filter_map(move |length| {
            // Of equal length it is among the covered ones already, if this is a wildcard.
            let is_new = ending.is_none() || *length < text.len();
            is_new.then(|| self.wildcards.get(&text[text.len() - length..])).flatten()
        });
        let covered = covered.iter().map(|(_, value)| *value);
        covered.chain(equal.into_iter().flatten().copied()).chain(covering.flatten().copied())
    }

    fn ending_with(&self, ending: &[u8]) -> &[(Vec<u8>, T)] {
        let start: Vec<u8> = ending.iter().rev().copied().collect();
        let from = self.backwards.partition_point(|(text, _)| text[..] < start[..]);
        let length = self.backwards[from..].partition_point(|(text, _)| text.starts_with(&start));
        &self.backwards[from..from + length]
    }
}

#[cfg(test)]
mod tests {
    use super::super::host;
    use super::*;

    #[test]
    fn says_the_same_as_comparing_each() {
        let hosts = ["*", "a.com", "b.a.com", "*.a.com", "*a.com", "", "*.com", "com", "é.com", "*.b.a.com", "c"];
        let index = HostIndex::new(hosts.iter().copied().zip(0..));
        for host in hosts {
            let found: BTreeSet<usize> = index.overlapping(host).collect();
            let expected: BTreeSet<usize> =
                (0..hosts.len()).filter(|other| host::overlap(host, hosts[*other])).collect();
            assert_eq!(found, expected, "{host}");
        }
    }
}
