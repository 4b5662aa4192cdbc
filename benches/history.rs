//! How long a page takes of a million runs, and of a million findings, by cursor: the first one, one in the middle, and with
//! filters. On a file of SQLite, and on PostgreSQL where `MESHTRIAGE_TEST_POSTGRES` names one.
//!
//! `cargo bench --bench history [-- ROWS]`

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use meshtriage::history::{Cursor, FindingFilter, FindingState, History, Place, RunFilter};
use meshtriage::report::{State, Verdict};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

const CLUSTER: &str = "blue";
const PAGES: u32 = 50;
const BEGINNING_MS: i64 = 1_790_000_000_000;

/// What differs between the databases: a series of numbers, and an id of the form of a UUID.
struct Dialect {
    series: &'static str,
    id: &'static str,
}

const SQLITE: Dialect = Dialect {
    series: "(with recursive s(n) as (select 0 union all select n + 1 from s where n + 1 < {rows}) select n from s) as s",
    id: "printf('%08x-0000-7000-8000-%012x', s.n, s.n)",
};
const POSTGRES: Dialect = Dialect {
    series: "(select n from generate_series(0, {rows} - 1) as g(n)) as s",
    id: "lpad(to_hex(s.n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(s.n), 12, '0')",
};

impl Dialect {
    fn filling(&self, rows: u64) -> [String; 2] {
        let (series, id) = (self.series.replace("{rows}", &rows.to_string()), self.id);
        [
            format!(
                "insert into run (run_id, cluster, step, state, verdict, completeness, requested_by, inputs, access, \
                 started_at, duration_ms, errors, warnings, infos, summary, namespaces) \
                 select {id}, '{CLUSTER}', case when s.n % 7 = 0 then 'istioctl.analyze' else 'istioctl.tags' end, \
                 'succeeded', case when s.n % 100 = 0 then 'error' else 'ok' end, 'complete', 'alice', '{{}}', '[]', \
                 {BEGINNING_MS} + s.n * 1000, 40, 0, 0, 0, 'nothing found', '[]' from {series}"
            ),
            format!(
                "insert into finding (cluster, fingerprint, code, severity, kind, namespace, name, message, first_seen, \
                 last_seen, first_run, last_run, state, changed_at, access) \
                 select '{CLUSTER}', 'v1:' || {id}, 'IST0101', case when s.n % 10 = 0 then 'error' else 'warning' end, \
                 'Service', 'shop', 'cart', 'gone', {BEGINNING_MS}, {BEGINNING_MS} + s.n, {id}, {id}, \
                 case when s.n % 3 = 0 then 'resolved' else 'persisting' end, {BEGINNING_MS} + s.n, '[]' from {series}"
            ),
        ]
    }
}

fn main() -> anyhow::Result<()> {
    let rows = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    tokio::runtime::Runtime::new()?.block_on(measure(rows))
}

async fn measure(rows: u64) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}", folder.path().join("history.db").display());
    let history = History::open(&url, Duration::from_mins(5))?;
    history.ready().await?;
    let mut connection = SqliteConnection::connect(&url).await?;
    for sql in SQLITE.filling(rows) {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
    }
    pages("SQLite", &history, rows).await?;
    #[expect(clippy::disallowed_methods, reason = "benchmarks have no config")]
    let Ok(server) = std::env::var("MESHTRIAGE_TEST_POSTGRES") else { return Ok(()) };
    let mut admin = PgConnection::connect(&server).await?;
    let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await?;
    let mut url = url::Url::parse(&server)?;
    url.set_path(&name);
    let history = History::open(url.as_str(), Duration::from_mins(5))?;
    history.ready().await?;
    let mut connection = PgConnection::connect(url.as_str()).await?;
    for sql in POSTGRES.filling(rows) {
        sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
    }
    sqlx::query("analyze").execute(&mut connection).await?;
    pages("PostgreSQL", &history, rows).await?;
    history.close().await;
    connection.close().await?;
    sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)"))).execute(&mut admin).await?;
    Ok(())
}

async fn pages(database: &str, history: &History, rows: u64) -> anyhow::Result<()> {
    let errors = RunFilter { verdict: vec![Verdict::Error], state: vec![State::Succeeded], ..RunFilter::default() };
    let middle = Timestamp::from_millisecond(BEGINNING_MS + i64::try_from(rows / 2)? * 1000)?;
    let before = RunFilter { until: Some(middle), ..RunFilter::default() };
    for (what, filter) in [("runs", RunFilter::default()), ("runs from the middle on", before), ("failed runs", errors)]
    {
        let (mut after, mut longest) = (None, Duration::ZERO);
        for _ in 0..PAGES {
            let begun = Instant::now();
            let page = history.runs(CLUSTER, &filter, after, 50).await?;
            longest = longest.max(begun.elapsed());
            after = Some(Cursor::after(page.last().context("there are so many")?));
        }
        say(&format!("{database}: 50 of {rows} {what}: {longest:?} at most of {PAGES} pages"))?;
    }
    let open = vec![FindingState::New, FindingState::Persisting, FindingState::Reopened];
    let open = FindingFilter { state: open, ..FindingFilter::default() };
    let half = Place { at: BEGINNING_MS + i64::try_from(rows / 2)?, id: String::new() };
    for (what, filter, first) in [
        ("findings", FindingFilter::default(), None),
        ("open findings", open.clone(), None),
        ("open findings from the middle on", open, Some(half)),
    ] {
        let (mut after, mut longest) = (first, Duration::ZERO);
        for _ in 0..PAGES {
            let begun = Instant::now();
            let page = history.findings(CLUSTER, &filter, after.as_ref(), 50).await?;
            longest = longest.max(begun.elapsed());
            let last = page.last().context("there are so many")?;
            after = Some(Place { at: last.changed_at.as_millisecond(), id: last.fingerprint.clone() });
        }
        say(&format!("{database}: 50 of {rows} {what}: {longest:?} at most of {PAGES} pages"))?;
    }
    Ok(())
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
