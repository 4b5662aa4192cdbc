//! HTTP to pods: those that hang, fail, break off or flood cost their own time only, and a real Envoy answers.

mod envoy;
mod istiod;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use meshtriage::{
    auth::Identify,
    cluster::{
        Cluster, Error,
        pod_http::{ENVOY_ADMIN, PodHttpError, PodHttpLimits, PodPort},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    self,
    app::{TestApp, app},
    fake, say,
};

/// Serves each connection with `answer`; gives the port.
async fn pod<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    port
}

/// Reads the request, which ends with an empty line.
async fn request(stream: &mut TcpStream) {
    request_line(stream).await;
}

/// The same; gives its first line, unless the connection has ended.
async fn request_line(stream: &mut TcpStream) -> Option<String> {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte).await, Ok(1)) {
        seen.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&seen).into_owned();
    text.lines().next().map(str::to_owned)
}

/// One that takes requests and never answers.
pub(crate) async fn silent() -> u16 {
    pod(|mut stream| async move {
        request(&mut stream).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await
}

/// A port that nothing listens on.
pub(crate) async fn closed() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

pub(crate) async fn saying(text: &'static str) -> u16 {
    pod(move |mut stream| async move {
        request(&mut stream).await;
        let _ = stream.write_all(text.as_bytes()).await;
        // Open, as a keep-alive connection is.
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await
}

pub(crate) const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nLIVE";

fn limits() -> PodHttpLimits {
    PodHttpLimits { deadline: Duration::from_millis(700), max_bytes: 1024 * 1024 }
}

/// Envoy's port of a pod, on a node where it matters.
fn envoy(cluster: &Cluster, name: &str, node: Option<&str>) -> PodPort {
    support::port(cluster, "shop", name, node, ENVOY_ADMIN)
}

async fn ask(cluster: &Cluster, name: &str) -> Result<String, PodHttpError> {
    ask_again(&mut envoy(cluster, name, None)).await
}

async fn ask_again(port: &mut PodPort) -> Result<String, PodHttpError> {
    match port.page_within("/ready", limits()).await {
        Ok(body) => Ok(String::from_utf8(body.to_vec()).unwrap()),
        Err(Error::Pod(error)) => Err(error),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_way_to_fail_has_its_own_error() {
    let silent = silent().await;
    let cut_off = pod(|mut stream| async move {
        request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this").await;
    })
    .await;
    let flood = pod(|mut stream| async move {
        request(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 500000000\r\n\r\n").await;
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    })
    .await;
    let closed = closed().await;
    let cluster = fake::cluster(fake::Pods::from([
        ("good".to_owned(), saying(GOOD).await),
        ("silent".to_owned(), silent),
        ("failing".to_owned(), saying("HTTP/1.1 500 No\r\ncontent-length: 6\r\n\r\nbroken").await),
        ("cut-off".to_owned(), cut_off),
        ("flood".to_owned(), flood),
        ("closed".to_owned(), closed),
    ]))
    .await;

    assert_eq!(ask(&cluster, "good").await.unwrap(), "LIVE");
    let error = |result: Result<String, PodHttpError>| result.unwrap_err();
    assert!(matches!(error(ask(&cluster, "silent").await), PodHttpError::TimedOut { .. }));
    assert!(matches!(error(ask(&cluster, "failing").await), PodHttpError::Status { status: 500, .. }));
    assert!(matches!(error(ask(&cluster, "flood").await), PodHttpError::TooLarge { limit_bytes: 1_048_576, .. }));
    assert!(matches!(error(ask(&cluster, "closed").await), PodHttpError::Refused { .. }));
    // The far end of a port-forward does not tell that the pod has closed, so this may look like a pod that hangs.
    let cut = error(ask(&cluster, "cut-off").await);
    assert!(matches!(cut, PodHttpError::CutOff { .. } | PodHttpError::TimedOut { .. }), "{cut:?}");
    assert!(cut.to_string().contains("port 15000 of shop/cut-off"), "{cut}");
}

/// Who waits for another's request is told that the pod was not asked.
#[tokio::test]
async fn request_without_its_turn_is_told_from_a_silent_pod() {
    let silent = pod(|mut stream| async move {
        request(&mut stream).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
    let cluster = fake::cluster(fake::Pods::from([("silent".to_owned(), silent)])).await;
    let soon = PodHttpLimits { deadline: limits().deadline / 2, ..limits() };
    let (mut first, mut second) = (envoy(&cluster, "silent", None), envoy(&cluster, "silent", None));
    let (first, second) = tokio::join!(ask_again(&mut first), second.page_within("/ready", soon));
    assert!(matches!(first, Err(PodHttpError::TimedOut { .. })), "{first:?}");
    assert!(matches!(second, Err(Error::Pod(PodHttpError::NotAsked { .. }))), "{second:?}");
}

#[tokio::test]
async fn slow_pods_do_not_hold_up_others() {
    let silent = silent().await;
    let mut pods = fake::Pods::from([("good".to_owned(), saying(GOOD).await)]);
    for index in 0..40 {
        pods.insert(format!("silent-{index}"), silent);
    }
    let cluster = fake::cluster(pods).await;
    let slow: Vec<_> = (0..40)
        .map(|index| {
            let cluster = cluster.clone();
            tokio::spawn(async move { ask(&cluster, &format!("silent-{index}")).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    assert_eq!(ask(&cluster, "good").await.unwrap(), "LIVE");
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    for task in slow {
        assert!(matches!(task.await.unwrap(), Err(PodHttpError::TimedOut { .. })));
    }
}

/// Two hundred calls that wait for pods, and a service that answers everybody else meanwhile.
#[tokio::test]
async fn slow_pods_do_not_hold_up_the_service() {
    let silent = silent().await;
    let pods = (0..200).map(|index| (format!("silent-{index}"), silent)).collect();
    let mut parts = app(fake::cluster(pods).await, Identify::Nobody);
    parts.budget = meshtriage::cluster::budget::Budget::new(2048, 512 << 20);
    parts.limits.step_timeout = Duration::from_secs(4);
    let service = Arc::new(TestApp::new(parts));
    let waiting: Vec<_> = (0..200)
        .map(|index| {
            let service = Arc::clone(&service);
            let path = format!("/v1/istioctl/proxy-config/shop/silent-{index}/cluster");
            tokio::spawn(async move { service.get(&path).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut times = Vec::new();
    for _ in 0..50 {
        for path in ["/v1/version", "/livez", "/v1/errors/guide%2F1-region-unsupported"] {
            let begun = Instant::now();
            assert_eq!(service.get(path).await.status, http::StatusCode::OK, "{path}");
            times.push(begun.elapsed());
        }
    }
    times.sort();
    let p99 = times[times.len() * 99 / 100];
    say(&format!("p99 of other endpoints beside 200 waiting calls: {p99:?}"));
    assert!(p99 < Duration::from_millis(500), "{p99:?}");
    for task in waiting {
        assert_eq!(task.await.unwrap().problem(), "cluster_timeout");
    }
}

/// A page that no reader of JSON takes, as its lists are nested too deeply, is said to be left out.
#[tokio::test]
async fn page_that_is_nested_too_deeply_is_an_answer() {
    let lists = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let section = "type.googleapis.com/envoy.admin.v3.ScopedRoutesConfigDump";
    let page = format!(r#"{{"configs": [{{"@type": "{section}", "lists": {lists}}}]}}"#);
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len());
    let port = saying(answer.leak()).await;
    let app = TestApp::new(app(fake::cluster([("deep".to_owned(), port)].into()).await, Identify::Nobody));
    for format in ["text", "raw", "yaml", "html", "sarif"] {
        let path = format!("/v1/kubectl/envoy/config_dump?namespace=shop&pod=deep&format={format}");
        let answer = app.get(&path).await;
        assert_eq!(answer.status, http::StatusCode::OK, "{format}: {answer:?}");
    }
    let answer = app.get("/v1/kubectl/envoy/config_dump?namespace=shop&pod=deep").await;
    assert_eq!(answer.status, http::StatusCode::OK, "{answer:?}");
    assert!(answer.json()["data"]["omitted"].as_str().unwrap().contains("levels deep"), "{answer:?}");
}

/// Serves all pods, each request in 20 ms; counts how many are served at once.
async fn busy() -> (u16, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (now, Arc::clone(&most));
    let port = pod(move |mut stream| {
        let (now, most) = counters.clone();
        async move {
            request(&mut stream).await;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            let _ = stream.write_all(GOOD.as_bytes()).await;
        }
    });
    (port.await, most)
}

#[tokio::test]
async fn one_request_at_a_time_reaches_a_pods_port() {
    let (busy, most) = busy().await;
    let cluster = fake::cluster(fake::Pods::from([("busy".to_owned(), busy)])).await;
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let cluster = cluster.clone();
            tokio::spawn(async move { ask(&cluster, "busy").await })
        })
        .collect();
    for task in asked {
        assert_eq!(task.await.unwrap().unwrap(), "LIVE");
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn few_requests_at_a_time_reach_the_pods_of_a_node() {
    let (busy, most) = busy().await;
    let cluster = fake::cluster((0..30).map(|index| (format!("busy-{index}"), busy)).collect()).await;
    let asked: Vec<_> = (0..30)
        .map(|index| {
            let mut envoy = envoy(&cluster, &format!("busy-{index}"), Some("node-1"));
            tokio::spawn(async move { ask_again(&mut envoy).await })
        })
        .collect();
    for task in asked {
        assert_eq!(task.await.unwrap().unwrap(), "LIVE");
    }
    let most = most.load(Ordering::SeqCst);
    assert!((2..=8).contains(&most), "{most}");
}

/// Serves `requests` on each connection, as `answer` says, and then closes it; counts the connections.
async fn closing_after(requests: usize, answer: &'static str) -> (u16, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let port = pod(move |mut stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        async move {
            for _ in 0..requests {
                request(&mut stream).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    (port.await, connections)
}

#[tokio::test]
async fn several_requests_take_one_connection() {
    let (live, connections) = closing_after(100, GOOD).await;
    let cluster = fake::cluster(fake::Pods::from([("live".to_owned(), live)])).await;
    let mut live = envoy(&cluster, "live", None);
    for _ in 0..10 {
        assert_eq!(ask_again(&mut live).await.unwrap(), "LIVE");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
    // A page that will not do leaves the connection as it is.
    let (broken, connections) = closing_after(100, "HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno").await;
    let cluster = fake::cluster(fake::Pods::from([("broken".to_owned(), broken)])).await;
    let mut broken = envoy(&cluster, "broken", None);
    for _ in 0..3 {
        assert!(matches!(ask_again(&mut broken).await, Err(PodHttpError::Status { status: 500, .. })));
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn connection_that_died_is_replaced() {
    const LAST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nLIVE";
    // The one says that it closes, the other does not, and the fake API server tells nobody.
    for (answer, quick) in [(LAST, true), (GOOD, false)] {
        let (closing, connections) = closing_after(1, answer).await;
        let cluster = fake::cluster(fake::Pods::from([("closing".to_owned(), closing)])).await;
        let mut closing = envoy(&cluster, "closing", None);
        let begun = Instant::now();
        for _ in 0..2 {
            assert_eq!(ask_again(&mut closing).await.unwrap(), "LIVE");
        }
        assert_eq!(connections.load(Ordering::SeqCst), 2);
        assert!(!quick || begun.elapsed() < limits().deadline / 2, "{:?}", begun.elapsed());
    }
}

/// A fresh connection that fails is an error, and no third one is tried.
#[tokio::test]
async fn pod_that_stops_answering_is_an_error() {
    let served = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&served);
    let stopping = pod(move |mut stream| {
        let is_first = counter.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            request(&mut stream).await;
            if is_first {
                let _ = stream.write_all(GOOD.as_bytes()).await;
            }
        }
    })
    .await;
    let cluster = fake::cluster(fake::Pods::from([("stopping".to_owned(), stopping)])).await;
    let mut stopping = envoy(&cluster, "stopping", None);
    assert_eq!(ask_again(&mut stopping).await.unwrap(), "LIVE");
    let error = ask_again(&mut stopping).await.unwrap_err();
    assert!(matches!(error, PodHttpError::CutOff { .. } | PodHttpError::TimedOut { .. }), "{error:?}");
    assert!(error.to_string().contains("port 15000 of shop/stopping"), "{error}");
    assert_eq!(served.load(Ordering::SeqCst), 2);
}
