//! The queue on both databases, each fact from one body: callers take turns, a run has one holder, what is heavy waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use meshtriage::{
    history::{Enqueued, History, QueueBounds, Queued, RequestKey, StoredPart, Weight},
    report::{Progress, State},
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    history::{Database, run_at},
    support::{needs, say},
};

const CLUSTER: &str = "blue";
const BOUNDS: QueueBounds = QueueBounds { runs: 20_000, runs_per_caller: 10_000 };
const LEASE: Duration = Duration::from_secs(30);

fn wanted(user: &str) -> Enqueued {
    let mut run = run_at(0);
    run.header.id = Uuid::now_v7();
    run.header.state = State::Queued;
    user.clone_into(&mut run.header.requested_by);
    run.header.labels = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
    run.answer = None;
    Enqueued {
        run,
        cluster: CLUSTER.to_owned(),
        caller: "{}".to_owned(),
        plan: "{}".to_owned(),
        plan_key: None,
        weight: Weight::Light,
        request: None,
        holder: None,
    }
}

async fn add(history: &History, wanted: &Enqueued) -> Uuid {
    assert_eq!(history.enqueue(wanted, BOUNDS).await.unwrap(), Queued::Added);
    wanted.run.header.id
}

async fn shown_on_both<Shown: Future<Output = ()> + Send + 'static>(show: impl Fn(History) -> Shown) {
    let mut databases = vec![Database::sqlite()];
    if !needs::lacks(needs::Need::Postgres) {
        databases.push(Database::postgres().await);
    }
    for database in databases {
        let history = History::open(&database.url(), Duration::from_secs(20)).unwrap();
        show(history.clone()).await;
        history.close().await;
        database.remove().await;
    }
}

async fn claimed(history: &History, lease: Duration) -> Option<Uuid> {
    history.claim(CLUSTER, Uuid::now_v7(), lease).await.unwrap().map(|claimed| claimed.run)
}

#[tokio::test]
async fn callers_take_turns() {
    shown_on_both(|history| async move {
        let mut of = BTreeMap::new();
        for _ in 0..5 {
            of.insert(add(&history, &wanted("alice")).await, "alice");
        }
        let mut order = vec![of[&claimed(&history, LEASE).await.unwrap()]];
        for user in ["bob", "bob", "carol"] {
            of.insert(add(&history, &wanted(user)).await, user);
        }
        while let Some(run) = claimed(&history, LEASE).await {
            order.push(of[&run]);
        }
        let places = |user: &str| -> Vec<usize> {
            order.iter().enumerate().filter(|(_, it)| **it == user).map(|(place, _)| place).collect()
        };
        assert_eq!(order.len(), 8);
        assert!(
            places("bob")[0] <= 3 && places("carol")[0] <= 3,
            "who came late does not wait for all of alice's: {order:?}"
        );
        assert!(places("bob")[1] <= 6, "{order:?}");
    })
    .await;
}

#[tokio::test]
async fn a_run_has_one_holder() {
    shown_on_both(|history| async move {
        let mut ids = BTreeSet::new();
        for _ in 0..40 {
            ids.insert(add(&history, &wanted("alice")).await);
        }
        let mut workers = JoinSet::new();
        for _ in 0..8 {
            let history = history.clone();
            workers.spawn(async move {
                let mut taken = Vec::new();
                while let Some(run) = claimed(&history, LEASE).await {
                    taken.push(run);
                }
                taken
            });
        }
        let taken: Vec<Uuid> = workers.join_all().await.into_iter().flatten().collect();
        assert_eq!(taken.len(), 40);
        assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), ids);
    })
    .await;
}

