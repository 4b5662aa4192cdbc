//! Routes, Services and destinations, and what is seen of them in access logs.

use super::{
    Of::{Client, Codes, Kind, Server},
    Relation,
    groups::{NO_CONNECTION, NO_ENDPOINT, NO_ROUTE, REFUSED, TIMED_OUT, TLS_MISMATCH},
    row,
};
use crate::tie::Tie::{EndpointOf, NamedBy, Namespace, RoutesTo, SameObject, Selects};

#[rustfmt::skip]
pub(super) const ROWS: &[Relation] = &[
    row(Kind("VirtualService", &["IST0101", "IST0106", "IST0112", "IST0109", "IST0130", "NET0021"]), RoutesTo, Client(NO_ROUTE), "the route leads to what the proxy does not have"),
    row(Codes(&["IST0171", "GWA0006"]), RoutesTo, Client(NO_ROUTE), "the route leads to what the proxy does not have"),
    row(Codes(&["IST0171"]), RoutesTo, Client(&["UH", "no_healthy_upstream", "direct_response", "application_error", "other_failure"]), "a route without a backend answers 500"),
    row(Kind("VirtualService", &["IST0101"]), RoutesTo, Codes(&["ENV0019"]), "the route leads to what the proxy does not have"),
    row(Kind("VirtualService", &["IST0101"]), NamedBy, Codes(&["ENV0019", "NET0004"]), "the route leads to what the proxy does not have"),
    row(Codes(&["IST0174", "IST0173", "NET0003", "NET0005", "NET0006"]), SameObject, Codes(&["NET0003", "NET0004", "IST0173", "IST0101"]), "the same rule"),
    row(Codes(&["IST0174", "NET0006"]), Namespace, Kind("VirtualService", &["IST0101"]), "a rule for a host that nobody knows brings no subsets"),
    row(Codes(&["NET0003", "IST0173"]), RoutesTo, Client(NO_ENDPOINT), "the subset has no pod"),
    row(Codes(&["NET0003", "IST0173"]), NamedBy, Codes(&["ENV0001"]), "the subset has no pod"),
    row(Codes(&["NET0011"]), SameObject, Codes(&["ENV0004", "K8S0024", "LOG0079"]), "the Service leads to a port where nothing listens"),
    row(Codes(&["NET0011"]), RoutesTo, Codes(&["ENV0004", "ENV0003"]), "the Service leads to a port where nothing listens"),
    row(Codes(&["NET0011"]), RoutesTo, Server(NO_CONNECTION), "the Service leads to a port where nothing listens"),
    row(Codes(&["NET0011"]), RoutesTo, Client(NO_CONNECTION), "the Service leads to a port where nothing listens"),
    row(Codes(&["NET0024", "CPL0106"]), RoutesTo, Client(NO_CONNECTION), "a NetworkPolicy lets no packets through"),
    row(Codes(&["NET0024"]), EndpointOf, Client(NO_CONNECTION), "a NetworkPolicy lets no packets through"),
    row(Codes(&["NET0024"]), RoutesTo, Client(TIMED_OUT), "a NetworkPolicy lets no packets through"),
    row(Codes(&["NET0009", "NET0010"]), RoutesTo, Client(&["FI", "DI", "fault_filter_abort", "UT", "response_timeout", "upstream_response_timeout"]), "the fault is made by this rule"),
    row(Codes(&["NET0009", "NET0010"]), RoutesTo, Server(&["FI", "DI", "fault_filter_abort"]), "the fault is made by this rule"),
    row(Codes(&["NET0009"]), SameObject, Codes(&["NET0010"]), "the same rule"),
    row(Codes(&["NET0012", "NET0013", "NET0016", "NET0017", "NET0025", "IST0118", "IST0116", "IST0137", "IST0150", "NET0022", "NET0026"]), RoutesTo, Client(&["UPE", "DPE", "UR", "UC", "UF", "UT", "http1.", "http2.", "NR", "LR", "plain_text_to_tls"]), "the two ends speak different protocols"),
    row(Codes(&["NET0012", "NET0013", "NET0016", "NET0025", "IST0118"]), RoutesTo, Server(&["UPE", "DPE", "UR", "UC", "UF", "http1.", "http2.", "NR", "plain_text_to_tls"]), "the two ends speak different protocols"),
    row(Codes(&["NET0014", "NET0015"]), RoutesTo, Client(&[]), "the host leads elsewhere"),
    row(Codes(&["NET0007", "IST0109", "IST0145"]), NamedBy, Codes(&["IST0130", "IST0131", "IST0138"]), "two claim the same requests"),
    row(Codes(&["ENV0002"]), RoutesTo, Client(NO_ENDPOINT), "its endpoints were ejected for their errors"),
    row(Codes(&["ENV0004", "ENV0003", "ENV0005"]), RoutesTo, Client(NO_CONNECTION), "Envoy counts the same failures"),
    row(Codes(&["ENV0019", "ENV0020", "ENV0001"]), RoutesTo, Client(&[]), "Envoy says the same of this destination"),
    // The same requests, seen from both ends: what the server says is nearer to the cause.
    row(Server(&[]), RoutesTo, Client(&["destination_answered", "destination_refused", "application_error", "grpc_status"]), "the other end of these requests"),
    row(Server(TLS_MISMATCH), RoutesTo, Client(NO_CONNECTION), "the other end of these requests"),
    row(Server(&["application_error"]), RoutesTo, Client(NO_ENDPOINT), "endpoints that answer with errors are ejected"),
    row(Server(&["application_error"]), RoutesTo, Codes(&["ENV0002", "ENV0005"]), "endpoints that answer with errors are ejected"),
    row(Server(REFUSED), RoutesTo, Client(REFUSED), "the other end of these requests"),
    row(Server(&[]), RoutesTo, Client(&["DC", "downstream_remote_disconnect", "UT", "response_timeout", "upstream_response_timeout"]), "the other end of these requests"),
    // What an application answers while its own calls fail.
    row(Client(&["UH", "UF", "UC", "UR", "URX", "NC", "NR", "UT", "UO", "no_healthy_upstream", "cluster_not_found", "route_not_found", "overflow", "destination_answered", "destination_refused", "registry_only"]),
        Selects, Server(&["application_error", "destination_answered"]), "the application fails while its own calls fail"),
];
