//! `mesh.callers`: who can reach a service, what a workload can reach, or everybody against everything.

use std::{collections::BTreeSet, fmt::Write as _};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{About, Cost, Invalid, Judgement, PERMISSIONS, Step, asked::find_caller, check, counted, kinds};
use cluster::{Cluster, Error};
use mesh::{Kind, Mesh, Perspective, is_gateway};
use paths::{Answerer, Caller, Cell, Client, Confidence, Decided, Facts, Network, Target};
use report::Skipped;

/// Rows of one answer.
const MOST_ROWS: usize = 10_000;
/// Pairs that are worked out in one call.
const MOST_PAIRS: usize = 2_000_000;

/// The step.
pub struct MeshCallers;

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MeshCallersInput {
    /// The service: `namespace/name`, or the host of a ServiceEntry. Without it every service counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 512)]
    pub to: Option<String>,
    /// One port of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 65_535)]
    pub port: Option<u16>,
    /// The caller: `namespace/workload`. Without it every workload, gateway and pod outside of the mesh counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 512)]
    pub from: Option<String>,
    /// The method of HTTP (default GET).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 32)]
    pub method: Option<String>,
    /// The path of HTTP (default `/`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(max_length = 4096)]
    pub path: Option<String>,
    /// Only pairs whose requests do not all get through.
    pub refused: bool,
    /// With format=raw, write every pair as comma-separated values.
    pub csv: bool,
}

/// Who reaches whom.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeshCallersData {
    pub pairs: usize,
    /// Pairs whose requests all get through, and those of which none or only some do.
    pub allowed: usize,
    pub refused: usize,
    /// Pairs of which it cannot be told.
    pub unknown: usize,
    /// At most 10,000; those that are refused first.
    pub rows: Vec<CallerRow>,
    pub rows_left_out: usize,
    #[serde(skip)]
    csv: Option<String>,
}

/// One caller and one target.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallerRow {
    /// `namespace/workload`.
    pub from: String,
    /// `sidecar`, `gateway` or `no sidecar`.
    pub caller: &'static str,
    /// Host and port.
    pub to: String,
    /// How many of a hundred requests get through.
    pub good_percent: f32,
    /// How those end that fail, or how all end.
    pub result: String,
    pub answered_by: Answerer,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<&'static str>,
    pub confidence: Confidence,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<Decided>,
}

impl MeshCallersInput {
    fn targets<'m>(&self, network: &Network<'m>) -> Result<Vec<Target<'m>>, Error> {
        let mut targets = network.targets();
        if let Some(to) = &self.to {
            let is_meant = |target: &Target<'_>| {
                target.request.host == *to
                    || target.object.is_some_and(|object| object.kind() == Kind::Service && object.full_name() == *to)
            };
            targets.retain(is_meant);
            if targets.is_empty() {
                let all = network.targets();
                let known: BTreeSet<String> =
                    all.iter().filter_map(|target| Some(target.object?.full_name())).collect();
                return Err(Error::no_such("to", format!("service {to:?}"), to, known.iter().map(String::as_str)));
            }
        }
        if let Some(port) = self.port {
            targets.retain(|target| target.request.port == port);
            if targets.is_empty() {
                return Err(Error::NotFound { what: format!("port {port}") });
            }
        }
        for target in &mut targets {
            if let Some(method) = &self.method {
                target.request.method = method.to_ascii_uppercase();
            }
            if let Some(path) = &self.path {
                target.request.path.clone_from(path);
            }
        }
        Ok(targets)
    }

    fn callers<'m>(&self, network: &Network<'m>) -> Result<Vec<Caller<'m>>, Error> {
        match &self.from {
            Some(from) => Ok(vec![find_caller(network.mesh(), from)?]),
            None => Ok(network.callers()),
        }
    }
}

