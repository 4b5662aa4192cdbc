//! Writes a step's table of codes: each line is the static of one code, with its page, and all of them are `CODES`.

/// `id, severity, docs;` for each code. The page is `pages/<id>.md`.
macro_rules! codes {
    ($($id:ident, $severity:ident, $docs:expr;)*) => {
        $(pub(in crate) static $id: report::Code = report::Code {
            id: stringify!($id),
            severity: report::Severity::$severity,
            docs: $docs,
            page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/pages/", stringify!($id), ".md")),
        };)*

        /// The codes of this file.
        pub(in crate) static CODES: &[&report::Code] = &[$(&$id),*];
    };
}

pub(crate) use codes;
