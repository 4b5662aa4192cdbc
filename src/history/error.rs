//! Why the history could not be read or written, by what the caller can do about it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use uuid::Uuid;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the history could not be read or written. Names the database by host or file, never by its password.
///
/// It can be cloned, because all who wait for the same attempt to connect get the same answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The setting is wrong: nothing will help but another one. Does not quote the URL, which may hold a password.
    #[error("the database's URL is not usable: {reason}")]
    Url { reason: &'static str },
    /// There is no connection at the moment. Later may be different.
    #[error("database {database} cannot be reached")]
    Unreachable { database: Arc<str>, source: Arc<sqlx::Error> },
    /// There may be a connection, but no answer in time. Whether a write was done is not known.
    #[error("database {database} gave no answer within {} ms", limit.as_millis())]
    TimedOut { database: Arc<str>, limit: Duration },
    /// A full disk, a folder or database that is read-only: somebody must act.
    #[error("database {database} cannot be opened or written")]
    Unwritable { database: Arc<str>, source: Arc<sqlx::Error> },
    /// The tables are not those of this version, and could not be made so.
    #[error("the tables of database {database} cannot be brought up to date")]
    Migration { database: Arc<str>, source: Arc<MigrateError> },
    /// The database refused a statement: most likely a mistake of ours.
    #[error("database {database} refused a statement")]
    Failed { database: Arc<str>, source: Arc<sqlx::Error> },
    /// A record is not what this version writes.
    #[error("run {run} is recorded with a {field} that cannot be read")]
    Damaged { run: String, field: &'static str, source: Arc<dyn std::error::Error + Send + Sync> },
    /// Somebody has removed the file under the service: what is written now is gone with it.
    #[error("database {database} was removed: restart the service")]
    Removed { database: Arc<str> },
    /// The service is stopping.
    #[error("the history is closed")]
    Closed,
    /// The caller's cursor is not one that a list gave out.
    #[error("the cursor is not one of this list")]
    Cursor,
    /// The caller's filter is larger than any that a person would write.
    #[error("a filter takes at most {most} values")]
    FilterTooLarge { most: usize },
    /// The id is taken by a run of another cluster.
    #[error("run {run} belongs to another cluster")]
    OtherCluster { run: Uuid },
}

impl Error {
    /// Whether the same call may succeed later without anybody's doing.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TimedOut { .. })
    }

    /// Whether another row has what there may be once.
    pub(super) fn is_taken(&self) -> bool {
        let unique = |source: &sqlx::Error| {
            source.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
        };
        matches!(self, Self::Failed { source, .. } if unique(source))
    }

    pub(super) fn damaged<E>(run: &str, field: &'static str, source: E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        Self::Damaged { run: run.to_owned(), field, source: Arc::new(source) }
    }

    pub(super) fn unreachable(database: &Arc<str>, source: sqlx::Error) -> Self {
        Self::Unreachable { database: database.clone(), source: Arc::new(source) }
    }

    pub(super) fn of(database: &Arc<str>, source: sqlx::Error) -> Self {
        let kind = Kind::of(&source);
        let (database, source) = (database.clone(), Arc::new(source));
        match kind {
            Kind::Unreachable => Self::Unreachable { database, source },
            Kind::Unwritable => Self::Unwritable { database, source },
            Kind::Other => Self::Failed { database, source },
        }
    }

    pub(super) fn migration(database: &Arc<str>, source: MigrateError) -> Self {
        match source {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)
                if Kind::of(&source) != Kind::Other =>
            {
                Self::of(database, source)
            }
            source => Self::Migration { database: database.clone(), source: Arc::new(source) },
        }
    }
}

#[derive(PartialEq)]
enum Kind {
    Unreachable,
    Unwritable,
    Other,
}

impl Kind {
    fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed => Self::Unreachable,
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                    Self::of_sqlite(&code)
                } else {
                    Self::of_postgres(&code)
                }
            }
            _ => Self::Other,
        }
    }

    /// By the [result code](https://sqlite.org/rescode.html), whose low byte is the kind.
    fn of_sqlite(code: &str) -> Self {
        match code.parse::<u32>().unwrap_or_default() & 0xff {
            5 | 6 => Self::Unreachable,           // busy, locked
            8 | 10 | 13 | 14 => Self::Unwritable, // read-only, I/O error, full, cannot open
            _ => Self::Other,
        }
    }

    /// By the [SQLSTATE](https://www.postgresql.org/docs/current/errcodes-appendix.html).
    fn of_postgres(code: &str) -> Self {
        match code {
            // Connection exceptions; refused logins and databases that do not exist (yet); too many connections;
            // shutting down, restarting, starting. A deadlock, too, is over at the next try.
            "28000" | "28P01" | "3D000" | "53300" | "57P01" | "57P02" | "57P03" | "40P01" | "40001" => {
                Self::Unreachable
            }
            _ if code.starts_with("08") => Self::Unreachable,
            // Disk full; read-only, as a replica is after a failover; no right to write.
            "53100" | "25006" | "42501" => Self::Unwritable,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use crate::history::connect::Db;
    use crate::history::{History, Run, RunFilter, RunHeader, TIME_LIMIT};
    use crate::report::{Counts, State};

    fn run(answer: String) -> Run {
        let header = RunHeader {
            id: Uuid::from_u128(1),
            cluster: "blue".to_owned(),
            step: "istioctl.analyze".to_owned(),
            state: State::Running,
            verdict: None,
            completeness: None,
            started_at: jiff::Timestamp::UNIX_EPOCH,
            duration_ms: None,
            requested_by: "alice".to_owned(),
            reason: None,
            inputs: serde_json::Value::Null,
            access: Vec::new(),
            counts: Counts::default(),
            summary: String::new(),
            error: None,
            namespaces: Vec::new(),
            labels: std::collections::BTreeMap::new(),
            expires_at: None,
        };
        Run { header, answer: Some(answer) }
    }

    /// 4 MiB that do not become less when they are packed.
    fn large() -> String {
        let next = |number: &mut u64| {
            *number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Some(format!("{:08x}", *number >> 32))
        };
        let mut number = 1;
        std::iter::from_fn(|| next(&mut number)).take(1 << 19).collect()
    }

    #[tokio::test]
    async fn full_database_is_unwritable_and_still_readable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("history.db");
        let history = History::open(&format!("sqlite://{}", file.display()), TIME_LIMIT).unwrap();
        let Db::Sqlite(pool) = &history.db else { unreachable!("it was opened as SQLite") };
        // From there on SQLite answers as it does on a full disk.
        pool.set_connect_options(pool.connect_options().as_ref().clone().pragma("max_page_count", "400"));
        history.record(&run("small".to_owned()), &[]).await.unwrap();
        let error = history.record(&run(large()), &[]).await.unwrap_err();
        assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
        assert!(!error.is_temporary());
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("full"), "{source}");
        assert!(error.to_string().contains("history.db"), "{error}");
        let runs = history.runs("blue", &RunFilter::default(), None, 10).await.unwrap();
        assert_eq!(runs, [run(String::new()).header]);
        for _ in 0..20 {
            assert!(history.record(&run("small".to_owned()), &[]).await.unwrap(), "what is small has room");
            assert!(history.record(&run(large()), &[]).await.is_err());
        }
    }
}
