//! The pages of istiod, of Envoy with its agent, of ztunnel and of the cluster's DNS: what there is, and fetching it.

use serde_json::Value;

use super::super::pages::{ENVOY_PAGES, istiod_file};
use super::super::store::text;
use super::Layout;
use super::budget::Section;
use super::cut;
use super::fetch::{Answer, Failure, Page, fetch};
use super::pods::{MeshPod, Role};
use super::recording::{Recording, whole};

/// The pages behind one port, which are fetched one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Istiod,
    Envoy,
    Agent,
    Ztunnel,
    Dns,
}

/// <https://istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd/> and istiod's own list at `/debug`.
const ISTIOD_PAGES: &[&str] = &[
    "/version",
    "/metrics",
    "/debug/adsz",
    "/debug/authorizationz",
    "/debug/cachez",
    "/debug/clusterz",
    "/debug/config_distribution",
    "/debug/configz",
    "/debug/connections",
    "/debug/endpointShardz",
    "/debug/endpointz",
    "/debug/inject",
    "/debug/instancesz",
    "/debug/mcsz",
    "/debug/mesh",
    "/debug/networkz",
    "/debug/push_status",
    "/debug/registryz",
    "/debug/resourcesz",
    "/debug/sidecarz",
    "/debug/telemetryz",
];

/// What istioctl asks istiod for; those of newer versions answer 404 from older ones.
const ISTIOCTL_ISTIOD_PAGES: &[&str] = &[
    "/debug/adsz",
    "/debug/ambientz",
    "/debug/authorizationz",
    "/debug/cachez",
    "/debug/clusterz",
    "/debug/configz",
    "/debug/endpointShardz",
    "/debug/endpointz",
    "/debug/inject",
    "/debug/instancesz",
    "/debug/krtz",
    "/debug/mcsz",
    "/debug/mesh",
    "/debug/networkz",
    "/debug/push_status",
    "/debug/registryz",
    "/debug/resourcesz",
    "/debug/syncz",
    "/debug/telemetryz",
    "/metrics",
];

/// What istioctl asks Envoy for, without the leading slash: the names of the files are the same.
const ISTIOCTL_ENVOY_PAGES: &[&str] = &[
    "/certs",
    "/clusters",
    "/config_dump?include_eds",
    "/listeners",
    "/memory",
    "/runtime",
    "/server_info",
    "/stats/prometheus",
];

impl Group {
    pub(super) fn all(role: Role, layout: Layout) -> &'static [Self] {
        match (role, layout) {
            (Role::Istiod, _) => &[Self::Istiod],
            (Role::Envoy, Layout::Own) => &[Self::Envoy, Self::Agent],
            (Role::Envoy, Layout::Istioctl) => &[Self::Envoy],
            (Role::Ztunnel, _) => &[Self::Ztunnel],
            (Role::Dns, Layout::Own) => &[Self::Dns],
            (Role::Dns, Layout::Istioctl) | (Role::Cni | Role::Outside, _) => &[],
        }
    }

    pub(super) fn section(self) -> Section {
        if self == Self::Istiod { Section::ControlPlane } else { Section::Proxies }
    }

    /// Port, page and file.
    fn pages(self, recording: &Recording, pod: &MeshPod) -> Vec<(u16, String, String)> {
        let place = format!("{}/{}", pod.namespace, pod.name);
        let own = recording.options.layout == Layout::Own;
        let as_named = |port: u16, folder: &str, targets: &[&str]| {
            let page = |target: &&str| (port, (*target).to_owned(), format!("{folder}/{place}{target}"));
            targets.iter().map(page).collect::<Vec<_>>()
        };
        let envoy = |port: u16, target: &str, file: &str| (port, target.to_owned(), format!("envoy/{place}/{file}"));
        match self {
            Self::Istiod if own => {
                let first = [(8080, "/ready"), (15014, "/debug/syncz")].into_iter();
                let pages = first.chain(ISTIOD_PAGES.iter().map(|target| (15014, *target)));
                let is_wanted = |target: &str| recording.options.cut.is_none() || !cut::is_templates(target);
                let page = |(port, target): (u16, &str)| {
                    (port, target.to_owned(), format!("istiod/{place}/{}", istiod_file(target)))
                };
                pages.filter(|(_, target)| is_wanted(target)).map(page).collect()
            }
            Self::Istiod => as_named(15014, "istio", ISTIOCTL_ISTIOD_PAGES),
            Self::Envoy if own => {
                let mut pages: Vec<(u16, String, String)> = Vec::new();
                for (target, file) in ENVOY_PAGES {
                    // The dump with endpoints has everything that the other has.
                    let superfluous = recording.options.one_dump && *file == "config_dump.json";
                    let page = envoy(15000, target, file);
                    if !superfluous && pages.iter().all(|(_, _, other)| *other != page.2) {
                        pages.push(page);
                    }
                }
                pages
            }
            Self::Envoy => as_named(15000, "proxies", ISTIOCTL_ENVOY_PAGES),
            Self::Agent => vec![
                envoy(15020, "/stats/prometheus", "agent_stats_prometheus.txt"),
                envoy(15020, "/debug/ndsz", "agent_ndsz.json"),
                envoy(15021, "/healthz/ready", "healthz_ready.txt"),
            ],
            Self::Ztunnel if own => vec![envoy(15000, "/config_dump", "config_dump.json")],
            Self::Ztunnel => as_named(15000, "proxies", &["/config_dump"]),
            Self::Dns => vec![(9153, "/metrics".to_owned(), format!("ports/{place}/9153/metrics"))],
        }
    }
}

