//! Hours in which nobody wants to hear anything.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _, civil::Time, tz::TimeZone};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// From a time of day to another one; past midnight where the end is earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// `22:00`.
    #[schema(max_length = 5)]
    pub from: String,
    #[schema(max_length = 5)]
    pub to: String,
    /// Such as `Europe/Berlin`.
    #[schema(max_length = 64)]
    pub time_zone: String,
}

impl QuietHours {
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.parts().map(|_| ())
    }

    fn parts(&self) -> Result<(Time, Time, TimeZone), String> {
        let time = |text: &str| {
            Time::strptime("%H:%M", text).map_err(|_| format!("{text:?} is no time of day, such as 22:00"))
        };
        let zone = TimeZone::get(&self.time_zone).map_err(|_| format!("{:?} is no time zone", self.time_zone))?;
        Ok((time(&self.from)?, time(&self.to)?, zone))
    }

    /// How long a message has to wait at this moment.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let Ok((from, to, zone)) = self.parts() else { return Duration::ZERO };
        let here = now.to_zoned(zone);
        let at = here.time();
        let quiet = if from <= to { from <= at && at < to } else { at >= from || at < to };
        if !quiet {
            return Duration::ZERO;
        }
        let day = if at < to { here.date() } else { here.date().saturating_add(1.day()) };
        let end = here.time_zone().to_ambiguous_zoned(day.to_datetime(to)).compatible();
        let wait = end.map(|end| end.timestamp().duration_since(now));
        wait.ok().and_then(|wait| Duration::try_from(wait).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_for_the_end_of_the_night() {
        let hours = |from: &str, to: &str| QuietHours {
            from: from.to_owned(),
            to: to.to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
        };
        let minutes = |hours: &QuietHours, at: &str| hours.wait(at.parse().unwrap()).as_secs() / 60;
        // Berlin is an hour ahead of UTC in winter.
        let night = hours("22:00", "07:00");
        for (at, wait) in [
            ("2026-12-01T20:59:00Z", 0),
            ("2026-12-01T21:00:00Z", 9 * 60),
            ("2026-12-01T23:30:00Z", 6 * 60 + 30),
            ("2026-12-02T05:59:00Z", 1),
            ("2026-12-02T06:00:00Z", 0),
            // The clocks go back that night, which makes it an hour longer.
            ("2026-10-24T20:00:00Z", 10 * 60),
        ] {
            assert_eq!(minutes(&night, at), wait, "{at}");
        }
        assert_eq!(minutes(&hours("12:00", "13:00"), "2026-12-01T11:30:00Z"), 30);
        assert!(hours("25:00", "07:00").check().is_err());
        assert!(QuietHours { time_zone: "Berlin".to_owned(), ..night }.check().is_err());
    }
}
