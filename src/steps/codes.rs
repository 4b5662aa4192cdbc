//! Writes a step's table of codes: each line is the static of one code, with its page, and all of them are `CODES`.

/// `id, severity, docs;` for each code. The page is `pages/<id>.md`.
macro_rules! codes {
    ($($id:ident, $severity:ident, $docs:expr;)*) => {
        $(pub(in crate::steps) static $id: $crate::report::Code = $crate::report::Code {
            id: stringify!($id),
            severity: $crate::report::Severity::$severity,
            docs: $docs,
            page: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/steps/pages/", stringify!($id), ".md")),
        };)*

        /// The codes of this file.
        pub(in crate::steps) static CODES: &[&$crate::report::Code] = &[$(&$id),*];
    };
}

pub(in crate::steps) use codes;