/// Fetches all pages of a group. A port that does not answer is given up, and its other pages are not tried.
pub(super) async fn record(recording: &Recording, pod: &MeshPod, group: Group) {
    let mut port_state = PortState::default();
    let mut proxies = Vec::new();
    for (port, target, file) in group.pages(recording, pod) {
        let answer = one(recording, pod, group, port, &target, &file, &mut port_state).await;
        // Who is connected is read once, for the record and for what follows from it.
        if let Some(body) = answer.filter(|_| target == "/debug/syncz" && recording.options.layout == Layout::Own) {
            proxies = connected(&body);
        }
    }
    for proxy in proxies {
        for debug in ["config_dump", "sidecarz"] {
            let target = format!("/debug/{debug}?proxyID={proxy}");
            let file = format!("istiod/{}/{}/{}", pod.namespace, pod.name, istiod_file(&target));
            one(recording, pod, group, 15014, &target, &file, &mut port_state).await;
        }
    }
}

/// How the port of the last page answered.
#[derive(Default)]
struct PortState {
    port: u16,
    answered: bool,
    late: bool,
    dead: Option<String>,
}

impl PortState {
    fn at(&mut self, port: u16) {
        if self.port != port {
            *self = Self { port, ..Self::default() };
        }
    }

    /// One that has not answered yet, or twice in a row not in time, will not answer the next one either.
    fn failed(&mut self, failure: &Failure) {
        let gives_up = match failure {
            Failure::Port(_) => true,
            Failure::Late(_) => !self.answered || self.late,
            Failure::Page(_) => false,
        };
        self.late = matches!(failure, Failure::Late(_));
        if gives_up {
            self.dead = Some(failure.why().to_owned());
        }
    }
}

/// Fetches and records one page; the body of `/debug/syncz`, if that is what it was.
async fn one(
    recording: &Recording,
    pod: &MeshPod,
    group: Group,
    port: u16,
    target: &str,
    file: &str,
    state: &mut PortState,
) -> Option<Vec<u8>> {
    state.at(port);
    if let Some(why) = &state.dead {
        // Noted with the first of them.
        recording.add(format!("{file}.error"), format!("not tried: {why}\n").as_bytes()).await;
        return None;
    }
    let page = Page { namespace: &pod.namespace, pod: &pod.name, port, target, section: group.section() };
    match fetch(recording, &page).await {
        Ok(Answer { status: 200, body, place: _place }) => {
            (state.answered, state.late) = (true, false);
            let mut kept = None;
            if target == "/debug/syncz" {
                let Ok(bytes) = whole(body) else { return None };
                recording.add_text(group.section(), file, respooled(recording, &bytes)?, |content, _| content).await;
                kept = Some(bytes);
            } else {
                let name = file.rsplit('/').next().unwrap_or_default().to_owned();
                let is_cut = recording.options.cut.is_some();
                let edit = move |content, _: &_| if is_cut { cut::page(&name, content) } else { content };
                recording.add_text(group.section(), file, body, edit).await;
            }
            kept
        }
        Ok(Answer { status, body, place: _place }) => {
            (state.answered, state.late) = (true, false);
            if recording.options.layout == Layout::Own {
                let head = format!("{status}\n").into_bytes();
                let edit = move |content: Vec<u8>, _: &_| [head, content].concat();
                recording.add_text(group.section(), &format!("{file}.status"), body, edit).await;
            } else {
                recording.fail(file, file, &format!("the page answered {status}")).await;
            }
            None
        }
        Err(failure) => {
            state.failed(&failure);
            let what = match state.dead {
                Some(_) => format!("port {port} of {}/{}", pod.namespace, pod.name),
                None => file.to_owned(),
            };
            recording.fail(file, &what, failure.why()).await;
            None
        }
    }
}

fn respooled(recording: &Recording, bytes: &[u8]) -> Option<tempfile::SpooledTempFile> {
    let mut spool = recording.spool();
    std::io::Write::write_all(&mut spool, bytes).ok()?;
    Some(spool)
}

/// The names in `/debug/syncz`, as long as they are such that a file may have them.
fn connected(syncz: &[u8]) -> Vec<String> {
    let page: Value = serde_json::from_slice(syncz).unwrap_or_default();
    let names = page.as_array().into_iter().flatten().map(|entry| text(entry, &["proxy"]));
    let allowed = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    names.filter(|name| allowed(name)).map(str::to_owned).collect()
}
