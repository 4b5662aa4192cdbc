//! HTTP to pods: those that hang, fail, break off or flood cost their own time only, and a real Envoy answers.

mod envoy;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::Method;
use meshtriage::{
    auth::Identify,
    cluster::{
        Cluster, Error,
        pod_http::{PodHttpError, PodHttpLimits},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{
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
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte).await, Ok(1)) {
        seen.push(byte[0]);
    }
}

async fn saying(text: &'static str) -> u16 {
    pod(move |mut stream| async move {
        request(&mut stream).await;
        let _ = stream.write_all(text.as_bytes()).await;
        // Open, as a keep-alive connection is.
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await
}

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nLIVE";

fn limits() -> PodHttpLimits {
    PodHttpLimits { deadline: Duration::from_millis(700), max_bytes: 1024 * 1024 }
}

async fn ask(cluster: &Cluster, name: &str) -> Result<String, PodHttpError> {
    let answer = cluster.pod_request(Method::GET, "shop", name, 15000, "/ready", limits()).await;
    match answer.and_then(|answer| answer.page("shop", name, 15000, "/ready")) {
        Ok(body) => Ok(String::from_utf8(body.to_vec()).unwrap()),
        Err(Error::Pod(error)) => Err(error),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_way_to_fail_has_its_own_error() {
    let silent = pod(|mut stream| async move {
        request(&mut stream).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
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
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
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

#[tokio::test]
async fn slow_pods_do_not_hold_up_others() {
    let silent = pod(|mut stream| async move {
        request(&mut stream).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
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
    let silent = pod(|mut stream| async move {
        request(&mut stream).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
    let pods = (0..200).map(|index| (format!("silent-{index}"), silent)).collect();
    let mut parts = app(fake::cluster(pods).await, Identify::Nobody);
    parts.places = tokio::sync::Semaphore::new(512);
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

#[tokio::test]
async fn one_request_at_a_time_reaches_a_pods_port() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&now), Arc::clone(&most));
    let busy = pod(move |mut stream| {
        let (now, most) = counters.clone();
        async move {
            request(&mut stream).await;
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            let _ = stream.write_all(GOOD.as_bytes()).await;
        }
    })
    .await;
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
