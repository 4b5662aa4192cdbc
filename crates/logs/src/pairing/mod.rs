//! Both ends of a request: the client's line and the server's line of the same request id, and what follows from
//! both, or from one alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access_log::{AccessLogLine, Side};
use super::flags::{Explanation, case_finding, explain};
use super::line::bounded;
use report::{Evidence, Finding, Subject};

/// Pairs that are told; all are counted.
const PAIRS: usize = 100;
/// A client chooses its request ids, and may send one again and again.
const LINES_OF_ONE_ID: usize = 50;

/// The access log of one destination pod.
#[derive(Debug, Clone, Copy)]
pub struct DestinationLog<'a> {
    pub pod: &'a str,
    /// The pod's address, where the caller knows it; else it is learnt from the lines.
    pub address: Option<&'a str>,
    pub lines: &'a [AccessLogLine],
    /// From when to when the log was read (any line of the container), so that a missing line means something.
    pub first_at: Option<&'a str>,
    pub last_at: Option<&'a str>,
}

/// What both ends together say about the requests of a source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PairingSummary {
    /// Requests of the source towards the destinations.
    pub requests: u64,
    /// Requests with a line on both sides.
    pub paired: u64,
    /// Failed requests by conclusion.
    pub failed: BTreeMap<PairConclusion, u64>,
    /// The first failed requests.
    pub pairs: Vec<RequestPair>,
}

/// One request as both sides saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequestPair {
    pub request_id: String,
    pub client: AccessLogLine,
    pub server: Option<AccessLogLine>,
    pub server_pod: Option<String>,
    /// Lines of the server with this request id; more than one where the client's proxy tried again.
    pub attempts: u64,
    pub conclusion: PairConclusion,
    /// The conclusion in words.
    pub text: String,
}

/// What follows from the lines of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PairConclusion {
    /// The client's proxy answered itself and sent nothing.
    AnsweredLocally,
    /// The server's proxy failed the request: its policy refused, or its application does not answer.
    ServerProxyFailed,
    /// The application gave this answer.
    ApplicationAnswered,
    /// The server answered, but the client did not get it.
    AnswerLost,
    /// The server's proxy refused connections of this client before any request.
    ConnectionRefused,
    /// The request did not arrive.
    NotArrived,
    /// The logs at hand do not show: another pod, another time, or no access log there.
    Unknown,
}

/// Joins the outbound lines of a source with the inbound lines of its destinations.
pub fn pair(source: &[AccessLogLine], destinations: &[DestinationLog<'_>]) -> PairingSummary {
    let index = Index::new(destinations);
    let mut summary = PairingSummary::default();
    for client in source.iter().filter(|line| line.side() == Side::Outbound) {
        let Some(request_id) = client.request_id.as_deref() else { continue };
        let servers = index.servers(client, request_id);
        summary.requests += 1;
        summary.paired += u64::from(!servers.is_empty());
        let Some(failure) = explain(client) else { continue };
        let (conclusion, text) = conclude(client, &failure, servers.last().map(|(_, line)| *line), &index);
        *summary.failed.entry(conclusion).or_default() += 1;
        if summary.pairs.len() < PAIRS {
            let server = servers.last();
            summary.pairs.push(RequestPair {
                request_id: request_id.to_owned(),
                client: client.clone(),
                server: server.map(|(_, line)| (*line).clone()),
                server_pod: server.map(|(pod, _)| (*pod).to_owned()),
                attempts: servers.len() as u64,
                conclusion,
                text,
            });
        }
    }
    summary
}

/// What only both ends together show, one finding for each conclusion. What one log shows alone is left to its own
/// summary. `subject` is the source's pod.
pub fn findings(summary: &PairingSummary, subject: &Subject) -> Vec<Finding> {
    let told = [
        (PairConclusion::NotArrived, "pair_not_arrived"),
        (PairConclusion::ConnectionRefused, "pair_connection_refused"),
        (PairConclusion::AnswerLost, "pair_answer_lost"),
    ];
    let mut findings = Vec::new();
    for (conclusion, case) in told {
        let Some(count) = summary.failed.get(&conclusion) else { continue };
        let mut finding = case_finding(case, subject);
        finding.message = format!("{}, {count} of {} requests", finding.message, summary.requests);
        if let Some(pair) = summary.pairs.iter().find(|pair| pair.conclusion == conclusion) {
            let destination = pair.client.destination().unwrap_or("-");
            let text = format!("request {} towards {destination}: {}", pair.request_id, pair.text);
            finding =
                finding.evidence(Evidence { count: Some(*count), ..Evidence::new("access logs of both ends", text) });
            destination.clone_into(&mut finding.discriminator);
        }
        findings.push(finding);
    }
    findings
}

fn conclude(
    client: &AccessLogLine,
    failure: &Explanation,
    server: Option<&AccessLogLine>,
    index: &Index<'_>,
) -> (PairConclusion, String) {
    let saw = seen(client);
    if let Some(server) = server {
        return match explain(server) {
            Some(why) if why.decided_by == "application_error" => (
                PairConclusion::ApplicationAnswered,
                format!("client saw {saw}, server {}: the application answered so", seen(server)),
            ),
            Some(why) => (
                PairConclusion::ServerProxyFailed,
                format!("client saw {saw}, server {}: {}", seen(server), words(&why)),
            ),
            None if server.response_code == client.response_code => (
                PairConclusion::ApplicationAnswered,
                format!("client saw {saw}, server the same: the application answered so"),
            ),
            None => (
                PairConclusion::AnswerLost,
                format!("client saw {saw}, server {}: the answer did not reach the client", seen(server)),
            ),
        };
    }
    if failure.answered_locally {
        let text = format!("client saw {saw}, answered by its own proxy: {}", words(failure));
        return (PairConclusion::AnsweredLocally, text);
    }
    if let Some(refused) = index.refused_connection(client) {
        let why = explain(refused).map(|why| words(&why)).unwrap_or_default();
        let text = format!("client saw {saw}, server refuses connections of this client ({}): {why}", seen(refused));
        return (PairConclusion::ConnectionRefused, text);
    }
    match index.covering(client) {
        Some(pod) => {
            (PairConclusion::NotArrived, format!("client saw {saw}, {pod} has no line: the request did not arrive"))
        }
        None => (PairConclusion::Unknown, format!("client saw {saw}; the logs at hand do not show whether it arrived")),
    }
}

/// `503 UF`.
fn seen(line: &AccessLogLine) -> String {
    format!("{} {}", line.response_code, line.response_flags.join(",")).trim_end().to_owned()
}

fn words(explanation: &Explanation) -> String {
    match &explanation.reason {
        Some(reason) => format!("{}; {reason}", explanation.meaning),
        None => explanation.meaning.clone(),
    }
}

/// The destinations' inbound lines by request id, and refused connections by client and port.
struct Index<'a> {
    destinations: &'a [DestinationLog<'a>],
    requests: BTreeMap<&'a str, Vec<(&'a str, &'a AccessLogLine)>>,
    refused: BTreeMap<(&'a str, &'a str), &'a AccessLogLine>,
    /// Address of a pod to its place in `destinations`.
    addresses: BTreeMap<&'a str, usize>,
}

