//! `mesh.path`: what happens to a request, hop by hop, and which object decides it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    About, Cost, Invalid, Judgement, PERMISSIONS, PTH0001, PTH0002, PTH0003, PTH0004, Step, asked::AskedRequest, check,
    counted, kinds, observed, observed::ObservedRequests, proxies, show,
};
use cluster::{Cluster, Error};
use mesh::{Mesh, Perspective};
use paths::{Client, Confidence, Facts, Network, Outcome};
use report::{Evidence as Quote, Finding, Skipped, Subject};

/// Requests of one call.
const MOST: usize = 100;

/// The step.
pub struct MeshPath;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MeshPathInput {
    /// Who sends it: `namespace/workload`, `namespace/pod`, or `outside` for somebody outside of the cluster.
    #[param(max_length = 512)]
    pub from: String,
    /// Where to: `http://cart.shop:8080/cart/7`, `https://…`, `tcp://host:port`, `tls://host:port`. The host as the
    /// application writes it.
    #[param(max_length = 4096)]
    pub to: String,
    /// The method of HTTP (default GET).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 32)]
    pub method: Option<String>,
    /// Headers as `name: value`; `Host` too.
    #[param(max_items = 100)]
    pub header: Vec<String>,
    /// The server name of TLS, where it is not the host; empty for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 253)]
    pub sni: Option<String>,
    /// `address:port` that is dialled in place of what the host resolves to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 64)]
    pub connect: Option<String>,
    /// The claims of the request's JWT, as JSON. A real token is never needed: one with these claims, signed by their issuer,
    /// is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    #[schema(value_type = Option<Object>)]
    pub claims: Option<Value>,
    /// Leave the proxies alone: what the objects mean, not what is.
    pub without_proxies: bool,
    /// Leave the access logs alone.
    pub without_logs: bool,
    /// More requests, up to 100 in all.
    #[param(ignore)]
    #[schema(max_items = 100)]
    pub requests: Vec<AskedRequest>,
}

/// What happens to each request.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeshPathData {
    pub paths: Vec<PathAnswer>,
}

/// What happens to one request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PathAnswer {
    pub from: String,
    pub to: String,
    /// Whether every such request gets where it should.
    pub works: bool,
    pub confidence: Confidence,
    /// The ways in which it may end, the most frequent first.
    pub outcomes: Vec<Outcome>,
    /// What access logs of the client's side say of such requests.
    pub observed: Vec<ObservedRequests>,
    /// Where the log says something else than is foretold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contradiction: Option<String>,
    /// The chain in at most twelve lines.
    pub text: String,
    /// The same as a sequence diagram.
    pub mermaid: String,
    /// The whole chain, with its objects, and the diagram, for documents and tickets.
    pub markdown: String,
}

/// What was read.
pub struct Evidence {
    mesh: Mesh,
    facts: Facts,
    logs: observed::AccessLogs,
    skipped: Vec<Skipped>,
}

impl MeshPathInput {
    /// Every request that is asked about.
    fn asked(&self) -> Vec<AskedRequest> {
        let own = AskedRequest {
            from: self.from.clone(),
            to: self.to.clone(),
            method: self.method.clone(),
            header: self.header.clone(),
            sni: self.sni.clone(),
            connect: self.connect.clone(),
            claims: self.claims.clone(),
        };
        let has_own = !self.from.is_empty() || !self.to.is_empty() || self.requests.is_empty();
        has_own.then_some(own).into_iter().chain(self.requests.iter().cloned()).collect()
    }
}

/// The pod that sends a request, if one does.
fn sender(client: &Client<'_>) -> Option<(String, String)> {
    match client {
        Client::Inside(caller) => Some((caller.object.namespace().to_owned(), caller.object.name().to_owned())),
        Client::Outside { .. } => None,
    }
}

/// The pods on the ways of all requests.
fn pods_on_the_way(mesh: &Mesh, asked: &[AskedRequest]) -> Result<BTreeSet<(String, String)>, Error> {
    let network = Network::new(mesh, Facts::default());
    let mut pods = BTreeSet::new();
    for asked in asked {
        let client = asked.client(mesh)?;
        pods.extend(sender(&client));
        if let Ok(request) = asked.request() {
            pods.extend(network.answer(&client, &request).outcomes.into_iter().flat_map(|outcome| outcome.pods));
        }
    }
    Ok(pods)
}

impl Step for MeshPath {
    const ABOUT: About = About {
        id: "mesh.path",
        title: "Say what happens to a request, and why",
        description: "The hops of a request from the client to the application, how it ends and who answers, and the object and \
            field that decides it; beside it what proxies have logged of such requests.",
        guide: "mesh/1-path",
        method: "GET",
        endpoint: "/v1/mesh/path",
        mutating: false,
        permissions: PERMISSIONS,
        cost: Cost::Medium,
        command: "istioctl proxy-config all <pod> -n <namespace>",
        docs: "https://istio.io/latest/docs/ops/common-problems/network-issues/",
    };
    type Input = MeshPathInput;
    type Evidence = Evidence;
    type Data = MeshPathData;

    fn check(input: &MeshPathInput) -> Vec<Invalid> {
        let asked = input.asked();
        if asked.len() > MOST {
            return vec![Invalid::new("requests", "range", format!("at most {MOST} requests in one call"))];
        }
        let own = usize::from(asked.len() > input.requests.len());
        let each = asked.iter().enumerate().flat_map(|(index, asked)| {
            let at = if index < own { String::new() } else { format!("requests/{}/", index - own) };
            asked.check(&at)
        });
        let mut invalid: Vec<Invalid> = each.collect();
        invalid.extend(check::text("method", input.method.as_deref(), 32));
        invalid
    }

