//! All entries, ready to be searched: those of the data file, and those that an operator adds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::entry::{Entry, EntryText, ErrorSource, KnownError};
use super::fold::Shape;
use super::fuzzy::Grams;
use super::index::Index;
use super::operator::{self, ErrorCatalogueProblem};
use super::surroundings::{WordLists, Words};
use super::template::Template;

/// The known errors, and what finds them in a text. Building one takes milliseconds: build once and share.
#[derive(Debug)]
pub struct Catalogue {
    pub(crate) entries: Vec<Arc<Entry>>,
    pub(super) ids: BTreeMap<String, usize>,
    pub(super) spaced: Index,
    pub(super) squeezed: Index,
    pub(super) grams: Grams,
    pub(super) squeezed_grams: Grams,
    pub(super) words: Words,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataFile {
    words: WordLists,
    errors: Vec<EntryText>,
}

static BUILTIN: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
    let file: DataFile =
        serde_saphyr::from_str(include_str!("catalogue.yaml")).expect("a test reads the catalogue that is compiled in");
    let entries = file.errors.into_iter().map(|text| Arc::new(Entry::from(text))).collect();
    Arc::new(Catalogue::new(entries, file.words))
});

impl Catalogue {
    /// The catalogue of this release, read at the first call.
    pub fn builtin() -> Arc<Self> {
        Arc::clone(&BUILTIN)
    }

    /// This catalogue and the entries of some files, with what could not be used of them. The caller reads the folder:
    /// names and texts of its YAML files, each with a list `errors` as in `catalogue.yaml`.
    #[must_use]
    pub fn with_folder_entries<N: AsRef<str>, T: AsRef<str>>(
        &self,
        files: impl IntoIterator<Item = (N, T)>,
    ) -> (Self, Vec<ErrorCatalogueProblem>) {
        let mut taken: BTreeSet<String> = self.ids.keys().cloned().collect();
        let (added, problems) = operator::read(files, &mut taken);
        let entries = self.entries.iter().cloned().chain(added.into_iter().map(Arc::new)).collect();
        (Self::new(entries, self.words.lists.clone()), problems)
    }

    fn new(entries: Vec<Arc<Entry>>, words: WordLists) -> Self {
        let mut templates = Vec::new();
        for (index, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.structural) {
            for text in std::iter::once(&entry.known.template).chain(&entry.known.also) {
                // Operators' templates were checked when they were read, ours are by a test.
                templates.extend(Template::parse(text).map(|template| (index, template)));
            }
            for text in &entry.near_mesh_word {
                let template = Template::parse(text).map(|template| Template { near_mesh_word: true, ..template });
                templates.extend(template.map(|template| (index, template)));
            }
        }
        let templates = || templates.iter().map(|(entry, template)| (*entry, template));
        let spaced = Index::new(Shape::Spaced, templates());
        let squeezed = Index::new(Shape::Squeezed, templates());
        let (grams, squeezed_grams) = (Grams::new(&spaced), Grams::new(&squeezed));
        let ids = entries.iter().enumerate().map(|(index, entry)| (entry.known.id.clone(), index)).collect();
        Self { entries, ids, spaced, squeezed, grams, squeezed_grams, words: Words::new(words) }
    }

    /// All entries, in the order of the catalogue.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &KnownError> {
        self.entries.iter().map(|entry| &entry.known)
    }

    /// The entry with this id.
    pub fn get(&self, id: &str) -> Option<&KnownError> {
        self.ids.get(id).map(|index| &self.entries[*index].known)
    }

    /// The entries that have all words of a text somewhere (in any case), and this phase and source. `None` and an empty text
    /// restrict nothing.
    pub fn search(&self, text: &str, phase: Option<&str>, source: Option<ErrorSource>) -> Vec<&KnownError> {
        let text = text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let wanted = |known: &&KnownError| {
            phase.is_none_or(|phase| known.phase.eq_ignore_ascii_case(phase))
                && source.is_none_or(|source| known.source == source)
                && has_all(known, &words)
        };
        self.entries().filter(wanted).collect()
    }
}

fn has_all(known: &KnownError, words: &[&str]) -> bool {
    if words.is_empty() {
        return true;
    }
    let fields = [&known.id, &known.message, &known.template, &known.reason, &known.recommendation];
    let all = fields.into_iter().chain(&known.also).map(|field| field.to_lowercase()).collect::<Vec<_>>().join("\n");
    words.iter().all(|word| all.contains(word))
}
