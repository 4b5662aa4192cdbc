//! Reading a document: every question has an answer, also of what is absent or of another type.

use std::ops::RangeInclusive;

use super::tree::{Shape, Tree};

/// A place in a document, or the lack of one. Absent fields, nulls and values of another type answer like empty ones,
/// so that a rule reads as if every field were there.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    place: Option<(&'a Tree, u32)>,
}

impl Tree {
    pub fn root(&self) -> View<'_> {
        View { place: Some((self, 0)) }
    }

    pub(super) fn view(&self, at: u32) -> View<'_> {
        View { place: Some((self, at)) }
    }
}

impl<'a> View<'a> {
    pub const MISSING: View<'static> = View { place: None };

    /// The member of this exact name.
    #[must_use]
    pub fn get(self, key: &str) -> View<'a> {
        self.find(key.len()..=key.len(), |candidate| candidate == key)
    }

    /// The member of a message in proto-JSON, whose name may be written `lowerCamel` or `snake_case`.
    #[must_use]
    pub fn field(self, camel: &str) -> View<'a> {
        // Each underscore makes a name longer.
        let lengths = camel.len()..=usize::MAX;
        self.find(lengths, |candidate| candidate == camel || candidate.contains('_') && is_snake_of(candidate, camel))
    }

    /// The member at the end of a way through messages.
    #[must_use]
    pub fn path(self, fields: &[&str]) -> View<'a> {
        fields.iter().fold(self, |view, field| view.field(field))
    }

    /// Lengths are compared first: they lie with the nodes, and the texts in another place of memory.
    fn find(self, lengths: RangeInclusive<usize>, is_wanted: impl Fn(&str) -> bool) -> View<'a> {
        let Some((tree, at)) = self.place else { return View { place: None } };
        if tree.shape(at) != Shape::Map {
            return View { place: None };
        }
        let (mut child, end) = (at + 1, tree.end(at));
        while child < end {
            let has_length = lengths.contains(&tree.key_length(child));
            if has_length && is_wanted(tree.key(child)) && tree.shape(child) != Shape::Replaced {
                return tree.view(child);
            }
            child = tree.next(child);
        }
        View { place: None }
    }

    /// The items of a list, nulls included; nothing for anything else.
    pub fn items(self) -> Items<'a> {
        Items(self.children_of(Shape::List))
    }

    /// Keys and values of a map, in the order of the document; nothing for anything else.
    pub fn entries(self) -> Entries<'a> {
        Entries(self.children_of(Shape::Map))
    }

    /// Keys of a map that are written more than once, of which the last counts.
    pub fn repeated_keys(self) -> impl Iterator<Item = &'a str> {
        let mut children = self.children_of(Shape::Map);
        std::iter::from_fn(move || children.step()).filter_map(|(tree, at)| {
            let is_replaced = tree.shape(at) == Shape::Replaced;
            is_replaced.then(|| tree.key(at))
        })
    }

    fn children_of(self, shape: Shape) -> Children<'a> {
        match self.place {
            Some((tree, at)) if tree.shape(at) == shape => Children { tree: Some(tree), at: at + 1, end: tree.end(at) },
            _ => Children { tree: None, at: 0, end: 0 },
        }
    }

    /// What a string says, and the empty text for anything else.
    pub fn text(self) -> &'a str {
        self.text_if_any().unwrap_or_default()
    }

    /// What a string says, if it is one.
    pub fn text_if_any(self) -> Option<&'a str> {
        match self.place {
            Some((tree, at)) if tree.shape(at) == Shape::Text => Some(tree.text(at)),
            _ => None,
        }
    }

    /// How a scalar is written: a number or a boolean as well as a string. For what may be either, such as a target
    /// port, and for messages.
    pub fn written(self) -> &'a str {
        match self.place {
            Some((tree, at)) if matches!(tree.shape(at), Shape::Text | Shape::Integer | Shape::Float | Shape::Bool) => {
                tree.text(at)
            }
            _ => "",
        }
    }

    /// An integer; proto-JSON also writes it as a string. 0 for anything else, as an unset number is in proto3.
    pub fn integer(self) -> i64 {
        self.integer_if_any().unwrap_or_default()
    }

    pub fn integer_if_any(self) -> Option<i64> {
        let (tree, at) = self.place?;
        let text = tree.text_of_number(at)?;
        text.parse().ok().or_else(|| whole(text.parse().ok()?))
    }

    pub fn number(self) -> f64 {
        let number = self.place.and_then(|(tree, at)| tree.text_of_number(at)?.parse().ok());
        number.unwrap_or_default()
    }

    /// Whether this is the boolean `true`.
    pub fn truth(self) -> bool {
        matches!(self.place, Some((tree, at)) if tree.shape(at) == Shape::Bool && tree.text(at) == "true")
    }

    /// The strings of a list; other items are left out.
    pub fn texts(self) -> impl Iterator<Item = &'a str> {
        self.items().filter_map(View::text_if_any)
    }

    /// Whether there is a value at all, and not null.
    pub fn is_set(self) -> bool {
        self.place.is_some_and(|(tree, at)| !matches!(tree.shape(at), Shape::Null | Shape::Replaced))
    }

    /// Whether this is a message, an empty one included.
    pub fn is_map(self) -> bool {
        self.shape() == Some(Shape::Map)
    }

    pub fn is_list(self) -> bool {
        self.shape() == Some(Shape::List)
    }

    pub fn shape(self) -> Option<Shape> {
        self.place.map(|(tree, at)| tree.shape(at))
    }

    /// Whether there is nothing in it: absent, null, or an empty list, map or text.
    pub fn is_empty(self) -> bool {
        match self.place {
            None => true,
            Some((tree, at)) => match tree.shape(at) {
                Shape::Null | Shape::Replaced => true,
                Shape::Bool | Shape::Integer | Shape::Float => false,
                Shape::Text => tree.text(at).is_empty(),
                Shape::List | Shape::Map => tree.end(at) == at + 1,
            },
        }
    }

    /// The line in the file that the document came from.
    pub fn line(self) -> Option<u32> {
        self.place.map(|(tree, at)| tree.line(at)).filter(|line| *line > 0)
    }

    pub(super) fn position(self) -> Option<u32> {
        self.place.map(|(_, at)| at)
    }
}

