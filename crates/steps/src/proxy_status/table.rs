//! The tables of `istioctl proxy-status`, one for each time that istioctl changed them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    syncz::{self, SyncStatus, TypeStatus},
    view::ProxyStatus,
};
use envoy::table::Table;

const PADDING: usize = 5;

/// Columns of the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProxyStatusColumns {
    /// What each proxy asks for, as istioctl prints since 1.27.
    #[default]
    Subscribed,
    /// The status of each type, as istioctl 1.27 and later print with `-v 1`.
    Types,
    /// The status of five types, as istioctl printed until 1.26.
    FiveTypes,
}

/// The table, sorted by proxy.
pub fn text(proxies: &[ProxyStatus], columns: ProxyStatusColumns) -> String {
    let mut proxies: Vec<_> = proxies.iter().collect();
    proxies.sort_by(|a, b| a.proxy.cmp(&b.proxy));
    match columns {
        ProxyStatusColumns::Subscribed => subscribed(&proxies),
        ProxyStatusColumns::Types => types(&proxies),
        ProxyStatusColumns::FiveTypes => five_types(&proxies),
    }
}

fn subscribed(proxies: &[&ProxyStatus]) -> String {
    let mut table = Table::with_header(PADDING, &["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED TYPES"]);
    for proxy in proxies {
        let names: Vec<_> = in_order(proxy).iter().map(|one| &*one.name).collect();
        let cell = if names.is_empty() { "0".to_owned() } else { format!("{} ({})", names.len(), names.join(",")) };
        let own = [&proxy.proxy, &proxy.cluster, &proxy.istiod, &proxy.version];
        table.push(own.into_iter().cloned().chain([cell]).collect());
    }
    table.text()
}

/// The types that the proxy asks for: clusters, listeners, endpoints and routes first, the others by type.
fn in_order(proxy: &ProxyStatus) -> Vec<&TypeStatus> {
    let mut types: Vec<_> = proxy.types.iter().filter(|one| one.status != SyncStatus::Ignored).collect();
    let first = &syncz::CORE[..4];
    let place = |one: &TypeStatus| first.iter().position(|type_url| *type_url == one.type_url);
    types.sort_by(|a, b| {
        let [x, y] = [a, b].map(|one| place(one).unwrap_or(first.len()));
        x.cmp(&y).then_with(|| a.type_url.cmp(&b.type_url))
    });
    types
}

fn types(proxies: &[&ProxyStatus]) -> String {
    let mut names: BTreeMap<&str, &str> =
        syncz::CORE.into_iter().map(|type_url| (type_url, syncz::short_name(type_url))).collect();
    for one in proxies.iter().flat_map(|proxy| &proxy.types) {
        names.insert(&one.type_url, &one.name);
    }
    let mut header = vec!["NAME", "CLUSTER"];
    header.extend(names.values());
    header.extend(["ISTIOD", "VERSION"]);
    let mut table = Table::with_header(PADDING, &header);
    for proxy in proxies {
        let mut cells = vec![proxy.proxy.clone(), proxy.cluster.clone()];
        cells.extend(names.keys().map(|type_url| cell(proxy, type_url)));
        cells.extend([proxy.istiod.clone(), proxy.version.clone()]);
        table.push(cells);
    }
    table.text()
}

fn five_types(proxies: &[&ProxyStatus]) -> String {
    let [cds, lds, eds, rds, ecds] = syncz::CORE;
    let header = ["NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "ECDS", "ISTIOD", "VERSION"];
    let mut table = Table::with_header(PADDING, &header);
    for proxy in proxies {
        let mut cells = vec![proxy.proxy.clone(), proxy.cluster.clone()];
        for type_url in [cds, lds, eds, rds, ecds] {
            let one = proxy.types.iter().find(|one| one.type_url == type_url);
            // The page tells it by the missing nonce; istioctl said it until 1.21, when it still read the page.
            let never = one.is_some_and(|one| {
                one.status == SyncStatus::Stale && one.acked.is_empty() && !one.sent.is_empty() && one.age_s.is_none()
            });
            let never = if never { " (Never Acknowledged)" } else { "" };
            cells.push(cell(proxy, type_url) + never);
        }
        cells.extend([proxy.istiod.clone(), proxy.version.clone()]);
        table.push(cells);
    }
    table.text()
}

fn cell(proxy: &ProxyStatus, type_url: &str) -> String {
    let one = proxy.types.iter().find(|one| one.type_url == type_url);
    let Some(one) = one else { return "IGNORED".to_owned() };
    let status = match one.status {
        SyncStatus::Synced => "SYNCED",
        SyncStatus::Stale => "STALE",
        SyncStatus::NotSent => "NOT SENT",
        SyncStatus::Error => "ERROR",
        SyncStatus::Ignored => "IGNORED",
    };
    match one.age_s {
        Some(age_s) => format!("{status} ({})", age(age_s)),
        None => status.to_owned(),
    }
}

/// A length of time as kubectl shows ages: two units while they are few, then one.
pub(crate) fn age(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |large: i64, large_unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        small => format!("{large}{large_unit}{small}{small_unit}"),
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn ages_have_kubectls_units() {
        let seconds = [-5, -1, 0, 119, 120, 132, 600, 10_799, 10_800, 14_700, 28_800, 172_800, 176_400, 691_200];
        let expected =
            ["<invalid>", "0s", "0s", "119s", "2m", "2m12s", "10m", "179m", "3h", "4h5m", "8h", "2d", "2d1h", "8d"];
        assert_eq!(seconds.map(age), expected);
        assert_eq!([63_072_000, 63_158_400, 252_288_000].map(age), ["2y", "2y1d", "8y"]);
    }
}
