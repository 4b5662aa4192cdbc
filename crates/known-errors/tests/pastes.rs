//! Pastes of the field and texts of other software that only look like ours (`pastes/*.txt`). One half of them was written
//! before the rules that they try and is never looked at when a rule is changed: `held_out` says how well the rules hold
//! for what nobody has seen.
#![expect(clippy::print_stderr, reason = "the score is worth knowing, also where it is good enough")]

use known_errors::{Catalogue, ErrorMatchKind};

/// `=== id` and the text of a paste, up to the next.
fn cases(text: &str) -> Vec<(&str, &str)> {
    let blocks = text.strip_prefix("=== ").unwrap_or(text).split("\n=== ");
    blocks.filter_map(|block| block.split_once('\n')).collect()
}

#[track_caller]
fn score(name: &str, pastes: &str, look_alikes: &str) -> (usize, usize, usize, usize) {
    let catalogue = Catalogue::builtin();
    let (pastes, look_alikes) = (cases(pastes), cases(look_alikes));
    let (mut right, mut wrong) = (0, 0);
    for (id, text) in &pastes {
        assert!(catalogue.get(id).is_some(), "no entry {id}");
        let found = catalogue.find(text);
        let first = found.matches.first().map(|found| found.id.as_str());
        if first == Some(*id) {
            right += 1;
        } else {
            eprintln!("{name}: {first:?} instead of {id} in {text}");
        }
    }
    for (_, text) in &look_alikes {
        if let Some(found) = Catalogue::builtin().find(text).matches.first() {
            wrong += 1;
            let kind = if found.kind == ErrorMatchKind::Fuzzy { "fuzzy" } else { "sure" };
            eprintln!("{name}: {} ({kind}) in {text}", found.id);
        }
    }
    eprintln!("{name}: {right} of {} right, {wrong} of {} false", pastes.len(), look_alikes.len());
    (right, pastes.len(), wrong, look_alikes.len())
}

#[test]
fn pastes_are_recognised() {
    let (right, all, wrong, others) =
        score("known", include_str!("pastes/known.txt"), include_str!("pastes/look_alikes.txt"));
    assert_eq!(right, all);
    // A pod that cannot be scheduled is named by nothing but its name.
    assert!(wrong * 30 <= others, "{wrong} of {others}");
}

#[test]
fn held_out_pastes_are_recognised() {
    let (right, all, wrong, others) =
        score("held out", include_str!("pastes/held_out.txt"), include_str!("pastes/look_alikes_held_out.txt"));
    assert!(right * 100 >= all * 95, "{right} of {all}");
    assert!(wrong * 30 <= others, "{wrong} of {others}");
}
