//! The two databases behind one type: their settings, and the limits that hold for every call.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use super::prepare::Preparing;
use super::writer::Queue;
use super::{Error, Result};

/// How long a call may take, unless another limit is set.
pub const TIME_LIMIT: Duration = Duration::from_secs(3);

const IN_MEMORY: &str = "in memory";
const PAGE_BYTES: u32 = 4096;

/// A database is shared by the replicas of the service, and takes a hundred connections by default.
const CONNECTIONS: u32 = 8;

/// The recorded runs. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct History {
    pub(super) db: Db,
    /// Host or file, for messages.
    pub(super) database: Arc<str>,
    pub(super) time_limit: Duration,
    /// `SQLite` has one writer at a time. Those who wait for their turn here are served in order; by its own busy
    /// timeout the unlucky one of many would wait forever.
    pub(super) writers: Arc<Semaphore>,
    pub(super) preparing: Arc<Mutex<Option<Preparing>>>,
    pub(super) writer: Arc<OnceLock<Queue>>,
    /// Of SQLite, to notice that somebody has removed it.
    pub(super) file: Option<Arc<Path>>,
    /// Why nothing could be written the last time, where it was the disk.
    pub(super) unwritable: Arc<Mutex<Option<Error>>>,
}

#[derive(Clone)]
pub(super) enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The same body for both databases, with their pool as `$pool`.
macro_rules! on {
    ($db:expr, $pool:ident => $body:expr) => {
        match $db {
            $crate::history::connect::Db::Sqlite($pool) => $body,
            $crate::history::connect::Db::Postgres($pool) => $body,
        }
    };
}
pub(super) use on;

impl History {
    /// The history at `sqlite://FILE`, `sqlite::memory:` or `postgres://…`. Checks the URL and does not connect: that
    /// happens at the first call, each of which takes at most `time_limit`. To be called inside the runtime.
    pub fn open(url: &str, time_limit: Duration) -> Result<Self> {
        Self::open_within(url, time_limit, None)
    }

    /// The same; a file of SQLite never becomes larger than so many bytes.
    pub fn open_within(url: &str, time_limit: Duration, most_bytes: Option<u64>) -> Result<Self> {
        // So that a connection that cannot be had is told from an answer that takes too long.
        let patience = time_limit.mul_f32(0.9);
        let (db, database) = match url.split_once(':') {
            Some(("sqlite", _)) => sqlite(url, patience, most_bytes)?,
            Some(("postgres" | "postgresql", _)) => postgres(url, patience)?,
            _ => return Err(Error::Url { reason: "it must begin with sqlite:// or postgres://" }),
        };
        let writers = match db {
            Db::Sqlite(_) => 1,
            Db::Postgres(_) => Semaphore::MAX_PERMITS,
        };
        let file = match &db {
            Db::Sqlite(pool) => Some(Arc::from(pool.connect_options().get_filename())),
            Db::Postgres(_) => None,
        };
        Ok(Self {
            file,
            unwritable: Arc::default(),
            db,
            database: database.into(),
            time_limit,
            writers: Arc::new(Semaphore::new(writers)),
            preparing: Arc::default(),
            writer: Arc::default(),
        })
    }

    /// Whether the database answers, its tables are those of this version, and there is room to write.
    pub async fn ready(&self) -> Result<()> {
        self.limited(async { on!(&self.db, pool => sqlx::query("select 1").execute(pool).await.map(|_| ())) }).await?;
        if self.file.as_ref().is_some_and(|file| !self.is_in_memory() && !file.exists()) {
            return Err(Error::Removed { database: self.database.clone() });
        }
        if !matches!(self.db, Db::Sqlite(_)) || self.last_unwritable().is_none() {
            return Ok(());
        }
        // Nobody writes while the service says that it is not ready: so try.
        const PROBE: &str = "pragma user_version = 0";
        let probed = self
            .changing(async {
                on!(&self.db, pool => sqlx::query(PROBE).execute(pool).await.map(|done| done.rows_affected()))
            })
            .await;
        self.note_written(probed.as_ref().err());
        probed.map(|_| ())
    }

    fn is_in_memory(&self) -> bool {
        &*self.database == IN_MEMORY
    }

    fn last_unwritable(&self) -> Option<Error> {
        self.unwritable.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers whether the disk takes what is written.
    pub(super) fn note_written(&self, error: Option<&Error>) {
        let unwritable = error.filter(|error| matches!(error, Error::Unwritable { .. })).cloned();
        *self.unwritable.lock().unwrap_or_else(PoisonError::into_inner) = unwritable;
    }

    /// Whether other processes may carry out runs of the same database. A file is one service's own.
    pub fn is_shared(&self) -> bool {
        matches!(self.db, Db::Postgres(_))
    }

    /// Writes what was handed over, and closes all connections. `SQLite` then folds its log into the file.
    pub async fn close(&self) {
        self.flush().await;
        on!(&self.db, pool => pool.close().await);
    }

    /// Does `work` on tables that are up to date, within the time limit.
    pub(super) async fn limited<T>(&self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        let whole = async {
            self.prepared().await?;
            work.await.map_err(|error| Error::of(&self.database, error))
        };
        tokio::time::timeout(self.time_limit, whole)
            .await
            .unwrap_or_else(|_| Err(Error::TimedOut { database: self.database.clone(), limit: self.time_limit }))
    }

    /// Waits for the right to write. Hold it while writing.
    pub(super) async fn turn_to_write(&self) -> SemaphorePermit<'_> {
        self.writers.acquire().await.expect("the semaphore is never closed")
    }
}

