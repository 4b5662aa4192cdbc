//! Finds templates in a folded text: one automaton over a telling stretch of each, then a look at what stands round it.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::compare::{Extent, Hit, Look, Paste};
use super::fold::{Folded, Shape};
use super::template::{Part, Template, Value};

/// Automaton and patterns of one shape.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) shape: Shape,
    pub(super) patterns: Vec<Pattern>,
    /// Finds the telling stretch of each pattern.
    anchors: Stretches,
    /// Finds the beginning of each pattern, for a text that was cut off before the telling stretch.
    heads: Stretches,
}

/// A template of an entry, ready for comparing.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Index of the entry.
    pub(super) entry: usize,
    pub(super) tokens: Vec<Token>,
    pub(super) values: Vec<Value>,
    /// The words are meant only near a word of the mesh.
    pub(super) near_mesh_word: bool,
    /// How many literal bytes it has.
    pub(super) literal: usize,
    /// The token by which it is found: its longest literal that occurs in no other entry.
    pub(super) anchor: usize,
    /// Whether that literal alone tells which entry it is.
    pub(super) telling: bool,
    /// How many literal bytes its beginning has in common with another entry: a text cut off there may be either.
    pub(super) shared: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    Literal(Vec<u8>),
    /// Index into the values of the pattern.
    Value(usize),
}

/// Longer stretches are told apart by comparing, which keeps the automaton small.
const LONGEST_NEEDLE: usize = 24;
/// The beginning of a template, by which a cut-off text is found.
const HEAD: usize = 12;
/// More hits than this in one text say nothing new.
const MOST_HITS: usize = 10_000;

impl Index {
    /// The templates come with the index of their entry; an entry may have several.
    pub(super) fn new<'a>(shape: Shape, templates: impl Iterator<Item = (usize, &'a Template)>) -> Self {
        let mut patterns: Vec<Pattern> =
            templates.filter_map(|(entry, template)| pattern(shape, entry, template)).collect();
        choose_anchors(&mut patterns);
        let anchors = Stretches::new(
            patterns.iter().map(|pattern| (pattern.anchor, pattern.needle(pattern.anchor, LONGEST_NEEDLE))),
        );
        let heads = Stretches::new(patterns.iter().map(|pattern| {
            let first = pattern.first_literal();
            (first, pattern.needle(first, HEAD))
        }));
        Self { shape, patterns, anchors, heads }
    }

    /// Every pattern that the text holds, in the order of the text.
    pub(super) fn search(&self, text: &Folded, paste: Paste) -> Vec<Hit> {
        self.hits(text, paste, &self.anchors)
    }

    /// Patterns whose beginning is the end of the text.
    pub(super) fn search_cut_off(&self, text: &Folded) -> Vec<Hit> {
        let mut hits = self.hits(text, Paste::Message, &self.heads);
        hits.retain(|hit| hit.extent == Extent::CutOff);
        hits
    }

    fn hits(&self, text: &Folded, paste: Paste, stretches: &Stretches) -> Vec<Hit> {
        debug_assert_eq!(self.shape, text.shape);
        let look = Look::new(text, paste);
        let mut hits = Vec::new();
        stretches.each(&text.bytes, |pattern, token, at| {
            hits.extend(look.look(pattern, &self.patterns[pattern], token, at));
            hits.len() < MOST_HITS
        });
        hits.sort_by_key(|hit| (hit.start, hit.pattern));
        hits
    }
}

impl Pattern {
    fn first_literal(&self) -> usize {
        self.tokens.iter().position(|token| matches!(token, Token::Literal(_))).unwrap_or(0)
    }

    fn needle(&self, token: usize, longest: usize) -> Vec<u8> {
        match &self.tokens[token] {
            Token::Literal(literal) => literal[..literal.len().min(longest)].to_vec(),
            Token::Value(_) => Vec::new(),
        }
    }

    pub(super) fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Literal(literal) => Some(literal.as_slice()),
            Token::Value(_) => None,
        })
    }
}

fn pattern(shape: Shape, entry: usize, template: &Template) -> Option<Pattern> {
    // Without spaces, short stretches turn up everywhere.
    const SHORTEST_SQUEEZED: usize = 16;
    let mut values = Vec::new();
    let mut tokens = Vec::new();
    let last = template.parts.len().checked_sub(1)?;
    for (index, part) in template.parts.iter().enumerate() {
        match part {
            Part::Value(value) => {
                tokens.push(Token::Value(values.len()));
                values.push(value.clone());
            }
            Part::Literal(text) => {
                // Folding drops a space at the beginning; between two values it counts.
                let mut bytes = Folded::new(&format!("x{text}"), shape).bytes.split_off(1);
                if index == 0 {
                    let start = bytes.iter().position(|byte| *byte != b' ').unwrap_or(0);
                    bytes.drain(..start);
                }
                if index == last {
                    let end = bytes.iter().rposition(|byte| !b" .'`:,;".contains(byte)).map_or(0, |last| last + 1);
                    bytes.truncate(end);
                } else if index + 1 == last && bytes.last() == Some(&b' ') {
                    // What ends the template may be missing, and then so is the space before it.
                    bytes.pop();
                }
                if !bytes.is_empty() {
                    tokens.push(Token::Literal(bytes));
                }
            }
        }
    }
    let lengths = tokens.iter().map(|token| match token {
        Token::Literal(bytes) => bytes.len(),
        Token::Value(_) => 0,
    });
    let (literal, longest) = lengths.fold((0, 0), |(sum, longest), length| (sum + length, longest.max(length)));
    let usable = longest > 0 && (shape == Shape::Spaced || longest >= SHORTEST_SQUEEZED);
    let near_mesh_word = template.near_mesh_word;
    usable.then_some(Pattern { entry, tokens, values, near_mesh_word, literal, anchor: 0, telling: false, shared: 0 })
}

