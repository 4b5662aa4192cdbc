//! Problems of validation.

use crate::{
    Certainty::{Certain, Hint, Likely},
    Effort::{Easy, Hard, Medium},
    Gravity::{Error, Info, Warning},
    Problem, problem,
};

pub(super) const PROBLEMS: &[Problem] = &[
    problem(
        "val/webhook-missing",
        "Validation webhook is missing",
        Warning,
        Some(Certain),
        Easy,
        "Invalid configuration is accepted.",
    ),
    problem(
        "val/ca-bundle",
        "Validation webhook CA does not fit",
        Error,
        Some(Certain),
        Medium,
        "`x509: certificate signed by unknown authority` on apply.",
    ),
    problem(
        "val/no-endpoints",
        "Validation webhook has no endpoint",
        Error,
        Some(Certain),
        Easy,
        "`no endpoints available`, connection refused on apply.",
    ),
    problem(
        "val/timeout",
        "Validation webhook times out",
        Error,
        Some(Likely),
        Easy,
        "`context deadline exceeded` on apply.",
    ),
    problem("val/fail-open", "Validation fails open", Info, Some(Certain), Easy, "Bad configuration may slip in."),
    problem(
        "val/invalid-stored",
        "Stored object is invalid",
        Error,
        Some(Certain),
        Hard,
        "istiod ignores or half-applies it.",
    ),
    problem(
        "val/rejections",
        "Many configurations are being rejected",
        Info,
        Some(Certain),
        Easy,
        "`galley_validation_failed` grows.",
    ),
    problem(
        "val/http-error",
        "Validation endpoint got bad requests",
        Info,
        Some(Hint),
        Easy,
        "`galley_validation_http_error`.",
    ),
    problem(
        "val/unknown-field",
        "Object has unknown fields",
        Warning,
        Some(Certain),
        Medium,
        "Silently dropped or refused.",
    ),
];
