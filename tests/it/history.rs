//! The history on both databases, each fact from one body.
//!
//! `PostgreSQL` is that of `tests/postgres.sh`, which `tests/run.sh` starts; each test has a database of its own in it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use meshtriage::history::{
    Access, Cursor, Error, History, Retention, Run, RunFilter, RunHeader, TIME_LIMIT, cluster_of_capture,
};
use meshtriage::report::{Code, Completeness, Counts, Finding, Severity, State, Subject, Verdict};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use uuid::Uuid;

use crate::support::{
    needs,
    needs::{Need, given, lacks},
};

const CLUSTER: &str = "blue";
const NOON: i64 = 1_790_000_000_000;

static MISSING_HOST: Code = Code { id: "IST0101", severity: Severity::Error, docs: "https://istio.io", page: "" };
static PORT_NAME: Code = Code { id: "IST0118", severity: Severity::Info, docs: "https://istio.io", page: "" };

/// A database of one test, gone with it.
pub(crate) enum Database {
    Sqlite(tempfile::TempDir),
    Postgres { server: String, name: String },
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn postgres() -> Self {
        let server = given(Need::Postgres);
        let name = format!("history_{}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect(&server).await.expect("PostgreSQL of MESHTRIAGE_TEST_POSTGRES answers");
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut admin).await.unwrap();
        Self::Postgres { server, name }
    }

    /// `PostgreSQL` where there is one: else the test is counted as not run in whole.
    async fn both() -> Vec<Self> {
        let mut both = vec![Self::sqlite()];
        if !lacks(Need::Postgres) {
            both.push(Self::postgres().await);
        }
        both
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("history.db").display()),
            Self::Postgres { server, name } => {
                let mut url = url::Url::parse(server).unwrap();
                url.set_path(name);
                url.to_string()
            }
        }
    }

    fn history(&self) -> History {
        History::open(&self.url(), Duration::from_secs(20)).unwrap()
    }

    /// Runs a statement behind the history's back.
    async fn execute(&self, sql: &'static str) {
        match self {
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap();
            }
            Self::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url()).await.unwrap();
                sqlx::query(sql).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// The number that a statement answers, behind the history's back.
    async fn number(&self, sql: &'static str) -> i64 {
        match self {
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
            Self::Postgres { .. } => {
                let mut connection = PgConnection::connect(&self.url()).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
            }
        }
    }

    pub(crate) async fn remove(self) {
        match self {
            Self::Sqlite(folder) => folder.close().unwrap(),
            Self::Postgres { server, name } => {
                let mut admin = PgConnection::connect(&server).await.unwrap();
                let sql = format!("drop database {name} with (force)");
                sqlx::query(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
            }
        }
    }
}

/// Shows one fact on both databases.
async fn on_both<Shown: Future<Output = ()> + Send + 'static>(show: impl Fn(History) -> Shown) {
    for database in Database::both().await {
        let history = database.history();
        let shown = tokio::spawn(show(history.clone())).await;
        assert!(shown.is_ok(), "it is not so with {history:?}");
        history.close().await;
        database.remove().await;
    }
}