/// A pattern is found by its longest literal that no other entry has; failing that, by its longest.
fn choose_anchors(patterns: &mut [Pattern]) {
    let choose = |pattern: &Pattern| {
        let mut literals: Vec<(usize, &[u8])> = pattern
            .tokens
            .iter()
            .enumerate()
            .filter_map(|(index, token)| match token {
                Token::Literal(literal) => Some((index, literal.as_slice())),
                Token::Value(_) => None,
            })
            .collect();
        literals.sort_by_key(|(index, literal)| (std::cmp::Reverse(literal.len()), *index));
        let own = literals.iter().find(|(_, literal)| {
            literal.len() >= HEAD
                && patterns
                    .iter()
                    .filter(|other| other.entry != pattern.entry)
                    .all(|other| other.literals().all(|text| !contains(text, literal)))
        });
        match own.or(literals.first()) {
            Some((index, _)) => (*index, own.is_some()),
            None => (0, false),
        }
    };
    let chosen: Vec<_> = patterns.iter().map(choose).collect();
    let shared: Vec<_> = patterns.iter().map(|pattern| shared(pattern, patterns)).collect();
    for ((pattern, (anchor, telling)), shared) in patterns.iter_mut().zip(chosen).zip(shared) {
        pattern.anchor = anchor;
        pattern.telling = telling;
        pattern.shared = shared;
    }
}

/// How many literal bytes the beginning of a pattern has in common with one of another entry.
fn shared(pattern: &Pattern, patterns: &[Pattern]) -> usize {
    let others = patterns.iter().filter(|other| other.entry != pattern.entry);
    let common_literal = |other: &Pattern| {
        let mut length = 0;
        for pair in pattern.tokens.iter().zip(&other.tokens) {
            match pair {
                (Token::Value(_), Token::Value(_)) => {}
                (Token::Literal(left), Token::Literal(right)) => {
                    let same = common(left, right);
                    length += same;
                    if same < left.len() || same < right.len() {
                        break;
                    }
                }
                (Token::Literal(_), Token::Value(_)) | (Token::Value(_), Token::Literal(_)) => break,
            }
        }
        length
    };
    others.map(common_literal).max().unwrap_or(0)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.len() >= part.len() && text.windows(part.len()).any(|window| window == part)
}

/// An automaton over stretches of patterns.
#[derive(Debug)]
struct Stretches {
    automaton: AhoCorasick,
    /// For each stretch: the patterns that have it, and at which token.
    users: Vec<Vec<(usize, usize)>>,
}

impl Stretches {
    /// The stretches of the patterns, in their order, each with the token that it begins.
    fn new(stretches: impl Iterator<Item = (usize, Vec<u8>)>) -> Self {
        let mut by_stretch = std::collections::BTreeMap::<Vec<u8>, Vec<(usize, usize)>>::new();
        for (pattern, (token, stretch)) in stretches.enumerate() {
            if !stretch.is_empty() {
                by_stretch.entry(stretch).or_default().push((pattern, token));
            }
        }
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .match_kind(MatchKind::Standard)
            .build(by_stretch.keys())
            .expect("a few thousand short stretches are within the automaton's limits");
        Self { automaton, users: by_stretch.into_values().collect() }
    }

    /// Calls back with pattern, token and position until told to stop.
    fn each(&self, text: &[u8], mut found: impl FnMut(usize, usize, usize) -> bool) {
        for stretch in self.automaton.find_overlapping_iter(text) {
            for (pattern, token) in &self.users[stretch.pattern().as_usize()] {
                if !found(*pattern, *token, stretch.start()) {
                    return;
                }
            }
        }
    }
}

/// How many bytes two texts have in common at their beginning.
pub(super) fn common(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATES: [&str; 4] = [
        "Egress gateway {name} is already disabled",
        "Egress gateway {name} does not exist, cannot disable",
        "{id} is not a valid resource id",
        "number of revisions ({allowed:number}) exceeded",
    ];

    /// The templates found in a text, by their place in the list, and how much of each.
    fn check(text: &str, expected: &[(usize, Extent)]) {
        let templates = TEMPLATES.map(|template| Template::parse(template).expect("a template"));
        let index = Index::new(Shape::Spaced, templates.iter().enumerate());
        let text = Folded::new(text, Shape::Spaced);
        let mut hits = index.search(&text, Paste::Message);
        hits.extend(index.search_cut_off(&text));
        let mut found: Vec<_> = hits.iter().map(|hit| (hit.entry, hit.extent)).collect();
        found.dedup();
        assert_eq!(found, expected, "{:?}", text.original);
    }

    #[test]
    fn a_text_cut_off_where_two_templates_differ_is_one_of_them() {
        check("Egress gateway one is already disabled.", &[(0, Extent::Whole)]);
        check("Egress gateway one does not exi", &[(1, Extent::CutOff)]);
        check("Egress gateway one ", &[]);
    }

    #[test]
    fn a_template_does_not_end_within_a_word() {
        check("foo is not a valid resource id", &[(2, Extent::Whole)]);
        check("foo is not a valid resource identifier", &[]);
    }

    #[test]
    fn a_telling_stretch_speaks_for_its_template() {
        check("gateway: does not exist, cannot disable", &[(1, Extent::Stretch)]);
    }

    #[test]
    fn a_number_consists_of_digits() {
        check("number of revisions (12) exceeded", &[(3, Extent::Whole)]);
        check("number of revisions (twelve) exceeded", &[]);
    }
}