fn sort_of(caller: &Caller<'_>) -> &'static str {
    match caller.has_proxy {
        true if is_gateway(caller.object) => "gateway",
        true => "sidecar",
        false => "no sidecar",
    }
}

impl Step for MeshCallers {
    const ABOUT: About = About {
        id: "mesh.callers",
        title: "Say who can reach a service",
        description: "Every workload, gateway and pod outside of the mesh: allowed or refused, and by which object; or what one \
            workload can reach; or the whole matrix.",
        guide: "mesh/2-callers",
        method: "GET",
        endpoint: "/v1/mesh/callers",
        mutating: false,
        permissions: PERMISSIONS,
        cost: Cost::High,
        command: "kubectl get authorizationpolicies,peerauthentications,sidecars,networkpolicies -A",
        docs: "https://istio.io/latest/docs/concepts/security/#authorization",
    };
    type Input = MeshCallersInput;
    type Evidence = Mesh;
    type Data = MeshCallersData;

    fn check(input: &MeshCallersInput) -> Vec<Invalid> {
        let mut invalid = check::text("to", input.to.as_deref(), 512);
        invalid.extend(check::text("from", input.from.as_deref(), 512));
        invalid.extend(check::text("method", input.method.as_deref(), 32));
        invalid.extend(check::text("path", input.path.as_deref(), 4096));
        if input.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            invalid.push(Invalid::new("path", "pattern", "must begin with `/`"));
        }
        if input.port == Some(0) {
            invalid.push(Invalid::new("port", "range", "must be from 1 to 65535"));
        }
        invalid
    }

    async fn gather(cluster: &Cluster, input: &MeshCallersInput) -> Result<Mesh, Error> {
        let mesh = cluster.whole_mesh(kinds()).await?.build().seen_from(Perspective::default());
        // What does not exist is not found, and never an empty answer.
        let network = Network::new(&mesh, Facts::default());
        let (targets, callers) = (input.targets(&network)?.len(), input.callers(&network)?.len());
        if targets * callers > MOST_PAIRS {
            let why =
                format!("{} pairs are too many for one call (at most {MOST_PAIRS}): name one side", targets * callers);
            return Err(Error::Input { field: "to", why });
        }
        drop(network);
        Ok(mesh)
    }

    fn judge(input: &MeshCallersInput, mesh: Mesh) -> Judgement<MeshCallersData> {
        let network = Network::new(&mesh, Facts::default());
        let (targets, callers) = match (input.targets(&network), input.callers(&network)) {
            (Ok(targets), Ok(callers)) => (targets, callers),
            _ => (Vec::new(), Vec::new()),
        };
        let clients: Vec<Client<'_>> = callers.iter().copied().map(Client::Inside).collect();
        let matrix = network.matrix(&clients, &targets);
        let names: Vec<String> = callers.iter().map(|caller| caller.name(&mesh)).collect();
        let row = |column: usize, caller: usize, cell: &Cell| CallerRow {
            from: names[caller].clone(),
            caller: sort_of(&callers[caller]),
            to: format!("{}:{}", targets[column].request.host, targets[column].request.port),
            good_percent: cell.good_percent,
            result: cell.ending.words(),
            answered_by: cell.answered_by,
            flag: cell.flag,
            confidence: cell.confidence,
            decided_by: cell.decider.and_then(|place| matrix.deciders.get(place as usize).cloned()),
        };
        let cells = || {
            let columns = matrix.columns.iter().enumerate();
            columns
                .flat_map(|(column, cells)| cells.iter().enumerate().map(move |(caller, cell)| (column, caller, cell)))
        };
        let pairs = cells().count();
        let unknown = cells().filter(|(.., cell)| cell.confidence == Confidence::Unknown).count();
        let is_refused = |cell: &Cell| cell.confidence != Confidence::Unknown && !cell.is_good();
        let refused = cells().filter(|(.., cell)| is_refused(cell)).count();
        let first = cells().filter(|(.., cell)| !cell.is_good());
        let then = cells().filter(|(.., cell)| cell.is_good() && !input.refused);
        let wanted = if input.refused { pairs - cells().filter(|(.., cell)| cell.is_good()).count() } else { pairs };
        let rows: Vec<CallerRow> =
            first.chain(then).take(MOST_ROWS).map(|(column, caller, cell)| row(column, caller, cell)).collect();
        let csv = input.csv.then(|| {
            let mut text = "from,caller,to,good_percent,result,answered_by,flag,confidence,decided_by\n".to_owned();
            for (column, caller, cell) in cells().filter(|(.., cell)| !input.refused || !cell.is_good()) {
                let row = row(column, caller, cell);
                let by = row.decided_by.as_ref().map(Decided::words).unwrap_or_default();
                let answerer = serde_json::to_value(row.answered_by).unwrap_or_default();
                let confidence = serde_json::to_value(row.confidence).unwrap_or_default();
                let _ = writeln!(
                    text,
                    "{},{},{},{},{},{},\"{}\",{},\"{}\"",
                    row.from,
                    row.caller,
                    row.to,
                    row.good_percent,
                    row.result,
                    answerer.as_str().unwrap_or_default(),
                    row.flag.unwrap_or_default(),
                    confidence.as_str().unwrap_or_default(),
                    by.replace('"', "'")
                );
            }
            text
        });
        let mut skipped: Vec<Skipped> =
            kinds().iter().filter_map(|kind| Some(Skipped::new(kind.plural(), mesh.why_unreadable(kind)?))).collect();
        let left_out = wanted - rows.len();
        if left_out > 0 && !input.csv {
            skipped.push(Skipped::new(
                format!("{left_out} pairs"),
                format!("at most {MOST_ROWS} rows are shown; `csv=true` with format=raw has all"),
            ));
        }
        let allowed = pairs - refused - unknown;
        let summary =
            format!("{}: {allowed} get through, {refused} do not, {unknown} cannot be told", counted(pairs, "pair"));
        let data = MeshCallersData { pairs, allowed, refused, unknown, rows, rows_left_out: left_out, csv };
        let commands = vec![Self::ABOUT.command.to_owned()];
        Judgement { data, findings: Vec::new(), skipped, commands, summary }
    }

    fn raw(_: &MeshCallersInput, data: &MeshCallersData) -> Option<String> {
        if let Some(csv) = &data.csv {
            return Some(csv.clone());
        }
        let mut text = format!(
            "{} pairs: {} get through, {} do not, {} cannot be told\n",
            data.pairs, data.allowed, data.refused, data.unknown
        );
        for row in &data.rows {
            let by = row.decided_by.as_ref().map(|by| format!("  {}", by.words())).unwrap_or_default();
            let share = if row.good_percent > 0.0 && row.good_percent < 99.9 {
                format!(" ({} % get through)", row.good_percent)
            } else {
                String::new()
            };
            let _ = writeln!(text, "{} ({}) -> {}: {}{share}{by}", row.from, row.caller, row.to, row.result);
        }
        Some(text)
    }
}