#[tokio::test]
async fn lost_run_is_taken_over_and_its_first_holder_is_told() {
    shown_on_both(|history| async move {
        let run = add(&history, &wanted("alice")).await;
        let (first, second) = (Uuid::now_v7(), Uuid::now_v7());
        let lease = Duration::from_millis(300);
        assert_eq!(history.claim(CLUSTER, first, lease).await.unwrap().unwrap().attempts, 1);
        assert_eq!(history.claim(CLUSTER, second, lease).await.unwrap(), None);
        let progress = Progress { parts_done: 3, ..Progress::default() };
        assert_eq!(history.renew(run, first, lease, &progress).await.unwrap(), Some(false));
        tokio::time::sleep(Duration::from_millis(400)).await;
        let over = history.claim(CLUSTER, second, LEASE).await.unwrap().unwrap();
        assert_eq!((over.run, over.attempts, over.progress), (run, 2, progress.clone()));
        assert_eq!(history.renew(run, first, LEASE, &progress).await.unwrap(), None);
        assert_eq!(history.ask_to_cancel(CLUSTER, run).await.unwrap(), Some(true));
        assert_eq!(history.renew(run, second, LEASE, &progress).await.unwrap(), Some(true));
        assert!(history.release(run, second).await.unwrap());
        assert_eq!(history.ask_to_cancel(CLUSTER, run).await.unwrap(), Some(false));
        let mut ended = wanted("alice").run;
        ended.header.id = run;
        ended.header.state = State::Succeeded;
        assert!(history.record(&ended, &[]).await.unwrap());
        assert_eq!(claimed(&history, LEASE).await, None);
        assert_eq!(history.ask_to_cancel(CLUSTER, run).await.unwrap(), None);
        ended.header.state = State::Failed;
        assert!(!history.record(&ended, &[]).await.unwrap(), "the first end stays");
    })
    .await;
}

#[tokio::test]
async fn heavy_runs_of_a_cluster_wait_for_each_other() {
    shown_on_both(|history| async move {
        let heavy = |user: &str| Enqueued { weight: Weight::Heavy, ..wanted(user) };
        let (one, two) = (add(&history, &heavy("alice")).await, add(&history, &heavy("bob")).await);
        let light = add(&history, &wanted("carol")).await;
        let holder = Uuid::now_v7();
        assert_eq!(history.claim(CLUSTER, holder, LEASE).await.unwrap().unwrap().run, one);
        assert_eq!(claimed(&history, LEASE).await, Some(light));
        assert_eq!(claimed(&history, LEASE).await, None);
        assert!(history.release(one, holder).await.unwrap());
        assert_eq!(claimed(&history, LEASE).await, Some(one));
        let mut ended = heavy("alice").run;
        ended.header.id = one;
        ended.header.state = State::Succeeded;
        history.record(&ended, &[]).await.unwrap();
        assert_eq!(claimed(&history, LEASE).await, Some(two));
    })
    .await;
}

#[tokio::test]
async fn one_run_changes_the_cluster_at_a_time() {
    shown_on_both(|history| async move {
        let change =
            |user: &str| Enqueued { weight: Weight::Change, holder: Some((Uuid::now_v7(), LEASE)), ..wanted(user) };
        let mut callers = JoinSet::new();
        for user in ["alice", "bob", "carol", "dave"] {
            let (history, wanted) = (history.clone(), change(user));
            callers.spawn(async move { (wanted.run.header.id, history.enqueue(&wanted, BOUNDS).await.unwrap()) });
        }
        let queued = callers.join_all().await;
        let added: Vec<Uuid> = queued.iter().filter(|(_, it)| *it == Queued::Added).map(|(run, _)| *run).collect();
        assert_eq!(added.len(), 1, "{queued:?}");
        assert_eq!(queued.iter().filter(|(_, it)| *it == Queued::ChangeUnderWay).count(), 3);
        assert_eq!(claimed(&history, LEASE).await, None);
        let mut ended = wanted("alice").run;
        ended.header.id = added[0];
        ended.header.state = State::Succeeded;
        history.record(&ended, &[]).await.unwrap();
        add(&history, &change("erin")).await;
    })
    .await;
}

#[tokio::test]
async fn same_request_begins_one_run_and_equal_plans_are_joined() {
    shown_on_both(|history| async move {
        let keyed = |key: &str, fingerprint: &str| Enqueued {
            request: Some(RequestKey { key: key.to_owned(), fingerprint: fingerprint.to_owned() }),
            ..wanted("alice")
        };
        let mut requests = JoinSet::new();
        for _ in 0..8 {
            let (history, wanted) = (history.clone(), keyed("a", "x"));
            requests.spawn(async move { history.enqueue(&wanted, BOUNDS).await.unwrap() });
        }
        let queued = requests.join_all().await;
        assert_eq!(queued.iter().filter(|queued| **queued == Queued::Added).count(), 1);
        assert_eq!(queued.iter().filter(|queued| matches!(queued, Queued::Replayed(_))).count(), 7);
        assert_eq!(history.enqueue(&keyed("a", "y"), BOUNDS).await.unwrap(), Queued::KeyReused);
        let planned = |user: &str| Enqueued { plan_key: Some("p".to_owned()), ..wanted(user) };
        let run = add(&history, &planned("alice")).await;
        assert_eq!(history.enqueue(&planned("alice"), BOUNDS).await.unwrap(), Queued::Joined(run));
        history.ask_to_cancel(CLUSTER, run).await.unwrap();
        assert_eq!(history.enqueue(&planned("alice"), BOUNDS).await.unwrap(), Queued::Added);
        let few = QueueBounds { runs: 3, runs_per_caller: 100 };
        assert_eq!(history.enqueue(&wanted("bob"), few).await.unwrap(), Queued::Full { of_caller: false });
        let few = QueueBounds { runs: 100, runs_per_caller: 3 };
        assert_eq!(history.enqueue(&wanted("alice"), few).await.unwrap(), Queued::Full { of_caller: true });
        assert_eq!(history.enqueue(&wanted("bob"), few).await.unwrap(), Queued::Added);
    })
    .await;
}

