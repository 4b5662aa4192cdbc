//! The HTTP API over recordings: who is let in, what wrong input is told, what is kept.

mod access;
mod analyze;
mod callers;
mod connections;
mod history;
mod hostile_connections;
mod input;
mod load;
mod origins;
mod reviews;
mod steps;
mod tls;
