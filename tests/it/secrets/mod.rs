//! Secrets of every kind, planted wherever a mesh keeps some: none comes out, by no step, in no format; and what only
//! looks like one stays.

mod looks_alike;
mod planted;
mod travels;
