//! The listeners of a dump: where Envoy accepts connections, and where each kind of connection goes.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::address::Address;
use super::config_dump::{ConfigDump, Entry, read, required};
use super::filter_chains::{Filter, FilterChain};
use super::table::Table;
use super::{Error, json};

/// Which listeners are wanted. Empty text means that it does not matter.
#[derive(Debug, Clone, Default)]
pub struct ListenerFilter {
    pub address: String,
    pub port: Option<u16>,
    /// `HTTP`, `TCP`, `HTTP+TCP` or `UNKNOWN`.
    pub listener_type: String,
}

/// One listener with its filter chains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ListenerRow {
    pub name: String,
    /// The main address first. A listener inside Envoy has an empty one.
    pub addresses: Vec<String>,
    /// 0 where the address has none.
    pub port: u32,
    /// `HTTP`, `TCP`, `HTTP+TCP` or `UNKNOWN`, after the filters in it.
    #[serde(rename = "type")]
    pub listener_type: String,
    /// Ordered by destination, descending.
    pub chains: Vec<ChainRow>,
    pub last_updated: String,
}

/// Which connections a filter chain takes, and where they go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChainRow {
    /// For example `SNI: a.example.com; App: HTTP TLS`, or `ALL`.
    #[serde(rename = "match")]
    pub matches: String,
    /// For example `Route: 8080`, `Cluster: outbound|…`, `PassthroughCluster`, `Inline Route: /healthz/ready*`.
    pub destination: String,
}

/// The parts of a listener that we read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Listener<'a> {
    #[serde(deserialize_with = "json::or_default")]
    pub(super) name: String,
    #[serde(deserialize_with = "json::or_default")]
    address: Address,
    #[serde(alias = "additionalAddresses", deserialize_with = "json::or_default")]
    additional_addresses: Vec<AdditionalAddress>,
    #[serde(borrow, alias = "filterChains", deserialize_with = "json::or_default")]
    filter_chains: Vec<FilterChain<'a>>,
    #[serde(borrow, alias = "defaultFilterChain")]
    default_filter_chain: Option<FilterChain<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AdditionalAddress {
    #[serde(deserialize_with = "json::or_default")]
    address: Address,
}

impl<'a> Listener<'a> {
    /// Reads a listener alone.
    pub fn parse(json: &'a str) -> Result<Self, Error> {
        serde_json::from_str(json).map_err(Error::json("a listener"))
    }

    pub(super) fn chains(&self) -> impl Iterator<Item = &FilterChain<'a>> {
        self.filter_chains.iter().chain(&self.default_filter_chain)
    }

    fn addresses(&self) -> Vec<String> {
        let main = match (&self.address.socket_address, &self.address.pipe) {
            (Some(socket), _) => socket.address.clone(),
            (None, Some(pipe)) => pipe.path.clone(),
            (None, None) => String::new(),
        };
        let additional = self
            .additional_addresses
            .iter()
            .filter_map(|additional| additional.address.socket_address.as_ref().map(|socket| socket.address.clone()));
        std::iter::once(main).chain(additional).collect()
    }

    fn port(&self) -> u32 {
        self.address.socket_address.as_ref().map_or(0, |socket| socket.port_value)
    }

    fn listener_type(&self) -> &'static str {
        let filters = || self.chains().flat_map(|chain| &chain.filters);
        match (filters().any(Filter::is_http), filters().any(Filter::is_tcp)) {
            (true, true) => "HTTP+TCP",
            (true, false) => "HTTP",
            (false, true) => "TCP",
            (false, false) => "UNKNOWN",
        }
    }

    fn row(&self, last_updated: &str) -> ListenerRow {
        let mut chains: Vec<ChainRow> = self
            .chains()
            .map(|chain| ChainRow { matches: chain.match_text(), destination: chain.destination() })
            .collect();
        chains.sort_by(|a, b| b.destination.cmp(&a.destination));
        ListenerRow {
            name: self.name.clone(),
            addresses: self.addresses(),
            port: self.port(),
            listener_type: self.listener_type().to_owned(),
            chains,
            last_updated: last_updated.to_owned(),
        }
    }
}