/// A finished run that started `second` seconds after noon.
pub(crate) fn run_at(second: i64) -> Run {
    let started_at = Timestamp::from_millisecond(NOON + second * 1000).unwrap();
    Run {
        header: RunHeader {
            id: Uuid::now_v7(),
            cluster: CLUSTER.to_owned(),
            step: "istioctl.analyze".to_owned(),
            state: State::Succeeded,
            verdict: Some(Verdict::Error),
            completeness: Some(Completeness::Partial),
            started_at,
            duration_ms: Some(41),
            requested_by: "alice@example.com".to_owned(),
            reason: Some("nightly check".to_owned()),
            inputs: serde_json::json!({ "namespace": ["shop"], "all_namespaces": false }),
            access: vec![Access {
                verb: "list".to_owned(),
                group: "networking.istio.io".to_owned(),
                resource: "virtualservices".to_owned(),
                subresource: String::new(),
                namespace: Some("shop".to_owned()),
                name: None,
            }],
            counts: Counts { error: 1, warning: 0, info: 1 },
            summary: "1 error, 1 info; Secrets were not readable".to_owned(),
            error: None,
            namespaces: vec!["shop".to_owned(), "bank".to_owned()],
            expires_at: Some(Timestamp::from_millisecond(NOON + 86_400_000).unwrap()),
        },
        answer: Some(r#"{"findings": [], "data": {"wörld": "🌍"}}"#.to_owned()),
    }
}

fn findings() -> Vec<Finding> {
    vec![
        Finding::new(&MISSING_HOST, Subject::namespaced("VirtualService", "shop", "cart"), "no host \"cart\""),
        Finding::new(&PORT_NAME, Subject::cluster_wide("Node", "a"), "port 80 has no name"),
    ]
}

fn names(runs: &[RunHeader]) -> Vec<&str> {
    runs.iter().map(|run| run.summary.as_str()).collect()
}

async fn all(history: &History) -> Vec<RunHeader> {
    history.runs(CLUSTER, &RunFilter::default(), None, 1000).await.unwrap()
}

#[tokio::test]
async fn run_is_read_as_it_was_recorded() {
    on_both(|history| async move {
        let run = run_at(0);
        assert!(history.record(&run, &findings()).await.unwrap());
        assert_eq!(history.run(CLUSTER, run.header.id).await.unwrap().as_ref(), Some(&run));
        assert_eq!(all(&history).await, [run.header]);
        assert_eq!(history.run(CLUSTER, Uuid::now_v7()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn run_with_nothing_known_yet_is_read_as_it_was_recorded() {
    on_both(|history| async move {
        let mut run = run_at(0);
        run.answer = None;
        run.header = RunHeader {
            state: State::Queued,
            verdict: None,
            completeness: None,
            duration_ms: None,
            reason: None,
            inputs: serde_json::Value::Null,
            access: Vec::new(),
            counts: Counts::default(),
            summary: String::new(),
            namespaces: Vec::new(),
            expires_at: None,
            ..run.header
        };
        assert!(history.record(&run, &[]).await.unwrap());
        assert_eq!(history.run(CLUSTER, run.header.id).await.unwrap(), Some(run));
    })
    .await;
}

#[tokio::test]
async fn every_state_verdict_and_completeness_is_kept() {
    on_both(|history| async move {
        let states = [State::Queued, State::Running, State::Succeeded, State::Failed, State::Canceled];
        let verdicts = [Verdict::Ok, Verdict::Info, Verdict::Warning, Verdict::Error, Verdict::Unknown];
        for (state, verdict) in states.into_iter().zip(verdicts) {
            for completeness in [Completeness::Complete, Completeness::Partial] {
                let mut run = run_at(0);
                run.header.state = state;
                run.header.verdict = Some(verdict);
                run.header.completeness = Some(completeness);
                run.header.error = Some("the cluster did not answer".to_owned());
                history.record(&run, &[]).await.unwrap();
                assert_eq!(history.run(CLUSTER, run.header.id).await.unwrap(), Some(run));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn nul_in_a_text_does_not_lose_the_run() {
    on_both(|history| async move {
        let mut run = run_at(0);
        run.header.summary = "a\0b".to_owned();
        run.header.inputs = serde_json::json!({ "contains": "a\0b" });
        run.header.namespaces = vec!["a\0b".to_owned()];
        run.answer = Some("\"a\0b\"".to_owned());
        let finding = Finding::new(&PORT_NAME, Subject::cluster_wide("Node\0", "a\0b"), "a\0b");
        history.record(&run, &[finding]).await.unwrap();

        let stored = history.run(CLUSTER, run.header.id).await.unwrap().unwrap();
        assert_eq!(stored.header.summary, "a\u{fffd}b");
        assert_eq!(stored.header.inputs, run.header.inputs);
        let filter = RunFilter { namespace: vec!["a\0b".to_owned()], ..RunFilter::default() };
        assert_eq!(history.runs(CLUSTER, &filter, None, 10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn unfinished_run_is_replaced_with_its_findings() {
    for database in Database::both().await {
        let history = database.history();
        let mut run = run_at(0);
        run.header.state = State::Queued;
        run.header.namespaces = vec!["old".to_owned()];
        assert!(history.record(&run, &findings()).await.unwrap());
        run.header.state = State::Running;
        assert!(history.record(&run, &findings()).await.unwrap());
        run.header.state = State::Succeeded;
        run.header.namespaces = vec!["new".to_owned(), "new".to_owned()];
        assert!(history.record(&run, &findings()[..1]).await.unwrap());

        assert_eq!(history.run(CLUSTER, run.header.id).await.unwrap(), Some(run));
        assert_eq!(database.number("select count(*) from run").await, 1);
        assert_eq!(database.number("select count(*) from run_finding").await, 1);
        assert_eq!(database.number("select count(*) from run_namespace where namespace = 'new'").await, 1);
        assert_eq!(database.number("select count(*) from run_namespace").await, 1);
        history.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn finished_run_stays_as_it_is() {
    on_both(|history| async move {
        for state in [State::Succeeded, State::Failed, State::Canceled] {
            let mut run = run_at(0);
            run.header.state = state;
            assert!(history.record(&run, &findings()).await.unwrap());
            let mut late = run.clone();
            late.header.state = State::Running;
            late.header.summary = "late".to_owned();
            assert!(!history.record(&late, &[]).await.unwrap(), "{state:?}");
            assert_eq!(history.run(CLUSTER, run.header.id).await.unwrap(), Some(run));
        }
        let filter = RunFilter { code: vec!["IST0101".to_owned()], ..RunFilter::default() };
        assert_eq!(history.runs(CLUSTER, &filter, None, 10).await.unwrap().len(), 3, "the findings stay as well");
    })
    .await;
}

#[tokio::test]
async fn clusters_in_one_database_do_not_see_each_other() {
    on_both(|history| async move {
        let ours = run_at(0);
        let mut theirs = run_at(1);
        theirs.header.cluster = "green".to_owned();
        theirs.header.state = State::Running;
        history.record(&ours, &findings()).await.unwrap();
        history.record(&theirs, &findings()).await.unwrap();

        let id = theirs.header.id;
        assert_eq!(all(&history).await, [ours.header]);
        assert_eq!(history.run(CLUSTER, id).await.unwrap(), None);
        assert!(!history.delete(CLUSTER, id).await.unwrap());
        assert_eq!(history.fail_abandoned(CLUSTER, Timestamp::MAX, "gone").await.unwrap(), 0);
        let nothing = Retention { now: Timestamp::MAX, older_than: Timestamp::MAX, keep_at_most: 0 };
        assert_eq!(history.retain(CLUSTER, nothing).await.unwrap(), 1);
        let mut stolen = theirs.clone();
        stolen.header.cluster = CLUSTER.to_owned();
        assert!(matches!(history.record(&stolen, &[]).await, Err(Error::OtherCluster { run }) if run == id));
        assert_eq!(history.run("green", id).await.unwrap(), Some(theirs));
    })
    .await;
}

/// What was found in an upload is not the state of the cluster, but its service lists, reads and clears it away.
#[tokio::test]
async fn captures_belong_to_the_cluster_of_their_service() {
    on_both(|history| async move {
        let capture = Uuid::now_v7();
        let ours = run_at(0);
        let mut read = run_at(1);
        read.header.cluster = cluster_of_capture(CLUSTER, capture);
        let mut theirs = run_at(2);
        theirs.header.cluster = cluster_of_capture("green", capture);
        for run in [&ours, &read, &theirs] {
            history.record(run, &findings()).await.unwrap();
        }
        assert_eq!(all(&history).await, std::slice::from_ref(&ours.header));
        let listed = history.runs(&read.header.cluster, &RunFilter::default(), None, 10).await.unwrap();
        assert_eq!(listed, [read.header.clone()]);
        assert_eq!(serde_json::to_value(&read.header).unwrap()["capture"], capture.to_string());
        assert_eq!(serde_json::to_value(&ours.header).unwrap().get("capture"), None);
        assert_eq!(history.run(CLUSTER, read.header.id).await.unwrap().as_ref(), Some(&read));
        assert_eq!(history.run(CLUSTER, theirs.header.id).await.unwrap(), None);
        let keep = |keep_at_most| Retention { now: Timestamp::MIN, older_than: Timestamp::MIN, keep_at_most };
        assert_eq!(history.retain(CLUSTER, keep(1)).await.unwrap(), 1);
        assert_eq!(history.run(CLUSTER, ours.header.id).await.unwrap(), None, "the older one goes");
        let expired = Retention { now: Timestamp::MAX, older_than: Timestamp::MIN, keep_at_most: 10 };
        assert_eq!(history.retain(CLUSTER, expired).await.unwrap(), 1);
        assert_eq!(history.run("green", theirs.header.id).await.unwrap(), Some(theirs));
    })
    .await;
}

#[tokio::test]
async fn pages_show_every_run_once_newest_first() {
    on_both(|history| async move {
        // Three of each second, so that pages end between runs of the same time.
        let mut runs: Vec<Run> = (0..21).map(|n| run_at(n / 3)).collect();
        for run in &runs {
            history.record(run, &[]).await.unwrap();
        }
        runs.sort_by_key(|run| std::cmp::Reverse((run.header.started_at, run.header.id)));
        let expected: Vec<Uuid> = runs.iter().map(|run| run.header.id).collect();

        for limit in [1, 2, 5, 21, 1000, u32::MAX] {
            let mut seen = Vec::new();
            let mut after: Option<Cursor> = None;
            loop {
                let page = history.runs(CLUSTER, &RunFilter::default(), after, limit).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(Cursor::after(last).to_string().parse().unwrap());
                seen.extend(page.iter().map(|run| run.id));
            }
            assert_eq!(seen, expected, "limit {limit}");
        }
        assert!(history.runs(CLUSTER, &RunFilter::default(), None, 0).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn page_begins_after_its_cursor_whatever_changed() {
    on_both(|history| async move {
        let runs: Vec<Run> = (0..6).map(run_at).collect();
        for run in &runs {
            history.record(run, &[]).await.unwrap();
        }
        let first = history.runs(CLUSTER, &RunFilter::default(), None, 3).await.unwrap();
        let cursor = Cursor::after(&first[2]);
        history.delete(CLUSTER, first[2].id).await.unwrap();
        history.record(&run_at(7), &[]).await.unwrap();

        let second = history.runs(CLUSTER, &RunFilter::default(), Some(cursor), 3).await.unwrap();
        assert_eq!(second.iter().map(|run| run.id).collect::<Vec<_>>(), [2, 1, 0].map(|n: usize| runs[n].header.id));
    })
    .await;
}

#[tokio::test]
async fn filters_choose_by_every_field_and_together() {
    on_both(|history| async move {
        let make = |second, summary: &str, change: fn(&mut RunHeader)| {
            let mut run = run_at(second);
            run.header.summary = summary.to_owned();
            run.header.verdict = Some(Verdict::Ok);
            run.header.namespaces = vec!["shop".to_owned()];
            change(&mut run.header);
            run
        };
        history.record(&make(0, "plain", |_| ()), &[]).await.unwrap();
        history.record(&make(1, "other step", |run| run.step = "istioctl.version".to_owned()), &[]).await.unwrap();
        history.record(&make(2, "failed", |run| run.state = State::Failed), &[]).await.unwrap();
        history.record(&make(3, "unknown", |run| run.verdict = Some(Verdict::Unknown)), &[]).await.unwrap();
        history.record(&make(4, "no verdict", |run| run.verdict = None), &[]).await.unwrap();
        history.record(&make(5, "bob", |run| run.requested_by = "bob".to_owned()), &[]).await.unwrap();
        history.record(&make(6, "bank", |run| run.namespaces.push("bank".to_owned())), &[]).await.unwrap();
        history.record(&make(7, "both codes", |_| ()), &findings()).await.unwrap();
        history.record(&make(8, "one code", |_| ()), &findings()[1..]).await.unwrap();

        let check = async |filter: RunFilter, expected: &[&str]| {
            let runs = history.runs(CLUSTER, &filter, None, 100).await.unwrap();
            assert_eq!(names(&runs), expected, "{filter:?}");
        };
        let none = RunFilter::default();
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let at = |second| Some(run_at(second).header.started_at);
        check(
            none.clone(),
            &["one code", "both codes", "bank", "bob", "no verdict", "unknown", "failed", "other step", "plain"],
        )
        .await;
        check(RunFilter { step: texts(&["istioctl.version"]), ..none.clone() }, &["other step"]).await;
        check(RunFilter { state: vec![State::Failed, State::Running], ..none.clone() }, &["failed"]).await;
        check(RunFilter { verdict: vec![Verdict::Unknown, Verdict::Error], ..none.clone() }, &["unknown"]).await;
        check(RunFilter { requested_by: Some("bob".to_owned()), ..none.clone() }, &["bob"]).await;
        check(RunFilter { namespace: texts(&["bank", "elsewhere"]), ..none.clone() }, &["bank"]).await;
        check(RunFilter { namespace: texts(&["ban"]), ..none.clone() }, &[]).await;
        check(RunFilter { code: texts(&["IST0101"]), ..none.clone() }, &["both codes"]).await;
        check(RunFilter { code: texts(&["IST0118", "IST0101"]), ..none.clone() }, &["one code", "both codes"]).await;
        check(RunFilter { since: at(6), until: at(8), ..none.clone() }, &["both codes", "bank"]).await;
        check(
            RunFilter {
                step: texts(&["istioctl.analyze", "istioctl.version"]),
                state: vec![State::Succeeded],
                verdict: vec![Verdict::Ok],
                namespace: texts(&["shop"]),
                requested_by: Some("alice@example.com".to_owned()),
                code: texts(&["IST0118"]),
                since: at(0),
                until: at(8),
            },
            &["both codes"],
        )
        .await;
        // What looks like SQL or a pattern is a value like any other.
        for hostile in ["' or '1'='1", "%", "_ob", "bob'; drop table run; --", "$1", "b\0ob"] {
            check(RunFilter { requested_by: Some(hostile.to_owned()), ..none.clone() }, &[]).await;
            check(RunFilter { step: texts(&[hostile]), ..none.clone() }, &[]).await;
            check(RunFilter { code: texts(&[hostile]), ..none.clone() }, &[]).await;
        }
    })
    .await;
}

#[tokio::test]
async fn filter_takes_a_thousand_values_and_no_more() {
    on_both(|history| async move {
        history.record(&run_at(0), &findings()).await.unwrap();
        let namespace = (1..1000).map(|n| n.to_string()).chain(["shop".to_owned()]).collect();
        let mut filter = RunFilter { namespace, ..RunFilter::default() };
        assert_eq!(history.runs(CLUSTER, &filter, None, 10).await.unwrap().len(), 1);
        filter.code.push("IST0101".to_owned());
        let refused = history.runs(CLUSTER, &filter, None, 10).await;
        assert!(matches!(refused, Err(Error::FilterTooLarge { most: 1000 })), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn deleted_run_leaves_nothing_behind() {
    for database in Database::both().await {
        let history = database.history();
        let (gone, kept) = (run_at(0), run_at(1));
        history.record(&gone, &findings()).await.unwrap();
        history.record(&kept, &findings()[1..]).await.unwrap();
        assert!(history.delete(CLUSTER, gone.header.id).await.unwrap());
        assert!(!history.delete(CLUSTER, gone.header.id).await.unwrap());
        assert_eq!(database.number("select count(*) from run").await, 1);
        assert_eq!(database.number("select count(*) from run_namespace").await, 2);
        assert_eq!(database.number("select count(*) from run_finding").await, 1);
        history.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn large_report_is_recorded_whole() {
    for database in Database::both().await {
        let history = database.history();
        let mut run = run_at(0);
        run.header.namespaces = (0..1500).map(|n| format!("namespace-{n}")).collect();
        run.answer = Some(format!("\"{}\"", "x".repeat(4 << 20)));
        let findings: Vec<Finding> = (0..4321)
            .map(|n| Finding::new(&PORT_NAME, Subject::namespaced("Service", "shop", format!("s{n}")), "no name"))
            .collect();
        history.record(&run, &findings).await.unwrap();
        assert_eq!(database.number("select count(*) from run_finding").await, 4321);
        assert_eq!(database.number("select count(distinct fingerprint) from run_finding").await, 4321);
        assert_eq!(history.run(CLUSTER, run.header.id).await.unwrap(), Some(run));
        history.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn old_and_expired_runs_go() {
    on_both(|history| async move {
        let mut expired = run_at(50);
        expired.header.summary = "expired".to_owned();
        expired.header.expires_at = Some(run_at(100).header.started_at);
        history.record(&expired, &findings()).await.unwrap();
        // More than one batch.
        for second in 0..450 {
            let mut run = run_at(second - 450);
            run.header.expires_at = None;
            // A run of that age is not running, whatever it says.
            run.header.state = if second == 0 { State::Running } else { State::Succeeded };
            history.record(&run, &findings()).await.unwrap();
        }
        for second in 0..3 {
            history.record(&run_at(second), &findings()).await.unwrap();
        }
        let retention = Retention {
            now: run_at(100).header.started_at,
            older_than: run_at(0).header.started_at,
            keep_at_most: 1000,
        };
        assert_eq!(history.retain(CLUSTER, retention).await.unwrap(), 451);
        let left: Vec<Timestamp> = all(&history).await.iter().map(|run| run.started_at).collect();
        assert_eq!(left, [2, 1, 0].map(|second| run_at(second).header.started_at));
        assert_eq!(history.retain(CLUSTER, retention).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn newest_runs_stay_and_those_at_work() {
    on_both(|history| async move {
        for second in 0..230 {
            let mut run = run_at(second);
            run.header.summary = second.to_string();
            run.header.state = match second {
                3 => State::Queued,
                5 => State::Running,
                _ => State::Succeeded,
            };
            history.record(&run, &[]).await.unwrap();
        }
        let keep = |keep_at_most| Retention { now: Timestamp::MIN, older_than: Timestamp::MIN, keep_at_most };
        assert_eq!(history.retain(CLUSTER, keep(u64::MAX)).await.unwrap(), 0);
        assert_eq!(history.retain(CLUSTER, keep(230)).await.unwrap(), 0);
        assert_eq!(history.retain(CLUSTER, keep(4)).await.unwrap(), 224);
        assert_eq!(names(&all(&history).await), ["229", "228", "227", "226", "5", "3"]);
        assert_eq!(history.retain(CLUSTER, keep(0)).await.unwrap(), 4);
        assert_eq!(names(&all(&history).await), ["5", "3"]);
    })
    .await;
}

#[tokio::test]
async fn replicas_may_clean_up_at_once() {
    on_both(|history| async move {
        for second in 0..600 {
            history.record(&run_at(second), &findings()).await.unwrap();
        }
        let retention = Retention { now: Timestamp::MIN, older_than: run_at(300).header.started_at, keep_at_most: 100 };
        let mut replicas = JoinSet::new();
        for _ in 0..4 {
            let history = history.clone();
            replicas.spawn(async move { history.retain(CLUSTER, retention).await.unwrap() });
        }
        assert_eq!(replicas.join_all().await.iter().sum::<u64>(), 500);
        assert_eq!(all(&history).await.len(), 100);
    })
    .await;
}

#[tokio::test]
async fn runs_of_a_lost_process_end_as_failed() {
    on_both(|history| async move {
        for (second, state) in
            [(0, State::Running), (1, State::Queued), (2, State::Succeeded), (60, State::Running), (61, State::Queued)]
        {
            let mut run = run_at(second);
            run.header.summary = second.to_string();
            run.header.state = state;
            history.record(&run, &[]).await.unwrap();
        }
        let lease_ended = run_at(60).header.started_at;
        let reason = "the process that ran it is gone";
        assert_eq!(history.fail_abandoned(CLUSTER, lease_ended, reason).await.unwrap(), 2);
        assert_eq!(history.fail_abandoned(CLUSTER, lease_ended, reason).await.unwrap(), 0);
        let states: Vec<_> = all(&history).await.into_iter().map(|run| (run.summary, run.state, run.error)).collect();
        let failed = Some(reason.to_owned());
        assert_eq!(
            states,
            [
                ("61".to_owned(), State::Queued, None),
                ("60".to_owned(), State::Running, None),
                ("2".to_owned(), State::Succeeded, None),
                ("1".to_owned(), State::Failed, failed.clone()),
                ("0".to_owned(), State::Failed, failed),
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn many_may_write_at_once() {
    // Several histories on one database, as several processes have it, with two writers each.
    for database in Database::both().await {
        let mut writers = JoinSet::new();
        for _ in 0..4 {
            let history = database.history();
            for writer in 0..2 {
                let history = history.clone();
                writers.spawn(async move {
                    for second in 0..25 {
                        let mut run = run_at(second);
                        run.header.state = State::Running;
                        assert!(history.record(&run, &findings()).await.unwrap(), "writer {writer}");
                        run.header.state = State::Succeeded;
                        assert!(history.record(&run, &findings()).await.unwrap(), "writer {writer}");
                        assert!(!all(&history).await.is_empty());
                    }
                });
            }
        }
        writers.join_all().await;
        assert_eq!(database.number("select count(*) from run where state = 'succeeded'").await, 200);
        assert_eq!(database.number("select count(*) from run_finding").await, 400);
        database.remove().await;
    }
}

#[tokio::test]
async fn replicas_may_start_at_once_on_an_empty_database() {
    for database in Database::both().await {
        let mut replicas = JoinSet::new();
        for _ in 0..6 {
            let history = database.history();
            replicas.spawn(async move { history.ready().await });
        }
        for ready in replicas.join_all().await {
            ready.unwrap();
        }
        assert!(database.number("select count(*) from _sqlx_migrations where success").await >= 1);
        assert_eq!(database.number("select count(*) from run").await, 0);
        database.remove().await;
    }
}

#[tokio::test]
async fn runs_outlive_the_process() {
    for database in Database::both().await {
        let run = run_at(0);
        let history = database.history();
        history.record(&run, &findings()).await.unwrap();
        history.close().await;
        let history = database.history();
        assert_eq!(history.run(CLUSTER, run.header.id).await.unwrap(), Some(run));
        history.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn tables_of_a_newer_version_are_not_touched() {
    for database in Database::both().await {
        let history = database.history();
        history.record(&run_at(0), &[]).await.unwrap();
        history.close().await;
        database.execute("update _sqlx_migrations set version = version + 9998").await;
        let history = database.history();
        let refused = history.ready().await;
        assert!(matches!(refused, Err(Error::Migration { .. })), "{refused:?}");
        assert!(history.record(&run_at(1), &[]).await.is_err());
        assert_eq!(database.number("select count(*) from run").await, 1);
        history.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn damaged_record_is_named() {
    for database in Database::both().await {
        let history = database.history();
        let run = run_at(0);
        history.record(&run, &[]).await.unwrap();
        for (sql, field) in [
            ("update run set state = 'dreaming'", "state"),
            ("update run set state = 'failed', inputs = '{'", "inputs"),
            ("update run set inputs = '{}', started_at = 9223372036854775807", "started_at"),
        ] {
            database.execute(sql).await;
            let error = history.run(CLUSTER, run.header.id).await.unwrap_err();
            assert!(matches!(&error, Error::Damaged { field: at, .. } if *at == field), "{error}");
            assert!(error.to_string().contains(&run.header.id.to_string()), "{error}");
        }
        history.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn memory_holds_runs_without_a_file() {
    let history = History::open("sqlite::memory:", TIME_LIMIT).unwrap();
    let mut writers = JoinSet::new();
    for second in 0..8 {
        let history = history.clone();
        writers.spawn(async move { history.record(&run_at(second), &findings()).await.unwrap() });
    }
    assert_eq!(writers.join_all().await, [true; 8]);
    assert_eq!(all(&history).await.len(), 8);
    let other = History::open("sqlite::memory:", TIME_LIMIT).unwrap();
    assert!(all(&other).await.is_empty());
}

#[tokio::test]
async fn list_item_shows_what_callers_may_see() {
    let item = serde_json::to_value(run_at(0).header).unwrap();
    let fields: BTreeSet<&str> = item.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "id",
        "step",
        "state",
        "verdict",
        "completeness",
        "started_at",
        "duration_ms",
        "requested_by",
        "reason",
        "counts",
        "summary",
        "namespaces",
        "expires_at",
    ];
    assert_eq!(fields, BTreeSet::from(expected));
    assert_eq!(item["started_at"], "2026-09-21T14:13:20Z");
    assert_eq!(item["state"], "succeeded");
}

/// A port of this machine on which nobody listens.
async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// All texts of an error, and what it prints for programmers.
fn chain(error: &Error) -> String {
    let mut text = format!("{error:?}\n{error}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[tokio::test]
async fn closed_port_is_unreachable_within_the_time_limit() {
    let port = closed_port().await;
    let history = History::open(&format!("postgres://u:p@127.0.0.1:{port}/runs"), Duration::from_secs(2)).unwrap();
    let start = Instant::now();
    for error in [
        history.ready().await.unwrap_err(),
        history.record(&run_at(0), &[]).await.unwrap_err(),
        history.runs(CLUSTER, &RunFilter::default(), None, 10).await.unwrap_err(),
        history.run(CLUSTER, Uuid::now_v7()).await.unwrap_err(),
        history.delete(CLUSTER, Uuid::now_v7()).await.unwrap_err(),
        history.fail_abandoned(CLUSTER, Timestamp::MAX, "gone").await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
        assert!(error.is_temporary());
        assert_eq!(error.to_string(), format!("database postgres://127.0.0.1:{port}/runs cannot be reached"));
        assert!(chain(&error).contains("refused"), "{}", chain(&error));
    }
    assert!(start.elapsed() < Duration::from_secs(2), "a refused connection is told at once");
}

#[tokio::test]
async fn silent_server_is_given_up_within_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://u@{}/runs", listener.local_addr().unwrap());
    let history = History::open(&url, Duration::from_millis(300)).unwrap();
    for _ in 0..2 {
        let start = Instant::now();
        let error = history.record(&run_at(0), &[]).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. } | Error::TimedOut { .. }), "{error:?}");
        assert!(error.is_temporary());
        assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    }
}

/// Passes connections on to the test server, until it is stopped.
struct Proxy {
    task: JoinHandle<()>,
}

impl Proxy {
    async fn start(port: u16, server: &str) -> Self {
        let server = url::Url::parse(server).unwrap();
        let target = format!("{}:{}", server.host_str().unwrap(), server.port().unwrap_or(5432));
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let task = tokio::spawn(async move {
            // Ends all connections when the task is stopped.
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { task }
    }

    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

#[tokio::test]
async fn history_finds_back_to_a_database_that_was_away() {
    needs!(Postgres);
    let database = Database::postgres().await;
    let mut url = url::Url::parse(&database.url()).unwrap();
    let port = closed_port().await;
    url.set_ip_host("127.0.0.1".parse().unwrap()).unwrap();
    url.set_port(Some(port)).unwrap();
    let history = History::open(url.as_str(), Duration::from_secs(2)).unwrap();
    let (first, second) = (run_at(0), run_at(1));

    // Not there at the start.
    assert!(history.ready().await.is_err());
    assert!(history.record(&first, &[]).await.is_err());
    let proxy = Proxy::start(port, &given(Need::Postgres)).await;
    history.ready().await.unwrap();
    history.record(&first, &[]).await.unwrap();

    // Lost in between, with connections open.
    proxy.stop().await;
    let start = Instant::now();
    let error = history.record(&second, &[]).await.unwrap_err();
    assert!(error.is_temporary(), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let proxy = Proxy::start(port, &given(Need::Postgres)).await;
    history.record(&second, &[]).await.unwrap();
    assert_eq!(all(&history).await, [second.header, first.header]);

    history.close().await;
    proxy.stop().await;
    database.remove().await;
}

#[tokio::test]
async fn locked_database_ends_the_call_and_works_afterwards() {
    for database in Database::both().await {
        let history = History::open(&database.url(), Duration::from_millis(500)).unwrap();
        history.record(&run_at(0), &[]).await.unwrap();
        let url = database.url();
        let locked = match database {
            Database::Sqlite(_) => {
                let mut other = SqliteConnection::connect(&url).await.unwrap();
                let lock = other.begin_with("begin immediate").await.unwrap();
                let error = history.record(&run_at(1), &[]).await.unwrap_err();
                assert_eq!(all(&history).await.len(), 1, "reading does not wait for writers");
                lock.rollback().await.unwrap();
                error
            }
            Database::Postgres { .. } => {
                let mut other = PgConnection::connect(&url).await.unwrap();
                let mut lock = other.begin().await.unwrap();
                sqlx::query("lock table run in access exclusive mode").execute(&mut *lock).await.unwrap();
                let error = history.record(&run_at(1), &[]).await.unwrap_err();
                lock.rollback().await.unwrap();
                error
            }
        };
        assert!(matches!(locked, Error::Unreachable { .. } | Error::TimedOut { .. }), "{locked:?}");
        history.record(&run_at(2), &[]).await.unwrap();
        assert_eq!(all(&history).await[0].started_at, run_at(2).header.started_at);
        history.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn file_that_cannot_be_opened_is_named_and_found_later() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-there").join("history.db");
    let history = History::open(&format!("sqlite://{}", file.display()), TIME_LIMIT).unwrap();
    let error = history.record(&run_at(0), &[]).await.unwrap_err();
    assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("database file {file:?} cannot be opened or written"));
    assert!(chain(&error).contains("unable to open"), "{}", chain(&error));
    assert!(history.ready().await.is_err());

    std::fs::create_dir(file.parent().unwrap()).unwrap();
    history.ready().await.unwrap();
    assert!(history.record(&run_at(0), &[]).await.unwrap());
    history.close().await;
}

#[tokio::test]
async fn read_only_and_full_files_are_named() {
    // Permissions do not stop root, so the file system itself has to refuse, and the file its growth.
    let history = History::open("sqlite:///proc/history.db", TIME_LIMIT).unwrap();
    let error = history.ready().await.unwrap_err();
    assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
    assert!(error.to_string().contains("\"/proc/history.db\""), "{error}");

    let database = Database::sqlite();
    database.history().record(&run_at(0), &[]).await.unwrap();
    let history = History::open(&format!("{}?mode=ro", database.url()), TIME_LIMIT).unwrap();
    let error = history.record(&run_at(1), &[]).await.unwrap_err();
    assert!(matches!(error, Error::Unwritable { .. }), "{error:?}");
    assert!(error.to_string().contains("history.db"), "{error}");
}

#[tokio::test]
async fn file_of_another_kind_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("notes.txt");
    let text = "not a database\n".repeat(500);
    std::fs::write(&file, &text).unwrap();
    let history = History::open(&format!("sqlite://{}", file.display()), TIME_LIMIT).unwrap();
    let error = history.record(&run_at(0), &[]).await.unwrap_err();
    assert!(matches!(error, Error::Failed { .. } | Error::Migration { .. }), "{error:?}");
    assert!(error.to_string().contains("notes.txt"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn unusable_urls_are_refused_without_quoting_them() {
    for url in [
        "",
        "hunter2",
        "mysql://u:hunter2@h/d",
        "hunter2://u@h/d",
        "sqlite:",
        "sqlite://",
        "sqlite://?mode=rwc",
        "sqlite://file.db?mode=hunter2",
        "sqlite://file.db?mode=memory",
        "sqlite://file.db?mode=rwc&vfs=hunter2",
        "sqlite://hunter2%ff",
        "sqlite://file.db?password=hunter2",
        "postgres:",
        "postgres://",
        "postgres:///d",
        "postgres://u:hunter2@/d",
        "postgres://u:hunter2@h:port/d",
        "postgres://u:hunter2@[::/d",
        "postgres://u:1/hunter2@h/d",
        "postgres://u:1?hunter2@h/d",
        "postgres://u:1#hunter2@h/d",
        "postgres://u:hunter2@h/d?sslmode=hunter2",
        "postgres://u@h/d?passwrod=hunter2",
        "postgres://u@h/d?port=hunter2",
        "postgres://u:%ff%fehunter2@h/d",
    ] {
        let Err(error) = History::open(url, TIME_LIMIT) else { panic!("{url} is taken") };
        assert!(matches!(error, Error::Url { .. }), "{url}: {error:?}");
        assert!(!chain(&error).contains("hunter2"), "{url}: {}", chain(&error));
    }
}

#[tokio::test]
async fn password_is_in_no_error_text() {
    needs!(Postgres);
    let port = closed_port().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap().port();
    let server = url::Url::parse(&given(Need::Postgres)).unwrap();
    let (host, running) = (server.host_str().unwrap(), server.port().unwrap_or(5432));
    for url in [
        format!("postgres://alice:hunter2@127.0.0.1:{port}/d"),
        format!("postgres://alice@127.0.0.1:{port}/d?password=hunter2"),
        format!("postgres://alice:hunter2@127.0.0.1:{silent}/d"),
        format!("postgres://alice:hunter2@{host}:{running}/no_such_database"),
        format!("postgres://alice:hunter2@{host}:{running}/d?sslmode=require"),
        format!("postgres://alice:hunter2@{host}:{running}/d?sslrootcert=/nowhere&sslmode=verify-full"),
        "postgres://alice:hunter2@no-such-host.invalid/d".to_owned(),
        "postgres://alice:hunter2@%2Fnowhere/d".to_owned(),
    ] {
        let history = History::open(&url, Duration::from_millis(800)).unwrap();
        let error = history.ready().await.unwrap_err();
        assert!(error.is_temporary(), "{url}: {error:?}");
        for text in [chain(&error), format!("{history:?}")] {
            assert!(!text.contains("hunter2"), "{url}: {text}");
        }
    }
}
