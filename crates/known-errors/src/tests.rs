//! The catalogue as data: every entry is complete and can be used.

use std::collections::BTreeSet;

use super::template::Template;
use super::{Catalogue, ErrorSource};

#[test]
fn every_entry_is_complete() {
    let catalogue = Catalogue::builtin();
    let of = |source| catalogue.entries().filter(|known| known.source == source).count();
    assert_eq!((of(ErrorSource::Guide), of(ErrorSource::Extended)), (15, 161));
    let mut ids = BTreeSet::new();
    for known in catalogue.entries() {
        assert!(ids.insert(&known.id), "{} twice", known.id);
        assert!(!known.reason.is_empty() && !known.recommendation.is_empty() && !known.docs.is_empty(), "{}", known.id);
        assert!(known.docs.iter().all(|link| link.starts_with("https://")), "{}", known.id);
        for text in std::iter::once(&known.template).chain(&known.also) {
            assert!(Template::parse(text).is_ok(), "{}: {text}: {:?}", known.id, Template::parse(text));
        }
    }
    for known in catalogue.entries() {
        assert!(known.alternatives.iter().all(|id| catalogue.get(id).is_some()), "{}", known.id);
    }
}

#[test]
fn search_takes_words_phase_and_source() {
    let catalogue = Catalogue::builtin();
    let ids = |text, phase, source| -> Vec<&str> {
        catalogue.search(text, phase, source).into_iter().map(|known| known.id.as_str()).collect()
    };
    assert_eq!(ids("REVISION get-upgrades", None, Some(ErrorSource::Guide)), ["guide/11-revision-incompatible"]);
    assert!(ids("", Some("plugin-ca"), None).contains(&"guide/8-akv-addon-missing"));
    assert_eq!(ids("", None, None).len(), catalogue.entries().len());
    assert!(ids("no such words anywhere", None, None).is_empty());
}
