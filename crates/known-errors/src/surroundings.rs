//! Whose message a text is: many a message of Envoy or of a TLS library is printed by other software in the same words, so
//! that what stands round it decides whether the mesh is meant.

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use super::compare::Hit;
use super::fold::Folded;

/// What must stand round a message for an entry to be meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Needs {
    /// Nothing: the words are those of one program.
    #[default]
    Nothing,
    /// No other product, unless the mesh is named as well.
    NoOtherProduct,
    /// A word of the mesh, or nothing at all round the message.
    AloneOrMeshWord,
    /// A word of the mesh.
    MeshWord,
}

/// The words that tell, as the data file lists them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WordLists {
    /// Names of the mesh that nothing else has.
    mesh: Vec<String>,
    /// Words that speak of the mesh unless another product is named.
    likely_mesh: Vec<String>,
    /// What stands for something else although a word of the mesh is in it.
    never_mesh: Vec<String>,
    other_products: Vec<String>,
}

/// Finds the words that tell.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) lists: WordLists,
    automaton: AhoCorasick,
    meanings: Vec<Meaning>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Mesh,
    LikelyMesh,
    Nothing,
    OtherProduct,
}

/// Whom a text names.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Named {
    mesh: bool,
    likely_mesh: bool,
    other_product: bool,
}

impl Words {
    pub(super) fn new(lists: WordLists) -> Self {
        let kinds = [
            (&lists.mesh, Meaning::Mesh),
            (&lists.likely_mesh, Meaning::LikelyMesh),
            (&lists.never_mesh, Meaning::Nothing),
            (&lists.other_products, Meaning::OtherProduct),
        ];
        let (words, meanings): (Vec<&str>, Vec<Meaning>) = kinds
            .into_iter()
            .flat_map(|(words, meaning)| words.iter().map(move |word| (word.as_str(), meaning)))
            .unzip();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(aho_corasick::MatchKind::LeftmostLongest)
            .build(&words)
            .expect("some hundred words are within the automaton's limits");
        Self { lists, automaton, meanings }
    }

    pub(super) fn named(&self, text: &str) -> Named {
        let bytes = text.as_bytes();
        let mut named = Named::default();
        for found in self.automaton.find_iter(text) {
            // `redis` is none in `redistribute`, and `asm-` none in `plasma-1`.
            let begins = found.start() == 0 || !bytes[found.start() - 1].is_ascii_alphanumeric();
            let ends = bytes.get(found.end()).is_none_or(|next| !next.is_ascii_lowercase());
            match self.meanings[found.pattern().as_usize()] {
                Meaning::Mesh => named.mesh |= begins,
                Meaning::LikelyMesh => named.likely_mesh |= begins,
                Meaning::OtherProduct => named.other_product |= begins && ends,
                Meaning::Nothing => {}
            }
        }
        named
    }
}

impl Named {
    /// Whether the text speaks of the mesh.
    pub(super) fn the_mesh(self) -> bool {
        self.mesh || (self.likely_mesh && !self.other_product)
    }

    pub(super) fn meets(self, needs: Needs, alone: impl FnOnce() -> bool) -> bool {
        match needs {
            Needs::Nothing => true,
            Needs::NoOtherProduct => self.the_mesh() || !self.other_product,
            Needs::AloneOrMeshWord => self.the_mesh() || (!self.other_product && alone()),
            Needs::MeshWord => self.the_mesh(),
        }
    }
}

/// What tools print round a message of somebody else.
const FRAME: [&str; 17] = [
    "error",
    "warning",
    "warn",
    "info",
    "normal",
    "failed",
    "unhealthy",
    "kubelet",
    "over",
    "type",
    "reason",
    "age",
    "from",
    "message",
    "code",
    "http",
    "curl",
];
/// A text with more words of its own than this says something else too.
const FEW: usize = 2;

/// Whether a text is the message and little else.
pub(super) fn is_alone(text: &Folded, hit: &Hit) -> bool {
    let around = text.bytes[..hit.start].split(|byte| !byte.is_ascii_alphabetic());
    let around = around.chain(text.bytes[hit.end.max(hit.start)..].split(|byte| !byte.is_ascii_alphabetic()));
    let own = around.filter(|word| word.len() >= 3 && !FRAME.iter().any(|frame| frame.as_bytes() == *word));
    own.take(FEW + 1).count() <= FEW
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Words {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Words::new(WordLists {
            mesh: list(&["istio", "asm-"]),
            likely_mesh: list(&["gateway"]),
            never_mesh: list(&["bad gateway"]),
            other_products: list(&["nginx", "redis"]),
        })
    }

    #[test]
    fn a_likely_word_counts_only_without_another_product() {
        let words = words();
        for (text, mesh, other) in [
            ("istiod behind nginx", true, true),
            ("the gateway of the shop", true, false),
            ("nginx: the gateway", false, true),
            ("502 Bad Gateway", false, false),
            ("plasma-1 redistributes", false, false),
            ("redis-master-0, asm-1-29", true, true),
        ] {
            let named = words.named(text);
            assert_eq!((named.the_mesh(), named.other_product), (mesh, other), "{text}");
        }
    }

    #[test]
    fn each_need_is_met_by_what_it_says() {
        let words = words();
        let meets = |needs, text: &str, alone| words.named(text).meets(needs, || alone);
        assert!(meets(Needs::NoOtherProduct, "a shop", false) && !meets(Needs::NoOtherProduct, "nginx", true));
        assert!(meets(Needs::AloneOrMeshWord, "a shop", true) && !meets(Needs::AloneOrMeshWord, "a shop", false));
        assert!(!meets(Needs::AloneOrMeshWord, "nginx", true));
        assert!(meets(Needs::MeshWord, "istio", false) && !meets(Needs::MeshWord, "a shop", true));
    }
}