impl<'a> Index<'a> {
    fn new(destinations: &'a [DestinationLog<'a>]) -> Self {
        let mut index =
            Self { destinations, requests: BTreeMap::new(), refused: BTreeMap::new(), addresses: BTreeMap::new() };
        for (place, destination) in destinations.iter().enumerate() {
            if let Some(address) = destination.address {
                index.addresses.insert(address, place);
            }
            for line in destination.lines.iter().filter(|line| line.side() == Side::Inbound) {
                let local = line.downstream_local_address.as_deref();
                if let Some(local) = local {
                    index.addresses.entry(host(local)).or_insert(place);
                }
                match (&line.request_id, local, line.downstream_remote_address.as_deref()) {
                    (Some(id), ..) => {
                        let lines = index.requests.entry(id).or_default();
                        if lines.len() < LINES_OF_ONE_ID {
                            lines.push((destination.pod, line));
                        }
                    }
                    (None, Some(local), Some(remote)) if !line.response_flags.is_empty() => {
                        index.refused.insert((host(remote), local), line);
                    }
                    _ => {}
                }
            }
        }
        index
    }

    /// The server's lines of a request. An id goes with a request through all its hops, so that the address, or where
    /// it is unknown the authority, has to fit as well.
    fn servers(&self, client: &AccessLogLine, request_id: &str) -> Vec<(&'a str, &'a AccessLogLine)> {
        let lines = self.requests.get(request_id).map(Vec::as_slice).unwrap_or_default();
        let fits = |server: &AccessLogLine| match (&client.upstream_host, &server.downstream_local_address) {
            (Some(upstream), Some(local)) => upstream == local,
            _ => client.authority == server.authority,
        };
        lines.iter().filter(|(_, server)| fits(server)).copied().collect()
    }

    fn refused_connection(&self, client: &AccessLogLine) -> Option<&'a AccessLogLine> {
        let upstream = client.upstream_host.as_deref()?;
        let own = client.upstream_local_address.as_deref().or(client.downstream_remote_address.as_deref())?;
        self.refused.get(&(host(own), upstream)).copied()
    }

    /// The pod to which the client's proxy sent the request, where its log covers that time.
    fn covering(&self, client: &AccessLogLine) -> Option<&'a str> {
        let place = self.addresses.get(host(client.upstream_host.as_deref()?))?;
        let destination = &self.destinations[*place];
        let at = to_millisecond(client.start_time.as_deref()?);
        let covers = to_millisecond(destination.first_at?) <= at && at <= to_millisecond(destination.last_at?);
        covers.then_some(destination.pod)
    }
}

/// Times are RFC 3339 in UTC, in milliseconds or finer, so that their starts compare as text.
fn to_millisecond(time: &str) -> &str {
    bounded(time, "2026-03-01T10:00:00.000".len())
}

/// An address without its port.
fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']'])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
