//! A document kept small: its nodes lie flat in one array, in reading order, and its texts in one string.
//!
//! A mesh holds a hundred thousand of these, so a document costs two allocations and twenty bytes for each node,
//! whatever its shape. [`View`](super::View) reads it.

use std::collections::HashMap;

/// Deeper documents are refused. Kubernetes itself refuses to decode far shallower ones than a stack could take.
pub const MAX_DEPTH: usize = 100;

/// What a node of a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Shape {
    Null,
    Bool,
    Integer,
    Float,
    Text,
    List,
    Map,
    /// A value whose key appears again later in the same map: the last one counts.
    Replaced,
}

const SHAPES: [Shape; 8] =
    [Shape::Null, Shape::Bool, Shape::Integer, Shape::Float, Shape::Text, Shape::List, Shape::Map, Shape::Replaced];

/// One document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    nodes: Box<[Node]>,
    texts: Box<str>,
}

/// Scalars keep the place of their text; lists and maps the position after their last node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    key: Span,
    start_or_end: u32,
    length: u32,
    /// Three bits of shape, and the line above them.
    tag: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Span {
    start: u32,
    length: u32,
}

impl Node {
    fn shape(self) -> Shape {
        SHAPES[(self.tag & 7) as usize]
    }
}

impl Tree {
    /// A document that says nothing.
    pub fn null() -> Self {
        let node = Node { key: Span::default(), start_or_end: 0, length: 0, tag: Shape::Null as u32 };
        Self { nodes: [node].into(), texts: "".into() }
    }

    pub(super) fn shape(&self, at: u32) -> Shape {
        self.nodes[at as usize].shape()
    }

    /// The line of the value, counted from 1 within the file; 0 if the document did not come from a file.
    pub(super) fn line(&self, at: u32) -> u32 {
        self.nodes[at as usize].tag >> 3
    }

    pub(super) fn key(&self, at: u32) -> &str {
        self.slice(self.nodes[at as usize].key)
    }

    pub(super) fn key_length(&self, at: u32) -> usize {
        self.nodes[at as usize].key.length as usize
    }

    /// The text of a scalar: what a string says, or how a number or boolean is written.
    pub fn text(&self, at: u32) -> &str {
        let node = self.nodes[at as usize];
        self.slice(Span { start: node.start_or_end, length: node.length })
    }

    /// The position after this node and all below it.
    pub(super) fn next(&self, at: u32) -> u32 {
        let node = self.nodes[at as usize];
        match node.shape() {
            Shape::List | Shape::Map => node.start_or_end,
            Shape::Replaced if node.length == CONTAINER => node.start_or_end,
            _ => at + 1,
        }
    }

    pub(super) fn end(&self, at: u32) -> u32 {
        match self.shape(at) {
            Shape::List | Shape::Map => self.nodes[at as usize].start_or_end,
            _ => at,
        }
    }

    fn slice(&self, span: Span) -> &str {
        &self.texts[span.start as usize..(span.start + span.length) as usize]
    }
}

/// The length of a replaced list or map, which tells it from a replaced scalar.
const CONTAINER: u32 = u32::MAX;

/// Why a document could not be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("larger than 256 MiB, or more than 16 million values")]
    TooLarge,
}

/// Builds trees from events, one after the other, and keeps its buffers in between.
#[derive(Debug, Default)]
pub struct TreeBuilder {
    nodes: Vec<Node>,
    texts: String,
    open: Vec<u32>,
    key: Span,
    unfit: Option<Unfit>,
}

impl TreeBuilder {
    /// Names the value that comes next.
    pub fn key(&mut self, key: &str) {
        self.key = self.store(key);
    }

    pub fn scalar(&mut self, shape: Shape, text: &str, line: usize) {
        let span = self.store(text);
        self.push(shape, span.start, span.length, line);
    }