#[tokio::test]
async fn parts_and_events_are_kept_in_their_order() {
    shown_on_both(|history| async move {
        let run = add(&history, &wanted("alice")).await;
        for place in [2, 0] {
            let part = StoredPart {
                place,
                step: "istioctl.tags".to_owned(),
                about: format!("{{\"place\":{place}}}"),
                access: run_at(0).header.access,
                answer: Some("{\"data\":\"wörld\"}".to_owned()),
            };
            history.add_part(run, &part).await.unwrap();
            assert_eq!(history.part(run, place).await.unwrap(), Some(part));
        }
        let places: Vec<u32> = history.parts(run).await.unwrap().iter().map(|part| part.place).collect();
        assert_eq!(places, [0, 2]);
        assert!(history.parts_in_short(run).await.unwrap().iter().all(|part| part.answer.is_none()));
        let events = history.events(run, 0).await.unwrap();
        let kinds: Vec<_> = events.iter().map(|event| (event.seq, event.kind.as_str())).collect();
        assert_eq!(kinds, [(0, "queued"), (1, "step"), (2, "step")]);
        assert_eq!(history.events(run, 2).await.unwrap().len(), 1);
    })
    .await;
}

/// Ten thousand may wait; taking one takes no longer for it.
#[tokio::test]
async fn long_queue_is_as_quick_as_a_short_one() {
    let database = Database::sqlite();
    let history = History::open(&database.url(), Duration::from_mins(1)).unwrap();
    let begun = Instant::now();
    for number in 0..10_000 {
        add(
            &history,
            &Enqueued {
                weight: if number % 2 == 0 { Weight::Heavy } else { Weight::Light },
                ..wanted(["alice", "bob", "carol"][number % 3])
            },
        )
        .await;
    }
    let added = begun.elapsed();
    let begun = Instant::now();
    for _ in 0..50 {
        claimed(&history, LEASE).await.unwrap();
    }
    let taken = begun.elapsed() / 50;
    say(&format!("10,000 runs queued in {added:?}, each taken in {taken:?}"));
    assert!(taken < Duration::from_millis(100), "{taken:?}");
}

/// Five hundred answers a second, each of some size: none is lost, and none waits long.
#[tokio::test(flavor = "multi_thread")]
async fn busy_service_loses_no_answer() {
    let database = Database::sqlite();
    let history = History::open(&database.url(), Duration::from_secs(3)).unwrap();
    history.ready().await.unwrap();
    let answer = format!("{{\"data\":\"{}\"}}", "configuration of a proxy ".repeat(800));
    let mut writing = JoinSet::new();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..150 {
        ticks.tick().await;
        for _ in 0..10 {
            let (history, mut run) = (history.clone(), run_at(0));
            run.answer = Some(answer.clone());
            writing.spawn(async move {
                let begun = Instant::now();
                let patience = Duration::from_millis(50);
                let recorded = history.record_within(run, Vec::new(), Vec::new(), patience).await.unwrap();
                (begun.elapsed(), recorded.is_some())
            });
        }
    }
    let all = writing.join_all().await;
    let longest = all.iter().map(|(took, _)| *took).max().unwrap();
    let later = all.iter().filter(|(_, recorded)| !recorded).count();
    history.close().await;
    let history = History::open(&database.url(), Duration::from_secs(10)).unwrap();
    let mut kept = 0;
    let mut after = None;
    loop {
        let page = history.runs(CLUSTER, &meshtriage::history::RunFilter::default(), after, 1000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(meshtriage::history::Cursor::after(last));
        kept += page.len();
    }
    say(&format!("1,500 answers in 3 s: {kept} kept, the longest wait {longest:?}, {later} written later than 50 ms"));
    assert_eq!(kept, 1500);
    assert!(longest < Duration::from_millis(500), "{longest:?}");
}
