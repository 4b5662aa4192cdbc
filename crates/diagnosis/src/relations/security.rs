//! Mutual TLS, policies and tokens.

use super::{
    Of::{Client, Codes, Kind, Server},
    Relation,
    groups::{NO_CONNECTION, REFUSED, TLS_MISMATCH},
    row,
};
use crate::tie::Tie::{EndpointOf, NamedBy, RoutesTo, SameObject, Selects};

/// What is wrong with policies that let callers in.
const WRONG_POLICY: &[&str] = &[
    "SEC0006", "SEC0008", "SEC0009", "SEC0010", "SEC0012", "SEC0020", "SEC0021", "SEC0022", "GWY0017", "CFG0018",
    "IST0106", "IST0127",
];

/// What is wrong with mutual TLS between two ends.
const TLS_DISAGREES: &[&str] = &[
    "NET0001", "NET0002", "NET0017", "SEC0001", "SEC0002", "SEC0003", "SEC0018", "SEC0019", "SEC0023", "IST0128",
    "IST0129", "NET0005",
];

#[rustfmt::skip]
pub(super) const ROWS: &[Relation] = &[
    row(Codes(&["LOG0016", "LOG0017", "LOG0018", "LOG0093"]), NamedBy, Codes(&["LOG0019", "LOG0092", "LOG0094", "LOG0095", "IST0175", "SEC0014"]), "the keys cannot be fetched"),
    row(Codes(&["LOG0092", "LOG0094", "LOG0095"]), NamedBy, Codes(&["LOG0019", "LOG0094", "IST0175"]), "the keys cannot be fetched"),
    row(Codes(&["SEC0015"]), NamedBy, Codes(&["LOG0016", "LOG0092", "LOG0094", "LOG0019", "LOG0093", "LOG0095"]), "the keys cannot be fetched"),
    row(Codes(&["LOG0016", "LOG0019", "LOG0092", "LOG0093", "LOG0094", "LOG0095", "SEC0015"]), NamedBy, Server(&["jwt_authn_access_denied"]), "tokens of that issuer are refused"),
    row(Codes(WRONG_POLICY), Selects, Server(REFUSED), "the policy lets these callers not in"),
    row(Codes(WRONG_POLICY), EndpointOf, Client(REFUSED), "the policy lets these callers not in"),
    row(Codes(WRONG_POLICY), RoutesTo, Client(REFUSED), "the policy lets these callers not in"),
    row(Codes(WRONG_POLICY), NamedBy, Codes(&["SEC0007", "LOG0056", "LOG0057"]), "the same policy"),
    row(Codes(WRONG_POLICY), Selects, Codes(&["LOG0056"]), "the policy lets these callers not in"),
    row(Codes(&["SEC0006"]), Selects, Codes(&["SEC0007"]), "the policy lets nobody in"),
    row(Kind("PeerAuthentication", &["SEC0001", "SEC0002", "SEC0003", "IST0106"]), Selects, Server(TLS_MISMATCH), "the policy decides who may come without TLS"),
    row(Codes(TLS_DISAGREES), RoutesTo, Client(NO_CONNECTION), "client and server do not agree on TLS"),
    row(Codes(TLS_DISAGREES), RoutesTo, Server(TLS_MISMATCH), "client and server do not agree on TLS"),
    row(Codes(TLS_DISAGREES), RoutesTo, Server(REFUSED), "without TLS the caller has no identity"),
    row(Codes(&["NET0001", "NET0002"]), SameObject, Codes(&["SEC0018", "SEC0019", "SEC0023", "IST0128", "IST0129", "ENV0004"]), "the same rule"),
    row(Codes(&["NET0001", "NET0002"]), RoutesTo, Codes(&["ENV0004", "LOG0066", "LOG0070"]), "client and server do not agree on TLS"),
    row(Codes(&["SEC0018"]), NamedBy, Codes(&["LOG0055", "LOG0009", "LOG0008", "ENV0018", "ENV0017"]), "the certificate is missing"),
];