    pub fn open(&mut self, shape: Shape, line: usize) {
        if self.open.len() >= MAX_DEPTH {
            self.unfit.get_or_insert(Unfit::TooDeep);
        }
        // Positions fit: `push` stops at the limit below.
        self.open.push(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.push(shape, 0, 0, line);
    }

    pub fn close(&mut self) {
        let Some(at) = self.open.pop() else { return };
        let end = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(node) = self.nodes.get_mut(at as usize) else { return };
        node.start_or_end = end;
        if node.shape() == Shape::Map {
            self.replace_repeated_keys(at + 1, end);
        }
    }

    /// Repeats the nodes of a range, as an alias does. `line` is where they are repeated.
    pub(super) fn repeat(&mut self, range: (u32, u32)) {
        let (start, end) = range;
        let here = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let key = std::mem::take(&mut self.key);
        for at in start..end {
            let mut node = self.nodes[at as usize];
            if at == start {
                node.key = key;
            }
            if matches!(node.shape(), Shape::List | Shape::Map)
                || node.shape() == Shape::Replaced && node.length == CONTAINER
            {
                node.start_or_end = node.start_or_end - start + here;
            }
            if self.is_full() {
                return;
            }
            self.nodes.push(node);
        }
    }

    /// The position that the next value will have.
    pub(super) fn position(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// The keys and ranges of a map that was built at this position, for YAML's merge key.
    pub(super) fn entries_at(&self, at: u32) -> Vec<(String, (u32, u32))> {
        let Some(map) = self.nodes.get(at as usize).filter(|node| node.shape() == Shape::Map) else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        let mut child = at + 1;
        while child < map.start_or_end {
            let next = self.after(child);
            entries.push((self.slice(self.nodes[child as usize].key).to_owned(), (child, next)));
            child = next;
        }
        entries
    }

    /// The keys of a map that is still open.
    pub(super) fn open_entries(&self, map: u32) -> Vec<String> {
        let (mut at, mut keys) = (map + 1, Vec::new());
        while at < self.position() {
            keys.push(self.slice(self.nodes[at as usize].key).to_owned());
            at = self.after(at);
        }
        keys
    }

    pub fn unfit(&self) -> Option<Unfit> {
        self.unfit
    }

    /// The finished document; the builder is empty again. A builder that saw no value gives a null.
    pub fn finish(&mut self) -> Result<Tree, Unfit> {
        while !self.open.is_empty() {
            self.close();
        }
        if self.nodes.is_empty() {
            self.scalar(Shape::Null, "", 0);
        }
        let tree = Tree { nodes: self.nodes.as_slice().into(), texts: self.texts.as_str().into() };
        let unfit = self.unfit.take();
        self.clear();
        unfit.map_or(Ok(tree), Err)
    }

    pub fn clear(&mut self) {
        self.nodes.clear();
        self.texts.clear();
        self.open.clear();
        self.key = Span::default();
        self.unfit = None;
    }

    fn push(&mut self, shape: Shape, start_or_end: u32, length: u32, line: usize) {
        if self.is_full() {
            return;
        }
        let line = u32::try_from(line).unwrap_or(0) & (u32::MAX >> 3);
        let key = std::mem::take(&mut self.key);
        self.nodes.push(Node { key, start_or_end, length, tag: line << 3 | shape as u32 });
    }

    fn is_full(&mut self) -> bool {
        let full = self.nodes.len() >= 16_000_000 || self.texts.len() >= 256 << 20;
        if full {
            self.unfit.get_or_insert(Unfit::TooLarge);
        }
        full
    }

    fn store(&mut self, text: &str) -> Span {
        if self.texts.len() + text.len() > 256 << 20 {
            self.unfit.get_or_insert(Unfit::TooLarge);
            return Span::default();
        }
        let span = Span {
            start: u32::try_from(self.texts.len()).unwrap_or(u32::MAX),
            length: u32::try_from(text.len()).unwrap_or(u32::MAX),
        };
        self.texts.push_str(text);
        span
    }

    fn slice(&self, span: Span) -> &str {
        &self.texts[span.start as usize..(span.start + span.length) as usize]
    }

    fn after(&self, at: u32) -> u32 {
        let node = self.nodes[at as usize];
        match node.shape() {
            Shape::List | Shape::Map => node.start_or_end,
            Shape::Replaced if node.length == CONTAINER => node.start_or_end,
            _ => at + 1,
        }
    }

    fn replace_repeated_keys(&mut self, first: u32, end: u32) {
        let mut children = Vec::new();
        let mut at = first;
        while at < end {
            children.push(at);
            at = self.after(at);
        }
        let repeated = if children.len() <= 24 {
            let is_repeated = |(index, at): (usize, &u32)| {
                let key = self.slice(self.nodes[*at as usize].key);
                children[index + 1..].iter().any(|later| self.slice(self.nodes[*later as usize].key) == key)
            };
            children.iter().enumerate().filter(|child| is_repeated(*child)).map(|(_, at)| *at).collect::<Vec<_>>()
        } else {
            let mut last: HashMap<&str, u32> = HashMap::with_capacity(children.len());
            let mut repeated = Vec::new();
            for at in &children {
                repeated.extend(last.insert(self.slice(self.nodes[*at as usize].key), *at));
            }
            repeated
        };
        for at in repeated {
            let node = &mut self.nodes[at as usize];
            if matches!(node.shape(), Shape::List | Shape::Map) {
                node.length = CONTAINER;
            } else {
                node.length = 0;
            }
            node.tag = node.tag & !7 | Shape::Replaced as u32;
        }
    }
}
