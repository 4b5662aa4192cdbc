//! The HTTP API over recordings: who is let in, what wrong input is told, what is kept.

mod access;
mod analyze;
mod connections;
mod hostile_connections;
mod history;
mod input;
mod steps;
mod tls;
