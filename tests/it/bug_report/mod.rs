//! The bug report: which pods are meant, what is collected, and the run around it.

mod cases;
