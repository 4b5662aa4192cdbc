//! The admin page `/logging`: the level of each logger, and the changes that `istioctl proxy-config log --level` asks for.

use serde::Serialize;
use utoipa::ToSchema;

use super::Error;

/// The level of one logger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LogLevelRow {
    pub logger: String,
    pub level: String,
}

/// A change of levels, one request each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LevelChange {
    /// `POST logging?level=<level>`
    All { level: &'static str },
    /// `POST logging?<logger>=<level>`
    Logger { logger: String, level: &'static str },
}

const LEVELS: [&str; 8] = ["trace", "debug", "info", "warning", "warn", "error", "critical", "off"];

/// The lines below `active loggers:`.
pub fn rows(page: &str) -> Vec<LogLevelRow> {
    let lines = page.lines().filter_map(|line| line.strip_prefix(' ')?.trim().split_once(": "));
    lines.map(|(logger, level)| LogLevelRow { logger: logger.to_owned(), level: level.to_owned() }).collect()
}

/// The page again.
pub fn text(rows: &[LogLevelRow]) -> String {
    let lines = rows.iter().map(|row| format!("  {}: {}\n", row.logger, row.level));
    std::iter::once("active loggers:\n".to_owned()).chain(lines).collect()
}

/// Reads `--level`: a comma list of `<level>` and `<logger>:<level>`. A level alone is for all loggers, and forgets what
/// stood before it.
pub fn changes(argument: &str, page: &str) -> Result<Vec<LevelChange>, Error> {
    let mut changes = Vec::new();
    for part in argument.split(',') {
        if !part.contains([':', '=']) {
            changes = vec![LevelChange::All { level: level(part)? }];
            continue;
        }
        let part = part.rsplit_once("::").map_or(part, |(_, part)| part);
        let (logger, wanted) = part.split_once([':', '=']).unwrap_or((part, ""));
        if logger != "level" && !page.contains(logger) {
            return Err(Error::UnknownLogger(logger.to_owned()));
        }
        let level = level(wanted)?;
        changes.push(match logger {
            "level" => LevelChange::All { level },
            _ => LevelChange::Logger { logger: logger.to_owned(), level },
        });
    }
    // istioctl asks for the level of all loggers first, as it would undo the others.
    changes.sort_by_key(|change| matches!(change, LevelChange::Logger { .. }));
    Ok(changes)
}

fn level(name: &str) -> Result<&'static str, Error> {
    let known = LEVELS.into_iter().find(|level| *level == name);
    known.ok_or_else(|| Error::UnknownLevel(name.to_owned()))
}
