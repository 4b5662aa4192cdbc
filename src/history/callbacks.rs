//! Callbacks, who wants to hear of what, and the messages on their way.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::connect::{Db, History, on};
use super::rows::storable;
use super::{Error, Result};

/// Rows of one list.
const MOST: i64 = 500;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    pub id: Uuid,
    pub cluster: String,
    pub name: String,
    /// The run whose end it waits for.
    pub run: Option<Uuid>,
    pub host: String,
    /// Sealed.
    pub target: String,
    pub kind: String,
    pub created_by: String,
    pub created_at: Timestamp,
    /// Messages given up since the last that arrived.
    pub failures: u32,
    pub disabled: bool,
}

/// Who wants to hear of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub id: Uuid,
    pub cluster: String,
    pub callback: Uuid,
    /// As whom it hears, as JSON.
    pub caller: String,
    /// As JSON.
    pub wanted: String,
    pub created_by: String,
    pub created_at: Timestamp,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: Uuid,
    pub cluster: String,
    pub callback: Uuid,
    pub event: String,
    pub body: String,
    /// `waiting`, `delivered` or `failed`.
    pub state: String,
    pub attempts: u32,
    pub created_at: Timestamp,
    pub last_status: Option<u16>,
    pub last_error: Option<String>,
}

/// What a try to send a message came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub status: Option<u16>,
    pub error: Option<String>,
    /// When to try again; `None` for what has arrived, and for what is given up.
    pub again_after: Option<Duration>,
    pub delivered: bool,
}

#[derive(sqlx::FromRow)]
struct CallbackRow {
    callback_id: String,
    cluster: String,
    name: String,
    run_id: Option<String>,
    host: String,
    target: String,
    kind: String,
    created_by: String,
    created_at: i64,
    failures: i64,
    disabled: i64,
}

#[derive(sqlx::FromRow)]
struct SubscriptionRow {
    subscription_id: String,
    cluster: String,
    callback_id: String,
    caller: String,
    wanted: String,
    created_by: String,
    created_at: i64,
}

#[derive(sqlx::FromRow)]
struct DeliveryRow {
    delivery_id: String,
    cluster: String,
    callback_id: String,
    event: String,
    body: String,
    state: String,
    attempts: i64,
    created_at: i64,
    last_status: Option<i64>,
    last_error: Option<String>,
}

const CALLBACKS: &str = "select callback_id, cluster, name, run_id, host, target, kind, created_by, created_at, failures, \
     disabled from callback";
const SUBSCRIPTIONS: &str =
    "select subscription_id, cluster, callback_id, caller, wanted, created_by, created_at from subscription";
const DELIVERIES: &str = "select delivery_id, cluster, callback_id, event, body, state, attempts, created_at, last_status, \
     last_error from delivery";

