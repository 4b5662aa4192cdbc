//! The history keeps to its room: the oldest answers go first, a full file leaves reading and says so, and so does one that
//! somebody has removed.

use std::time::Duration;

use meshtriage::history::{Error, History};

use crate::{
    history::{Database, run_at},
    support::needs,
};

const CLUSTER: &str = "blue";

/// Hard to pack, so that it takes room.
fn answer(number: i64) -> String {
    let words = (0..20_000_i64).map(|word| ((word * word).wrapping_mul(2_654_435_761 + number) % 99_991).to_string());
    format!("\"{}\"", words.collect::<Vec<_>>().join(" "))
}

async fn oldest_go_first(database: Database) {
    let history = History::open(&database.url(), Duration::from_secs(20)).unwrap();
    let mut ids = Vec::new();
    for second in 0..10 {
        let mut run = run_at(second);
        run.answer = Some(answer(second));
        history.record(&run, &[]).await.unwrap();
        assert_eq!(history.run(CLUSTER, run.header.id).await.unwrap().unwrap().answer, run.answer);
        ids.push(run.header.id);
    }
    assert_eq!(history.retain_bytes(CLUSTER, 1 << 30).await.unwrap(), 0);
    let gone = history.retain_bytes(CLUSTER, 200 << 10).await.unwrap();
    assert!((1..10).contains(&gone), "{gone}");
    for (number, id) in (0_u64..).zip(ids) {
        assert_eq!(history.run(CLUSTER, id).await.unwrap().is_some(), number >= gone, "{number} of {gone}");
    }
    assert_eq!(history.retain_bytes(CLUSTER, 0).await.unwrap(), 10 - gone);
    history.close().await;
    database.remove().await;
}

#[tokio::test]
async fn oldest_answers_make_room_on_sqlite() {
    oldest_go_first(Database::sqlite()).await;
}

#[tokio::test]
async fn oldest_answers_make_room_on_postgres() {
    needs!(Postgres);
    oldest_go_first(Database::postgres().await).await;
}

#[tokio::test]
async fn full_file_leaves_reading_and_says_so() {
    let database = Database::sqlite();
    let most = 1 << 20;
    let history = History::open_within(&database.url(), Duration::from_secs(20), Some(most)).unwrap();
    let mut first = None;
    let mut full = None;
    for second in 0..100 {
        let mut run = run_at(second);
        run.answer = Some(answer(second));
        match history.record(&run, &[]).await {
            Ok(_) => first = first.or(Some(run.header.id)),
            Err(error) => {
                full = Some(error);
                break;
            }
        }
    }
    assert!(matches!(full, Some(Error::Unwritable { .. })), "{full:?}");
    let size = match &database {
        Database::Sqlite(folder) => std::fs::metadata(folder.path().join("history.db")).unwrap().len(),
        Database::Postgres { .. } => unreachable!(),
    };
    assert!(size <= most, "{size}");
    assert!(history.run(CLUSTER, first.unwrap()).await.unwrap().is_some(), "what is there can be read");
    assert!(history.retain_bytes(CLUSTER, 0).await.unwrap() > 0);
    history.ready().await.unwrap();
    let mut run = run_at(1000);
    run.answer = Some(answer(1000));
    assert!(history.record(&run, &[]).await.unwrap(), "there is room again");
}

#[tokio::test]
async fn removed_file_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let history = History::open(&format!("sqlite://{}", file.display()), Duration::from_secs(20)).unwrap();
    history.record(&run_at(0), &[]).await.unwrap();
    history.ready().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(history.ready().await, Err(Error::Removed { .. })));
}