impl Tree {
    fn text_of_number(&self, at: u32) -> Option<&str> {
        matches!(self.shape(at), Shape::Integer | Shape::Float | Shape::Text).then(|| self.text(at))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only whole numbers that an i64 holds exactly get here")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn is_snake_of(snake: &str, camel: &str) -> bool {
    let mut wanted = camel.bytes();
    let mut upper = false;
    for byte in snake.bytes() {
        if byte == b'_' {
            upper = true;
            continue;
        }
        let byte = if std::mem::take(&mut upper) { byte.to_ascii_uppercase() } else { byte };
        if wanted.next() != Some(byte) {
            return false;
        }
    }
    wanted.next().is_none()
}

#[derive(Debug, Clone)]
struct Children<'a> {
    tree: Option<&'a Tree>,
    at: u32,
    end: u32,
}

impl<'a> Children<'a> {
    fn advance(&mut self) -> Option<(&'a Tree, u32)> {
        loop {
            let (tree, at) = self.step()?;
            if tree.shape(at) != Shape::Replaced {
                return Some((tree, at));
            }
        }
    }

    /// The next one, whether it counts or was replaced.
    fn step(&mut self) -> Option<(&'a Tree, u32)> {
        let tree = self.tree.filter(|_| self.at < self.end)?;
        let at = self.at;
        self.at = tree.next(at);
        Some((tree, at))
    }
}

/// The items of a list.
#[derive(Debug, Clone)]
pub struct Items<'a>(Children<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = View<'a>;

    fn next(&mut self) -> Option<View<'a>> {
        self.0.advance().map(|(tree, at)| tree.view(at))
    }
}

/// Keys and values of a map.
#[derive(Debug, Clone)]
pub struct Entries<'a>(Children<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, View<'a>);

    fn next(&mut self) -> Option<(&'a str, View<'a>)> {
        self.0.advance().map(|(tree, at)| (tree.key(at), tree.view(at)))
    }
}

#[cfg(test)]
mod tests {
    use super::is_snake_of;

    #[test]
    fn both_spellings_of_a_field() {
        assert!(is_snake_of("port_level_settings", "portLevelSettings"));
        assert!(!is_snake_of("port_level_setting", "portLevelSettings"));
        assert!(!is_snake_of("port_levels", "portLevel"));
    }
}
