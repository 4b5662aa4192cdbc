//! The HTTP API over recordings: who is let in, what wrong input is told, what is kept.

mod access;
mod analyze;
mod callers;
mod connections;
mod history;
mod input;
mod steps;
