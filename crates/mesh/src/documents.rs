//! Objects from files: documents found, lists unfolded, and what could not be read.

use std::sync::Arc;

use super::kind::Kind;
use super::object::{LOCAL_CLUSTER, Object, Source};
use super::tree::{Tree, TreeBuilder};
use super::view::View;
use super::yaml::{self, Piece};

/// A document that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The file, or the kind of a live list.
    pub from: String,
    pub line: Option<usize>,
    pub why: String,
}

/// What one file gave, in the order of its documents.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub objects: Vec<Arc<Object>>,
    pub malformed: Vec<Malformed>,
}

/// Below this, threads cost more than they save.
const WORTH_A_THREAD_BYTES: usize = 64 << 10;

/// Reads files, sharing their documents out among threads; the order is that of the files all the same.
pub(super) fn read<T: AsRef<str>>(files: &[(T, T)]) -> Found {
    let names: Vec<Arc<str>> = files.iter().map(|(name, _)| name.as_ref().into()).collect();
    let pieces: Vec<(usize, Piece<'_>)> = files
        .iter()
        .enumerate()
        .flat_map(|(file, (name, text))| {
            pieces_of(name.as_ref(), text.as_ref()).into_iter().map(move |piece| (file, piece))
        })
        .collect();
    let bytes: usize = pieces.iter().map(|(_, piece)| piece.text.len()).sum();
    let threads = if bytes < WORTH_A_THREAD_BYTES {
        1
    } else {
        std::thread::available_parallelism().map_or(1, usize::from).min(8)
    };
    let (names, mut found) = (&names, Found::default());
    let shares: Vec<Found> = std::thread::scope(|scope| {
        let mut shares = shares_of(&pieces, bytes / threads + 1).into_iter();
        let first = shares.next();
        let workers: Vec<_> = shares.map(|share| scope.spawn(move || read_share(share, names))).collect();
        let mut found: Vec<Found> = first.map(|share| read_share(share, names)).into_iter().collect();
        for worker in workers {
            found.push(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        found
    });
    for share in shares {
        found.objects.extend(share.objects);
        found.malformed.extend(share.malformed);
    }
    found
}

fn pieces_of<'t>(name: &str, text: &'t str) -> Vec<Piece<'t>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_json(name) { vec![Piece { line: 1, text }] } else { yaml::split(text) }
}

fn shares_of<'p, 't>(pieces: &'p [(usize, Piece<'t>)], bytes: usize) -> Vec<&'p [(usize, Piece<'t>)]> {
    let (mut shares, mut start, mut size) = (Vec::new(), 0, 0);
    for (index, (_, piece)) in pieces.iter().enumerate() {
        size += piece.text.len();
        if size >= bytes {
            shares.push(&pieces[start..=index]);
            (start, size) = (index + 1, 0);
        }
    }
    if start < pieces.len() {
        shares.push(&pieces[start..]);
    }
    shares
}

fn read_share(share: &[(usize, Piece<'_>)], names: &[Arc<str>]) -> Found {
    let mut found = Found::default();
    let mut builder = TreeBuilder::default();
    let cluster: Arc<str> = LOCAL_CLUSTER.into();
    for (file, piece) in share {
        let name = &names[*file];
        if is_json(name)
            && let Ok(tree) = serde_json::from_str::<Tree>(piece.text)
        {
            unfold(tree, Source { file: name.clone(), line: None }, &cluster, &mut found);
            continue;
        }
        for document in yaml::parse(*piece, &mut builder) {
            match document {
                Ok(tree) => {
                    let line = if is_json(name) { None } else { u32::try_from(piece.line).ok() };
                    unfold(tree, Source { file: name.clone(), line }, &cluster, &mut found);
                }
                Err(error) => {
                    found.malformed.push(Malformed { from: name.to_string(), line: Some(error.line), why: error.what });
                }
            }
        }
    }
    found
}

fn is_json(name: &str) -> bool {
    std::path::Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

/// Takes a document apart if it is a list. Kinds that we do not know are left out in silence, as they are no part of
/// the mesh.
fn unfold(tree: Tree, source: Source, cluster: &Arc<str>, found: &mut Found) {
    let root = tree.root();
    let (api_version, kind) = (root.get("apiVersion").text(), root.get("kind").text());
    if !root.is_set() {
        return;
    }
    if !root.is_map() || api_version.is_empty() && kind.is_empty() {
        found.malformed.push(Malformed {
            from: source.file.to_string(),
            line: source.line.map(|line| line as usize),
            why: "not a Kubernetes object: it has neither apiVersion nor kind".into(),
        });
    } else if kind == "List" {
        for item in root.get("items").items() {
            let line = source.line.and(item.line());
            unfold(item.to_tree(), Source { file: source.file.clone(), line }, cluster, found);
        }
    } else if let Some(kind) = Kind::of_document(api_version, kind) {
        found.objects.push(Arc::new(Object::new(kind, cluster.clone(), tree, Some(source))));
    }
}

impl View<'_> {
    /// A document of its own, with the lines it had.
    fn to_tree(self) -> Tree {
        let mut builder = TreeBuilder::default();
        super::object::copy_all(self, &mut builder);
        builder.finish().unwrap_or_else(|_| Tree::null())
    }
}
