//! Mesh configuration, patches, gateways and what they are bound to.

use super::{
    Of::{Client, Codes, Kind, Server},
    Relation,
    groups::{NO_CONNECTION, NO_ROUTE, REJECTED, TLS_MISMATCH},
    row,
};
use crate::tie::Tie::{ControlPlane, Mesh, NamedBy, RoutesTo, SameObject, Selects};

/// What is wrong with patches of Envoy's configuration.
const BAD_PATCH: &[&str] = &["IST0151", "IST0152", "IST0153", "IST0154", "IST0155", "IST0106", "NET0023", "IST0133"];

#[rustfmt::skip]
pub(super) const ROWS: &[Relation] = &[
    row(Kind("EnvoyFilter", &["IST0106", "IST0151", "IST0152", "IST0153", "IST0154"]), SameObject, Codes(&["IST0133", "IST0155", "UPG0007", "NET0023"]), "the same patch"),
    row(Kind("EnvoyFilter", BAD_PATCH), Selects, Codes(REJECTED), "Envoy refuses what this patch makes of its configuration"),
    row(Kind("EnvoyFilter", BAD_PATCH), Selects, Codes(&["OBS0080", "ENV0016", "ENV0011", "ENV0017", "K8S0005"]), "Envoy works on with what it had before, or with nothing"),
    row(Kind("EnvoyFilter", BAD_PATCH), SameObject, Codes(&["UPG0007"]), "the same patch"),
    row(Kind("EnvoyFilter", BAD_PATCH), Mesh, Codes(&["AKS0002"]), "one of these EnvoyFilters"),
    row(Codes(&["ENV0010"]), Selects, Codes(&["LOG0001", "LOG0102", "LOG0047", "LOG0112", "ENV0011", "ENV0016", "ENV0017", "OBS0080"]), "the proxy refused its configuration"),
    row(Codes(&["LOG0001", "LOG0102", "LOG0047"]), Selects, Codes(&["ENV0011", "ENV0016", "ENV0017", "OBS0080", "LOG0112"]), "the proxy refused its configuration"),
    row(Codes(&["IST0106", "IST0133", "IST0134", "IST0101", "IST0171", "K8S0056", "IST0112"]), SameObject, Codes(&["IST0133", "K8S0056", "GWY0006", "GWY0005", "IST0162", "IST0138", "K8S0027", "IST0130", "NET0021"]), "the same object"),
    row(Codes(&["IST0134"]), SameObject, Codes(&["IST0133", "NET0026"]), "the same object"),
    row(Codes(&["CFG0007", "CFG0008", "CFG0009", "CFG0010", "CFG0012"]), NamedBy, Codes(&["CFG0004", "CFG0017", "CFG0006", "INJ0081", "CFG0001"]), "the setting has no effect there"),
    row(Codes(&["CFG0007", "CFG0008", "LOG0031"]), ControlPlane, Codes(&["CFG0001", "CFG0004", "CFG0009", "OBS0001", "OBS0002"]), "the revision runs without this configuration"),
    row(Codes(&["CFG0002", "CFG0003", "CFG0005"]), NamedBy, Codes(&["CFG0004", "CFG0001", "OBS0001", "OBS0002"]), "no istiod reads these settings"),
    row(Codes(&["CFG0009"]), NamedBy, Codes(&["INJ0081", "INJ0080", "INJ0112"]), "the setting that would help has no effect"),
    row(Codes(&["CFG0013"]), SameObject, Codes(&["OBS0004", "OBS0005", "OBS0006", "OBS0007", "SEC0012", "IST0157"]), "the provider is not there"),
    row(Codes(&["CFG0013"]), NamedBy, Codes(&["OBS0004", "SEC0012", "LOG0100"]), "the provider is not there"),
    row(Codes(&["CFG0014"]), NamedBy, Codes(&["OBS0005", "LOG0100", "SEC0012", "OBS0006"]), "the provider's service is not there"),
    row(Codes(&["OBS0004", "OBS0005"]), NamedBy, Codes(&["LOG0100", "OBS0006"]), "the provider is not there"),
    row(Codes(&["CFG0014", "SEC0012"]), Mesh, Server(&["UAEX", "ext_authz_error", "ext_authz_denied"]), "the authorizer cannot be asked"),
    row(Codes(&["CFG0015"]), Selects, Codes(&["IST0103", "NET0021", "INJ0016", "IST0101", "ENV0013"]), "istiod does not see the namespace"),
    row(Codes(&["K8S0050", "K8S0051", "K8S0052", "K8S0054", "CPL0002"]), Mesh, Codes(&["LOG0028", "LOG0043", "GWA0001", "IST0176", "K8S0053"]), "the resource type is not there as it should be"),
    row(Codes(&["GWY0008"]), NamedBy, Codes(&["IST0161", "LOG0098", "ENV0006", "LOG0008", "GWY0010", "IST0138"]), "the certificate has expired"),
    row(Codes(&["GWY0011"]), NamedBy, Codes(&["IST0101", "IST0161", "LOG0099", "LOG0008", "ENV0018"]), "the Secret is not copied from the key vault"),
    row(Kind("Gateway", &["IST0101", "IST0161", "GWA0006", "GWY0007"]), NamedBy, Codes(&["LOG0099", "LOG0008", "LOG0009", "LOG0010", "LOG0011", "LOG0098", "LOG0055", "ENV0018", "ENV0017", "GWY0009", "GWY0010"]), "the gateway waits for that certificate"),
    row(Kind("Gateway", &["IST0101", "IST0162", "GWY0005", "IST0145", "GWY0012"]), SameObject, Codes(&["GWY0006", "GWY0005", "IST0132", "LOG0012", "LOG0014", "ENV0017"]), "the same Gateway"),
    row(Kind("Gateway", &["IST0145", "GWY0012", "IST0177"]), NamedBy, Codes(&["LOG0012", "LOG0013", "LOG0014", "LOG0015"]), "the same server"),
    row(Kind("Gateway", &["IST0101", "IST0145", "GWY0012", "GWY0013", "GWY0014", "GWY0015", "GWY0020", "IST0161", "GWY0009"]), RoutesTo, Client(TLS_MISMATCH), "the gateway does not serve the host so"),
    row(Codes(&["IST0132", "GWY0006", "GWY0013", "GWY0014", "NET0007", "IST0138", "IST0101"]), RoutesTo, Client(NO_ROUTE), "the gateway has no route for the host"),
    row(Codes(&["GWA0005", "GWA0006", "GWA0012", "GWA0013", "GWA0001", "GWA0004"]), NamedBy, Codes(&["IST0171", "K8S0027", "GWY0003", "K8S0029", "K8S0024"]), "the Gateway is not served"),
    row(Codes(&["GWA0013", "GWA0010", "GWA0008", "GWA0007"]), SameObject, Codes(&["IST0171", "K8S0027"]), "the same Gateway"),
    row(Codes(&["GWY0001", "GWY0003", "K8S0029"]), SameObject, Codes(&["K8S0029", "GWY0003", "IST0171", "GWA0006", "K8S0027", "LOG0085"]), "the gateway has no address"),
    row(Kind("EnvoyFilter", BAD_PATCH), Selects, Client(NO_CONNECTION), "it patches the proxy that answered"),
    row(Codes(&["EGR0006", "EGR0007", "EGR0008", "EGR0009"]), Selects, Codes(&["EGR0010", "K8S0001", "K8S0005"]), "the egress gateway waits for its addresses"),
    row(Codes(&["EGR0010", "EGR0012", "EGR0013", "EGR0014", "EGR0015"]), RoutesTo, Client(&[]), "requests go through the egress gateway"),
    row(Codes(&["EGR0001", "EGR0003", "EGR0004", "EGR0005", "RES0105"]), Selects, Client(&["registry_only", "NR", "UH", "NC", "cluster_not_found", "route_not_found"]), "the proxy does not know the host"),
    row(Codes(&["RES0105", "NET0021", "NET0006", "IST0111", "IST0110"]), RoutesTo, Client(NO_ROUTE), "the proxy does not know the host"),
];
