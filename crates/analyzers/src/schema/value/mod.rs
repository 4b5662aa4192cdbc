//! Rules on single values: names, addresses, numbers, texts. They know no object and no kind.

pub(super) mod address;
pub(super) mod cel;
pub(super) mod domain;
pub(super) mod duration;
pub(super) mod header;
pub(super) mod header_format;
pub(super) mod label;
pub(super) mod port;
pub(super) mod quantity;
pub(super) mod regular_expression;
pub(super) mod text;
pub(super) mod url;

/// Whether a value is accepted, or why not.
pub(super) type Check = Result<(), String>;
