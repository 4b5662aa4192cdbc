//! The hosts of one `VirtualService`: which of them name the same thing, and which SNI hosts they cover, found
//! without comparing each with each.

use std::collections::{BTreeMap, BTreeSet};

use super::super::problem::Outcome;

/// So many pairs are listed; beyond that, a reader learns nothing new.
const MAX_PAIRS: usize = 1000;

/// Where each host stands in the list: the names in full, and the wildcards by what follows their `*`.
pub(super) struct Hosts<'a> {
    pub(super) all: Vec<&'a str>,
    exact: BTreeMap<&'a str, Vec<usize>>,
    wildcard: BTreeMap<&'a str, Vec<usize>>,
}

impl<'a> Hosts<'a> {
    pub(super) fn of(hosts: impl Iterator<Item = &'a str>) -> Self {
        let mut index = Self { all: hosts.collect(), exact: BTreeMap::new(), wildcard: BTreeMap::new() };
        for (position, host) in index.all.iter().enumerate() {
            match host.strip_prefix('*') {
                Some(suffix) => index.wildcard.entry(suffix).or_default().push(position),
                None => index.exact.entry(host).or_default().push(position),
            }
        }
        index
    }

    /// The positions of hosts that have every name of `host`, itself among them if it is in the list.
    fn covering<'h>(&self, host: &'h str) -> impl Iterator<Item = usize> + use<'_, 'a, 'h> {
        let equal = if host.starts_with('*') { None } else { self.exact.get(host) };
        let tail = host.strip_prefix('*').unwrap_or(host);
        let tails = tail.char_indices().map(move |(at, _)| &tail[at..]).chain([""]);
        equal.into_iter().chain(tails.filter_map(|tail| self.wildcard.get(tail))).flatten().copied()
    }

    /// Whether every name of `host` is one of ours.
    pub(super) fn cover(&self, host: &str) -> bool {
        self.covering(host).next().is_some()
    }

    /// Reports the hosts that have names in common.
    pub(super) fn check(&self, outcome: &mut Outcome) {
        let mut pairs = BTreeSet::new();
        'hosts: for (position, host) in self.all.iter().enumerate() {
            for other in self.covering(host).filter(|other| *other != position) {
                pairs.insert((position.min(other), position.max(other)));
                if pairs.len() > MAX_PAIRS {
                    outcome.skip("more than 1000 pairs of duplicate hosts: the rest is not listed");
                    break 'hosts;
                }
            }
        }
        for (one, other) in pairs.into_iter().take(MAX_PAIRS) {
            outcome.error(format!("duplicate hosts in virtual service: {} & {}", self.all[one], self.all[other]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether two hosts have a name in common.
    fn hosts_overlap(one: &str, other: &str) -> bool {
        match (one.strip_prefix('*'), other.strip_prefix('*')) {
            (Some(one), Some(other)) => one.ends_with(other) || other.ends_with(one),
            (Some(suffix), None) => other.ends_with(suffix),
            (None, Some(suffix)) => one.ends_with(suffix),
            (None, None) => one == other,
        }
    }

    #[test]
    fn same_pairs_as_comparing_each_with_each() {
        let hosts = ["*", "a.com", "*.com", "*.a.com", "a.com", "b.org", "*a.com", "x.a.com", "*.com"];
        let mut expected = Vec::new();
        for (index, one) in hosts.iter().enumerate() {
            for other in &hosts[index + 1..] {
                if hosts_overlap(one, other) {
                    expected.push(format!("duplicate hosts in virtual service: {one} & {other}"));
                }
            }
        }
        let mut outcome = Outcome::default();
        Hosts::of(hosts.into_iter()).check(&mut outcome);
        let found: Vec<_> = outcome.errors.into_iter().map(|problem| problem.text).collect();
        assert_eq!(found, expected);
    }
}