impl ListenerRow {
    fn sort_key(&self) -> (u32, Option<&String>, &str) {
        (self.port, self.addresses.first(), &self.listener_type)
    }
}

impl ListenerFilter {
    pub fn matches(&self, listener: &Listener<'_>) -> bool {
        let agrees = |wanted: &str, is: &str| wanted.is_empty() || is.to_lowercase() == wanted.to_lowercase();
        listener.addresses().iter().any(|address| agrees(&self.address, address))
            && self.port.is_none_or(|port| u32::from(port) == listener.port())
            && agrees(&self.listener_type, listener.listener_type())
    }
}

/// The listeners in use that match, ordered by port, address and type.
pub fn rows(dump: &ConfigDump<'_>, filter: &ListenerFilter) -> Result<Vec<ListenerRow>, Error> {
    let mut rows: Vec<ListenerRow> = matching(dump, filter)?.into_iter().map(|(row, _)| row).collect();
    rows.sort_by(|a, b| a.sort_key().cmp(&b.sort_key()));
    Ok(rows)
}

/// The listeners that match, in the order of the dump.
pub(super) fn matching<'a>(
    dump: &ConfigDump<'a>,
    filter: &ListenerFilter,
) -> Result<Vec<(ListenerRow, &'a RawValue)>, Error> {
    let mut found = Vec::new();
    let mut any = false;
    for (entry, resource) in in_use(dump)? {
        any = true;
        let listener: Listener<'_> = read(resource, "a listener")?;
        if filter.matches(&listener) {
            found.push((listener.row(&entry.last_updated), resource));
        }
    }
    if !any {
        return Err(Error::Nothing("no listeners found"));
    }
    Ok(found)
}

/// Listeners that accept connections: not those that are warming or draining.
pub(super) fn in_use<'d, 'a>(
    dump: &'d ConfigDump<'a>,
) -> Result<impl Iterator<Item = (&'d Entry<'a>, &'a RawValue)>, Error> {
    let section = required(dump.listeners.as_ref(), "Listeners")?;
    let dynamic = section.dynamic_listeners.iter().filter_map(|listener| listener.active_state.as_ref());
    Ok(dynamic.chain(&section.static_listeners).filter_map(|entry| Some((entry, entry.resource?))))
}

/// The table of `istioctl proxy-config listener`, one line for each filter chain.
pub fn text(rows: &[ListenerRow]) -> String {
    let mut table = Table::with_header(1, &["ADDRESSES", "PORT", "MATCH", "DESTINATION"]);
    for row in rows {
        for chain in &row.chains {
            let cells = [&row.addresses.join(","), &row.port.to_string(), &chain.matches, &chain.destination];
            table.push(cells.map(String::clone).to_vec());
        }
    }
    table.text()
}

/// The table of `istioctl proxy-config listener --verbose=false`, one line for each listener.
pub fn text_without_chains(rows: &[ListenerRow]) -> String {
    let mut table = Table::with_header(1, &["ADDRESSES", "PORT", "TYPE"]);
    for row in rows {
        table.push(vec![row.addresses.join(","), row.port.to_string(), row.listener_type.clone()]);
    }
    table.text()
}

/// The listeners in the output of `istioctl proxy-config all`.
pub(super) fn text_in_all(rows: &[ListenerRow], verbose: bool) -> String {
    let header: &[&str] = if verbose {
        &["NAME", "ADDRESSES", "PORT", "MATCH", "DESTINATION"]
    } else {
        &["NAME", "ADDRESSES", "PORT", "TYPE"]
    };
    let mut table = Table::with_header(1, header);
    for row in rows {
        let first = || vec![format!("listener/{}", row.name), row.addresses.join(","), row.port.to_string()];
        if !verbose {
            let mut line = first();
            line.push(row.listener_type.clone());
            table.push(line);
            continue;
        }
        for chain in &row.chains {
            let mut line = first();
            line.extend([chain.matches.clone(), chain.destination.clone()]);
            table.push(line);
        }
    }
    table.text()
}