impl History {
    /// Adds a callback. `false` when the cluster has as many as may be; those of runs are not counted.
    pub async fn add_callback(&self, new: &Callback) -> Result<bool> {
        const SQL: &str = "insert into callback (callback_id, cluster, name, run_id, host, target, kind, created_by, \
             created_at, failures, disabled) select $1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0 \
             from (select count(*) as known from callback where cluster = $2 and run_id is null) as c \
             where c.known < $10 or $4 is not null";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(new.id.to_string())
                .bind(storable(&new.cluster))
                .bind(storable(&new.name))
                .bind(new.run.map(|run| run.to_string()))
                .bind(storable(&new.host))
                .bind(&new.target)
                .bind(&new.kind)
                .bind(storable(&new.created_by))
                .bind(new.created_at.as_millisecond())
                .bind(MOST)
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    /// The callbacks of a cluster that belong to no run, the newest first.
    pub async fn callbacks(&self, cluster: &str) -> Result<Vec<Callback>> {
        let sql =
            format!("{CALLBACKS} where cluster = $1 and run_id is null order by created_at desc, callback_id desc");
        let rows: Vec<CallbackRow> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql)).bind(storable(cluster)).fetch_all(pool).await)
            })
            .await?;
        rows.into_iter().map(callback).collect()
    }

    /// Those that wait for the end of a run.
    pub async fn callbacks_of_run(&self, run: Uuid) -> Result<Vec<Callback>> {
        let sql = format!("{CALLBACKS} where run_id = $1");
        let rows: Vec<CallbackRow> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql)).bind(run.to_string()).fetch_all(pool).await)
            })
            .await?;
        rows.into_iter().map(callback).collect()
    }

    pub async fn callback(&self, cluster: &str, id: Uuid) -> Result<Option<Callback>> {
        let sql = format!("{CALLBACKS} where cluster = $1 and callback_id = $2");
        let row: Option<CallbackRow> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql)).bind(storable(cluster)).bind(id.to_string())
                    .fetch_optional(pool).await)
            })
            .await?;
        row.map(callback).transpose()
    }

    /// Deletes a callback with its subscriptions and messages.
    pub async fn delete_callback(&self, cluster: &str, id: Uuid) -> Result<bool> {
        self.delete_one("delete from callback where cluster = $1 and callback_id = $2", cluster, id).await
    }

    pub async fn add_subscription(&self, new: &Subscription) -> Result<bool> {
        const SQL: &str = "insert into subscription (subscription_id, cluster, callback_id, caller, wanted, created_by, \
             created_at) select $1, $2, $3, $4, $5, $6, $7 \
             from (select count(*) as known from subscription where cluster = $2) as s where s.known < $8";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL)
                .bind(new.id.to_string())
                .bind(storable(&new.cluster))
                .bind(new.callback.to_string())
                .bind(storable(&new.caller))
                .bind(storable(&new.wanted))
                .bind(storable(&new.created_by))
                .bind(new.created_at.as_millisecond())
                .bind(MOST)
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    /// The subscriptions of a cluster, the newest first.
    pub async fn subscriptions(&self, cluster: &str) -> Result<Vec<Subscription>> {
        let sql = format!("{SUBSCRIPTIONS} where cluster = $1 order by created_at desc, subscription_id desc");
        let rows: Vec<SubscriptionRow> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql)).bind(storable(cluster)).fetch_all(pool).await)
            })
            .await?;
        rows.into_iter().map(subscription).collect()
    }

    pub async fn delete_subscription(&self, cluster: &str, id: Uuid) -> Result<bool> {
        self.delete_one("delete from subscription where cluster = $1 and subscription_id = $2", cluster, id).await
    }

    /// Notes that a subscription is told of a cause. `false` when it was told less than `rest` ago, at whichever replica.
    pub async fn may_tell(&self, subscription: Uuid, cause: &str, rest: Duration) -> Result<bool> {
        let sql = format!(
            "insert into subscription_told (subscription_id, cause, told_at) values ($1, $2, {now}) \
             on conflict (subscription_id, cause) do update set told_at = excluded.told_at \
             where subscription_told.told_at <= excluded.told_at - $3",
            now = self.db.now()
        );
        self.changing(async {
            on!(&self.db, pool => sqlx::query(AssertSqlSafe(sql))
                .bind(subscription.to_string()).bind(storable(cause)).bind(millis(rest))
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }

    /// Adds a message, to be sent after a while.
    pub async fn add_delivery(&self, new: &Delivery, after: Duration) -> Result<()> {
        let sql = format!(
            "insert into delivery (delivery_id, cluster, callback_id, event, body, state, attempts, next_at, created_at) \
             values ($1, $2, $3, $4, $5, 'waiting', 0, {} + $6, $7)",
            self.db.now()
        );
        self.changing(async {
            on!(&self.db, pool => sqlx::query(AssertSqlSafe(sql))
                .bind(new.id.to_string())
                .bind(storable(&new.cluster))
                .bind(new.callback.to_string())
                .bind(&new.event)
                .bind(storable(&new.body))
                .bind(millis(after))
                .bind(new.created_at.as_millisecond())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|_| ())
    }

    /// Takes messages that are due, for so long: another process does not send them meanwhile.
    pub async fn due_deliveries(&self, cluster: &str, most: u32, lease: Duration) -> Result<Vec<Delivery>> {
        let skip = match self.db {
            Db::Sqlite(_) => "",
            Db::Postgres(_) => " for update skip locked",
        };
        let sql = format!(
            "update delivery set next_at = {now} + $3, attempts = attempts + 1 where delivery_id in ( \
             select delivery_id from delivery where cluster = $1 and state = 'waiting' and next_at <= {now} \
             order by next_at limit $2{skip}) \
             returning delivery_id, cluster, callback_id, event, body, state, attempts, created_at, last_status, last_error",
            now = self.db.now()
        );
        let rows: Vec<DeliveryRow> = self
            .limited(async {
                let _turn = self.turn_to_write().await;
                on!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql))
                    .bind(storable(cluster)).bind(i64::from(most)).bind(millis(lease)).fetch_all(pool).await)
            })
            .await?;
        rows.into_iter().map(delivery).collect()
    }

    /// Notes what a try came to, with the message and with its callback, which is switched off after so many messages that
    /// were given up one after the other.
    pub async fn delivery_tried(&self, delivery: &Delivery, tried: &Tried, most_failures: u32) -> Result<()> {
        let sql = format!(
            "update delivery set state = $2, last_status = $3, last_error = $4, next_at = {} + $5 where delivery_id = $1",
            self.db.now()
        );
        let state = match (tried.delivered, tried.again_after) {
            (true, _) => "delivered",
            (false, Some(_)) => "waiting",
            (false, None) => "failed",
        };
        self.changing(async {
            on!(&self.db, pool => sqlx::query(AssertSqlSafe(sql))
                .bind(delivery.id.to_string())
                .bind(state)
                .bind(tried.status.map(i64::from))
                .bind(tried.error.as_deref().map(storable))
                .bind(millis(tried.again_after.unwrap_or_default()))
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await?;
        const ARRIVED: &str = "update callback set failures = 0 where callback_id = $1 and failures > $2";
        const GIVEN_UP: &str = "update callback set failures = failures + 1, \
             disabled = case when failures + 1 >= $2 then 1 else disabled end where callback_id = $1";
        let (sql, most) = match state {
            "delivered" => (ARRIVED, 0),
            "failed" => (GIVEN_UP, i64::from(most_failures)),
            _ => return Ok(()),
        };
        self.changing(async {
            on!(&self.db, pool => sqlx::query(sql).bind(delivery.callback.to_string()).bind(most)
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|_| ())
    }

    /// The messages of a callback, the newest first.
    pub async fn deliveries(&self, callback: Uuid, limit: u32) -> Result<Vec<Delivery>> {
        let sql = format!("{DELIVERIES} where callback_id = $1 order by created_at desc, delivery_id desc limit $2");
        let rows: Vec<DeliveryRow> = self
            .limited(async {
                on!(&self.db, pool => sqlx::query_as(AssertSqlSafe(sql))
                    .bind(callback.to_string()).bind(i64::from(limit)).fetch_all(pool).await)
            })
            .await?;
        rows.into_iter().map(delivery).collect()
    }

    /// Sends a message again at once, whatever became of it. Its callback is switched on again.
    pub async fn redeliver(&self, callback: Uuid, id: Uuid) -> Result<bool> {
        let sql = format!(
            "update delivery set state = 'waiting', attempts = 0, next_at = {} where callback_id = $1 and delivery_id = $2",
            self.db.now()
        );
        const ON: &str = "update callback set disabled = 0, failures = 0 where callback_id = $1";
        let rows = self
            .changing(async {
                on!(&self.db, pool => sqlx::query(AssertSqlSafe(sql)).bind(callback.to_string()).bind(id.to_string())
                    .execute(pool).await.map(|done| done.rows_affected()))
            })
            .await?;
        self.changing(async {
            on!(&self.db, pool => sqlx::query(ON).bind(callback.to_string())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await?;
        Ok(rows > 0)
    }

    /// Deletes messages that were sent or given up before this time.
    pub async fn forget_deliveries(&self, cluster: &str, before: Timestamp) -> Result<u64> {
        const SQL: &str = "delete from delivery where cluster = $1 and state <> 'waiting' and created_at < $2";
        self.changing(async {
            on!(&self.db, pool => sqlx::query(SQL).bind(storable(cluster)).bind(before.as_millisecond())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
    }

    pub(super) async fn delete_one(&self, sql: &'static str, cluster: &str, id: Uuid) -> Result<bool> {
        self.changing(async {
            on!(&self.db, pool => sqlx::query(sql).bind(storable(cluster)).bind(id.to_string())
                .execute(pool).await.map(|done| done.rows_affected()))
        })
        .await
        .map(|rows| rows > 0)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn id(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|source| Error::damaged(text, "id", source))
}

pub(super) fn time(of: &str, ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|source| Error::damaged(of, "time", source))
}

fn callback(row: CallbackRow) -> Result<Callback> {
    Ok(Callback {
        id: id(&row.callback_id)?,
        created_at: time(&row.callback_id, row.created_at)?,
        run: row.run_id.as_deref().map(id).transpose()?,
        cluster: row.cluster,
        name: row.name,
        host: row.host,
        target: row.target,
        kind: row.kind,
        created_by: row.created_by,
        failures: u32::try_from(row.failures).unwrap_or(u32::MAX),
        disabled: row.disabled != 0,
    })
}

fn subscription(row: SubscriptionRow) -> Result<Subscription> {
    Ok(Subscription {
        id: id(&row.subscription_id)?,
        callback: id(&row.callback_id)?,
        created_at: time(&row.subscription_id, row.created_at)?,
        cluster: row.cluster,
        caller: row.caller,
        wanted: row.wanted,
        created_by: row.created_by,
    })
}

fn delivery(row: DeliveryRow) -> Result<Delivery> {
    Ok(Delivery {
        id: id(&row.delivery_id)?,
        callback: id(&row.callback_id)?,
        created_at: time(&row.delivery_id, row.created_at)?,
        cluster: row.cluster,
        event: row.event,
        body: row.body,
        state: row.state,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        last_status: row.last_status.and_then(|status| u16::try_from(status).ok()),
        last_error: row.last_error,
    })
}