impl Db {
    /// How a transaction that will write begins. One that turned from reading to writing would be refused by
    /// `SQLite` whenever somebody else wrote in between, without waiting.
    pub(super) fn begin_writing(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "begin immediate",
            Self::Postgres(_) => "begin",
        }
    }
}

/// Only the name: the options of the pools hold the password.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("database", &self.database).finish_non_exhaustive()
    }
}

fn sqlite(url: &str, patience: Duration, most_bytes: Option<u64>) -> Result<(Db, String)> {
    let file = url.trim_start_matches("sqlite://").trim_start_matches("sqlite:");
    let (file, parameters) = file.split_once('?').unwrap_or((file, "mode=rwc"));
    if file.is_empty() {
        return Err(Error::Url { reason: "sqlite:// must be followed by a file" });
    }
    // Other parameters would change what is set below, or keep the runs in memory without saying so.
    if !["mode=rwc", "mode=rw", "mode=ro"].contains(&parameters) {
        return Err(Error::Url { reason: "sqlite:// takes a file and at most ?mode=rwc" });
    }
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| Error::Url { reason: "the file after sqlite:// is not UTF-8" })?
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(patience)
        .journal_mode(SqliteJournalMode::Wal)
        // Enough with WAL: a power failure may lose the last runs, but never damages the file.
        .synchronous(SqliteSynchronous::Normal)
        // What was deleted goes back to the disk a little at a time. Files of earlier versions only use it again.
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .page_size(PAGE_BYTES);
    let options = match most_bytes {
        Some(bytes) => options.pragma("max_page_count", (bytes / u64::from(PAGE_BYTES)).max(1).to_string()),
        None => options,
    };
    let pool = SqlitePoolOptions::new().acquire_timeout(patience).test_before_acquire(false);
    if file == ":memory:" {
        // The data lives as long as its one connection.
        let pool = pool.max_connections(1).idle_timeout(None).max_lifetime(None);
        return Ok((Db::Sqlite(pool.connect_lazy_with(options)), IN_MEMORY.to_owned()));
    }
    let name = format!("file {:?}", options.get_filename().display().to_string());
    let pool = pool
        .max_connections(CONNECTIONS)
        // SQLite ends a transaction by itself on a full disk. The driver then fails to roll back, takes the
        // connection to be inside of a transaction forever and refuses to begin another: such a one is replaced.
        .before_acquire(|connection, _| {
            let usable = !connection.is_in_transaction();
            Box::pin(async move { Ok(usable) })
        });
    Ok((Db::Sqlite(pool.connect_lazy_with(options)), name))
}

fn postgres(url: &str, patience: Duration) -> Result<(Db, String)> {
    const PARAMETERS: &[&str] = &[
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "application_name",
        "options",
    ];
    // The parser's own messages are not shown, because they may quote what they could not read.
    let parsed = Url::parse(url).map_err(|_| Error::Url {
        reason: "it must look like postgres://user:password@host:port/database, with special characters in the \
                 password as percent codes",
    })?;
    // A `/`, `?` or `#` that a password holds unencoded ends the host too early, and what follows would be taken for
    // names that are shown.
    if parsed.path().contains('@')
        || parsed.query().is_some_and(|query| query.contains('@'))
        || parsed.fragment().is_some()
    {
        return Err(Error::Url { reason: "special characters in names and password must be written as percent codes" });
    }
    let has_host = parsed.host_str().is_some_and(|host| !host.is_empty());
    if !has_host && !parsed.query_pairs().any(|(name, _)| name == "host" || name == "hostaddr") {
        return Err(Error::Url { reason: "postgres:// must be followed by a host" });
    }
    // The driver would log an unknown parameter together with its value.
    if parsed.query_pairs().any(|(name, _)| !PARAMETERS.contains(&name.as_ref()) && !name.starts_with("options[")) {
        return Err(Error::Url { reason: "it has a parameter that is not known, such as sslmode is" });
    }
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| Error::Url { reason: "one of its parameters has a value that is not known" })?;
    let database = options.get_database().unwrap_or(options.get_username());
    let name = match options.get_socket() {
        Some(socket) => format!("{database:?} of postgres at {:?}", socket.display().to_string()),
        None => format!("postgres://{}:{}/{database}", options.get_host(), options.get_port()),
    };
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("meshtriage"),
    };
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(patience);
    Ok((Db::Postgres(pool.connect_lazy_with(options)), name))
}
