//! Runs: several steps, the queue, what changed, and who is told.

mod several;
