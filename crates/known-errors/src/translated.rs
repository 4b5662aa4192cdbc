//! Messages in another language than English: what is never translated (revisions, commands, names of fields) is enough for a
//! guess, and no more than that.

use super::catalogue::Catalogue;

/// Words that an English sentence hardly does without.
const ENGLISH: [&str; 16] = [
    "the", "is", "are", "not", "to", "of", "for", "with", "and", "that", "this", "please", "must", "has", "been",
    "cannot",
];

impl Catalogue {
    /// The entry whose untranslated parts a text has, the one with the most of them. English texts have entries of their own.
    pub(super) fn guess_translated(&self, text: &str) -> Option<usize> {
        let text = text.to_lowercase();
        if is_english(&text) {
            return None;
        }
        let has_all = |parts: &[String]| !parts.is_empty() && parts.iter().all(|part| has(&text, part));
        let guesses = self.entries.iter().enumerate().filter(|(_, entry)| has_all(&entry.untranslated));
        guesses
            .max_by_key(|(index, entry)| {
                (entry.untranslated.iter().map(String::len).sum::<usize>(), std::cmp::Reverse(*index))
            })
            .map(|(index, _)| index)
    }
}

fn is_english(text: &str) -> bool {
    let words = text.split(|character: char| !character.is_alphabetic());
    let mut seen: Vec<&str> = words.filter(|word| ENGLISH.contains(word)).collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len() >= 2
}

/// Whether a text has a part in which `#` stands for digits.
fn has(text: &str, part: &str) -> bool {
    let Some((first, rest)) = part.split_once('#') else { return text.contains(&part.to_lowercase()) };
    text.match_indices(first).any(|(at, _)| {
        let after = &text[at + first.len()..];
        let tail = after.trim_start_matches(|character: char| character.is_ascii_digit());
        tail.len() < after.len() && goes_on(tail, rest)
    })
}

fn goes_on(text: &str, rest: &str) -> bool {
    match rest.split_once('#') {
        None => text.starts_with(rest),
        Some((literal, rest)) => text.strip_prefix(literal).is_some_and(|after| {
            let tail = after.trim_start_matches(|character: char| character.is_ascii_digit());
            tail.len() < after.len() && goes_on(tail, rest)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_left_open() {
        assert!(has("die revision asm-1-27 ist", "asm-#-#"));
        assert!(!has("die revision asm-1- ist", "asm-#-#") && !has("asm-x", "asm-#-#"));
        assert!(has("nutzen sie 'az aks mesh get-upgrades'", "az aks mesh get-upgrades"));
    }

    #[test]
    fn english_is_told_from_other_languages() {
        assert!(is_english("the revision is gone"));
        assert!(!is_english("die revision ist in der region nicht da"));
        assert!(!is_english("de revisie is niet compatibel met de clusterversie"));
    }
}
