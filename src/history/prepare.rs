//! Brings the tables up to date before the first use.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use sqlx::migrate::Migrator;
use sqlx::{ConnectOptions as _, Connection as _, PgPool, Sqlite, SqlitePool, Transaction};
use tokio::time::Instant;

use super::connect::{Db, History};
use super::{Error, Result};

/// Run with `run_direct`: a future of `run` on one connection cannot be spawned.
static MIGRATIONS: Migrator = sqlx::migrate!();

/// One attempt to prepare the database, for all who wait for it.
pub(super) type Preparing = Shared<BoxFuture<'static, Result<()>>>;

/// How long an attempt may take once there is a connection. Much longer than a call, since a migration may rewrite a
/// large table.
const MIGRATION_LIMIT: Duration = Duration::from_mins(10);

/// Between two tries at a locked file.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

impl History {
    /// Waits until the tables are up to date. An attempt belongs to nobody who waits for it: it goes on when they
    /// give up, and only one is made at a time. After a failure the next call makes the next attempt.
    pub(super) async fn prepared(&self) -> Result<()> {
        let attempt = {
            let mut slot = self.preparing.lock().unwrap_or_else(PoisonError::into_inner);
            match slot.as_ref() {
                Some(attempt) if !matches!(attempt.peek(), Some(Err(_))) => attempt.clone(),
                _ => {
                    let attempt = prepare(self.db.clone(), self.database.clone());
                    let task = tokio::spawn(attempt);
                    let database = self.database.clone();
                    let attempt = async move {
                        task.await.unwrap_or_else(|_| Err(Error::unreachable(&database, sqlx::Error::WorkerCrashed)))
                    };
                    slot.insert(attempt.boxed().shared()).clone()
                }
            }
        };
        attempt.await
    }
}

async fn prepare(db: Db, database: Arc<str>) -> Result<()> {
    let work = async {
        match &db {
            Db::Sqlite(pool) => prepare_sqlite(pool, &database).await,
            Db::Postgres(pool) => prepare_postgres(pool, &database).await,
        }
    };
    tokio::time::timeout(MIGRATION_LIMIT, work)
        .await
        .unwrap_or_else(|_| Err(Error::TimedOut { database: database.clone(), limit: MIGRATION_LIMIT }))
}

/// All in one transaction, which keeps out another process that starts on the same file: the migrator takes a lock on
/// `PostgreSQL` only.
async fn prepare_sqlite(pool: &SqlitePool, database: &Arc<str>) -> Result<()> {
    let mut transaction = begin_sqlite(pool, database).await?;
    MIGRATIONS.run_direct(None, &mut *transaction, false).await.map_err(|error| Error::migration(database, error))?;
    transaction.commit().await.map_err(|error| Error::of(database, error))
}

/// Tries again while the file is locked, for as long as a call may wait. The first connection switches the file to the
/// write-ahead log, for which `SQLite` [does not always wait](https://sqlite.org/c3ref/busy_handler.html) when another
/// process switches it too. Once it is switched, connections open without a lock.
async fn begin_sqlite(pool: &SqlitePool, database: &Arc<str>) -> Result<Transaction<'static, Sqlite>> {
    let deadline = Instant::now() + pool.options().get_acquire_timeout();
    loop {
        match pool.begin_with("begin immediate").await.map_err(|error| Error::of(database, error)) {
            // From the file, and not from a pool that was closed.
            Err(Error::Unreachable { source, .. })
                if source.as_database_error().is_some() && Instant::now() < deadline =>
            {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// On a connection of its own: the migrator's lock belongs to the session, and one that failed half-way must not keep
/// it in the pool. It also fails at once with the reason, where the pool would try until its time is up.
async fn prepare_postgres(pool: &PgPool, database: &Arc<str>) -> Result<()> {
    let patience = pool.options().get_acquire_timeout();
    let mut connection = match tokio::time::timeout(patience, pool.connect_options().connect()).await {
        Ok(connection) => connection.map_err(|error| Error::unreachable(database, error))?,
        Err(_) => return Err(Error::unreachable(database, sqlx::Error::PoolTimedOut)),
    };
    let outcome = MIGRATIONS.run_direct(None, &mut connection, false).await;
    // The tables are what they are, whether the goodbye arrives or not.
    let _ = connection.close().await;
    outcome.map_err(|error| Error::migration(database, error))
}
