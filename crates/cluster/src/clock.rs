//! The one source of time, so that tests and recordings can set it.

use jiff::Timestamp;

/// Tells the time: that of the machine, or a fixed one.
#[derive(Debug, Clone, Copy, Default)]
pub enum Clock {
    #[default]
    System,
    /// A recorded cluster's clock stands at the time of its recording.
    Fixed(Timestamp),
}

impl Clock {
    pub fn now(self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one home of the clock")]
            Self::System => Timestamp::now(),
            Self::Fixed(at) => at,
        }
    }
}