    async fn gather(cluster: &Cluster, input: &MeshPathInput) -> Result<Evidence, Error> {
        let mesh = cluster.whole_mesh(kinds()).await?.build().seen_from(Perspective::default());
        let pods = pods_on_the_way(&mesh, &input.asked())?;
        let (facts, mut skipped) = if input.without_proxies {
            (Facts::default(), Vec::new())
        } else {
            proxies::gather(cluster, &mesh, &pods).await?
        };
        let mut logs = observed::AccessLogs::default();
        if !input.without_logs {
            logs = observed::gather(cluster, &mesh, &pods).await?;
            skipped.append(&mut logs.skipped);
        }
        Ok(Evidence { mesh, facts, logs, skipped })
    }

    fn judge(input: &MeshPathInput, evidence: Evidence) -> Judgement<MeshPathData> {
        let Evidence { mesh, facts, logs, mut skipped } = evidence;
        for kind in kinds().iter() {
            if let Some(why) = mesh.why_unreadable(kind) {
                skipped.push(Skipped::new(kind.plural(), why));
            }
        }
        let network = Network::new(&mesh, facts);
        let (mut answers, mut findings) = (Vec::new(), Vec::new());
        for asked in input.asked() {
            let (Ok(client), Ok(request)) = (asked.client(&mesh), asked.request()) else { continue };
            let answer = network.answer(&client, &request);
            let mut seen = Vec::new();
            let at_client = sender(&client);
            let on_the_way = answer.outcomes.iter().flat_map(|outcome| &outcome.pods).cloned();
            let proxies: BTreeSet<(String, String)> = at_client.clone().into_iter().chain(on_the_way).collect();
            if let Some(pod) = &at_client {
                seen = logs.like(pod, &request);
            }
            if seen.is_empty() {
                seen = proxies.iter().flat_map(|pod| logs.like(pod, &request)).collect();
            }
            let to = format!("{} {}", request.method, asked.to);
            let mut shown = PathAnswer {
                from: asked.from.clone(),
                works: answer.is_good(),
                confidence: answer.confidence(),
                contradiction: observed::contradiction(&answer, &seen),
                mermaid: show::mermaid(&asked.from, &to, &answer.outcomes),
                to,
                outcomes: answer.outcomes,
                observed: seen,
                text: String::new(),
                markdown: String::new(),
            };
            shown.text = show::text(&shown);
            shown.markdown = show::markdown(&shown);
            findings.extend(judged(&shown));
            answers.push(shown);
        }
        let failing = answers.iter().filter(|answer| !answer.works).count();
        let summary = match answers.as_slice() {
            [one] => one.outcomes.first().map(show::sentence).unwrap_or_default(),
            all => format!("{}, of which {failing} fail", counted(all.len(), "request")),
        };
        let commands = answers.iter().filter(|answer| answer.from != "outside").take(1).map(|answer| {
            let (namespace, name) = answer.from.split_once('/').unwrap_or_default();
            format!("istioctl proxy-config all deployment/{name} -n {namespace}")
        });
        let commands = commands.collect();
        Judgement { data: MeshPathData { paths: answers }, findings, skipped, commands, summary }
    }

    fn raw(_: &MeshPathInput, data: &MeshPathData) -> Option<String> {
        let texts: Vec<&str> = data.paths.iter().map(|path| path.text.as_str()).collect();
        Some(format!("{}\n", texts.join("\n\n")))
    }
}

/// What is said about a path that does not work, or cannot be told.
fn judged(answer: &PathAnswer) -> Vec<Finding> {
    let mut findings = Vec::new();
    let failing: Vec<&Outcome> = answer.outcomes.iter().filter(|outcome| !outcome.ending.is_good()).collect();
    if answer.confidence == Confidence::Unknown {
        let why = answer.outcomes.iter().find_map(|outcome| outcome.why.clone()).unwrap_or_default();
        let message = format!("What happens to {} from {} cannot be told: {why}.", answer.to, answer.from);
        findings.push(Finding::new(&PTH0003, subject(answer, None), message));
    } else if let Some(worst) = failing.first() {
        let all = failing.len() == answer.outcomes.len();
        let code = if all { &PTH0001 } else { &PTH0002 };
        let how_many = if all { String::new() } else { format!(" for {} % of them", worst.percent) };
        let message = format!("{} from {} ends{how_many} with: {}.", answer.to, answer.from, show::sentence(worst));
        let mut finding = Finding::new(code, subject(answer, Some(worst)), message)
            .discriminator(format!("{}>{}", answer.from, answer.to));
        if let Some(hop) = worst.hops.last() {
            finding = finding.evidence(Quote::new(hop.at, &hop.says));
        }
        if let Some(remedy) = &worst.remedy {
            finding = finding.remedy(remedy);
        }
        findings.push(finding);
    }
    if let Some(contradiction) = &answer.contradiction {
        let message = format!("The log does not say what the configuration means for {}: {contradiction}.", answer.to);
        findings.push(Finding::new(&PTH0004, subject(answer, None), message).discriminator(answer.to.clone()));
    }
    findings
}

/// The object that decides, else the client.
fn subject(answer: &PathAnswer, outcome: Option<&Outcome>) -> Subject {
    if let Some(decided) = outcome.and_then(|outcome| outcome.decided_by.as_ref()) {
        let subject = if decided.namespace.is_empty() {
            Subject::cluster_wide(decided.kind, &decided.name)
        } else {
            Subject::namespaced(decided.kind, &decided.namespace, &decided.name)
        };
        return if decided.field.is_empty() { subject } else { subject.at(format!("{{.{}}}", decided.field)) };
    }
    match answer.from.split_once('/') {
        Some((namespace, name)) => Subject::namespaced("Workload", namespace, name),
        None => Subject::cluster_wide("Client", &answer.from),
    }
}
