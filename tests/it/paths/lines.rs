//! Requests that access logs of the recordings hold, and what is foretold of them.

use std::{collections::BTreeMap, net::SocketAddr};

use meshtriage::{
    capture::{Capture, Limits},
    cluster::{LogQuery, Settings},
    logs::{AccessLogLine, Side},
    mesh::{Kind, Mesh, Object, Proxy, is_gateway},
    paths::{Answer, Answerer, Caller, Client, Confidence, Ending, Network, Protocol, Request},
};

use super::{MESHES, facts, mesh, packed, probes};
use crate::support::{recording_path, say};

/// The client and the request of a line of a client's proxy or of a gateway.
fn asked<'m>(pod: &'m Object, line: &AccessLogLine) -> Option<(Client<'m>, Request)> {
    let address = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<SocketAddr>().ok());
    let local = address(&line.downstream_local_address)?;
    let mut request = Request::http(&local.ip().to_string(), local.port());
    request.dialled = Some((local.ip(), local.port()));
    let name = line.requested_server_name.clone();
    match (&line.method, &line.authority, &line.path) {
        (Some(method), Some(authority), Some(path)) => {
            request.method.clone_from(method);
            request.path.clone_from(path);
            request.authority = Some(authority.clone());
            authority.split(':').next()?.clone_into(&mut request.host);
            if name.is_some() && is_gateway(pod) {
                (request.protocol, request.server_name) = (Protocol::Https, name);
            }
        }
        // Something that a proxy took for HTTP and that was none.
        _ if line.response_code != 0 => return None,
        _ => {
            request.protocol = if name.is_some() { Protocol::Tls } else { Protocol::Tcp };
            request.server_name = Some(name.unwrap_or_default());
        }
    }
    let remote = address(&line.downstream_remote_address).map(|remote| remote.ip());
    let client =
        if is_gateway(pod) { Client::Outside { address: remote } } else { Client::Inside(Caller::of_pod(pod)) };
    Some((client, request))
}

fn is_right(answer: &Answer, line: &AccessLogLine, at_gateway: bool) -> bool {
    let logged = |wanted: &str| line.response_flags.iter().any(|flag| flag == wanted);
    answer.outcomes.iter().any(|outcome| match outcome.ending {
        // What the application does, and how long the client waits for it, is their affair.
        Ending::Delivered => line.response_flags.is_empty() || ["DC", "UT", "UPE"].into_iter().any(logged),
        Ending::Status(status) => {
            let own = if at_gateway { Answerer::Gateway } else { Answerer::ClientProxy };
            let has_flag =
                outcome.flag.filter(|_| outcome.answered_by == own).is_none_or(|flag| flag.split(',').any(logged));
            status == line.response_code && has_flag
        }
        Ending::NoName | Ending::Refused | Ending::Reset | Ending::TimedOut | Ending::TlsFailed => {
            line.response_code == 0
        }
    })
}

#[derive(Debug, Default)]
struct Score {
    all: u32,
    right: u32,
    answered: u32,
    certain: u32,
    certain_right: u32,
}

async fn count<'m>(
    mesh: &'m Mesh,
    cluster: &meshtriage::cluster::Cluster,
    network: &Network<'m>,
    score: &mut Score,
) -> BTreeMap<String, u32> {
    let mut wrong: BTreeMap<String, u32> = BTreeMap::new();
    for pod in mesh.each(Kind::Pod).filter(|pod| Proxy::of(pod).is_some()) {
        let Ok(log) = cluster.log(pod.namespace(), pod.name(), "istio-proxy", &LogQuery::default()).await else {
            continue;
        };
        for line in log.lines() {
            let line = AccessLogLine::parse(line.split_once(' ').map_or(line, |(_, rest)| rest));
            let Some(line) = line.filter(|line| line.side() == Side::Outbound) else { continue };
            let Some((client, request)) = asked(pod, &line) else { continue };
            let answer = network.answer(&client, &request);
            let is_right = is_right(&answer, &line, is_gateway(pod));
            score.all += 1;
            score.right += u32::from(is_right);
            score.answered += u32::from(answer.confidence() != Confidence::Unknown);
            if answer.confidence() == Confidence::Certain {
                score.certain += 1;
                score.certain_right += u32::from(is_right);
            }
            if !is_right {
                let foretold: Vec<_> = answer.outcomes.iter().map(|it| (&it.result, it.answered_by, it.flag)).collect();
                let text = format!(
                    "{} {:?} {:?} was {} {:?}; foretold {foretold:?}",
                    pod.full_name(),
                    line.authority,
                    line.path,
                    line.response_code,
                    line.response_flags
                );
                *wrong.entry(text).or_default() += 1;
            }
        }
    }
    wrong
}

#[tokio::test]
async fn logged_requests_end_as_foretold() {
    let mut score = Score::default();
    for name in MESHES {
        for path in [recording_path(name), packed(&format!("{name}.tar.gz"))] {
            let capture = Capture::open(&path, &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let cluster = capture.cluster(name.to_owned(), name.to_owned(), Settings::default());
            let mesh = mesh(&cluster).await;
            let network = Network::new(&mesh, facts(&cluster, &mesh, &probes(name).0).await);
            for (text, times) in count(&mesh, &cluster, &network, &mut score).await {
                say(&format!("{name}: {times} x {text}"));
            }
        }
    }
    let percent = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
    let (certain, answered) = (percent(score.certain_right, score.certain), percent(score.answered, score.all));
    say(&format!("{score:?}: {certain:.2} % right where certain, {answered:.2} % answered"));
    assert!(score.all > 5000, "{score:?}");
    assert!(certain >= 99.0, "{certain:.2} % right where certain");
    assert!(answered >= 95.0, "{answered:.2} % answered");
}
