//! Runs: several steps, the queue, what changed, and who is told.

mod killed;
mod lifecycle;
mod platforms;
mod queue;
mod quota;
mod several;
mod started;
mod told;
