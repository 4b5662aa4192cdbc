//! The [security](https://istio.io/latest/docs/reference/config/security/) kinds.

use super::Type::{Choice, Duration, Flag, List, Message, NumberMap, Text};
use super::shared::{SELECTOR, TARGET_REF, TARGET_REFS};
use super::{Enum, TEXTS, Type};

pub(in super::super) static ACTION: Enum = Enum {
    name: "istio.security.v1beta1.AuthorizationPolicy.Action",
    values: &[("ALLOW", 0), ("DENY", 1), ("AUDIT", 2), ("CUSTOM", 3)],
};

static MTLS_MODE: Enum = Enum {
    name: "istio.security.v1beta1.PeerAuthentication.MutualTLS.Mode",
    values: &[("UNSET", 0), ("DISABLE", 1), ("PERMISSIVE", 2), ("STRICT", 3)],
};

static PRESENCE: Enum =
    Enum { name: "istio.security.v1beta1.JWTRule.Presence", values: &[("OPTIONAL", 0), ("REQUIRED", 1)] };

const SOURCE: Type = Message(&[
    ("principals", TEXTS),
    ("notPrincipals", TEXTS),
    ("requestPrincipals", TEXTS),
    ("notRequestPrincipals", TEXTS),
    ("namespaces", TEXTS),
    ("notNamespaces", TEXTS),
    ("serviceAccounts", TEXTS),
    ("notServiceAccounts", TEXTS),
    ("trustDomains", TEXTS),
    ("notTrustDomains", TEXTS),
    ("ipBlocks", TEXTS),
    ("notIpBlocks", TEXTS),
    ("remoteIpBlocks", TEXTS),
    ("notRemoteIpBlocks", TEXTS),
]);

const OPERATION: Type = Message(&[
    ("hosts", TEXTS),
    ("notHosts", TEXTS),
    ("ports", TEXTS),
    ("notPorts", TEXTS),
    ("methods", TEXTS),
    ("notMethods", TEXTS),
    ("paths", TEXTS),
    ("notPaths", TEXTS),
]);

const RULE: Type = Message(&[
    ("from", List(&Message(&[("source", SOURCE)]))),
    ("to", List(&Message(&[("operation", OPERATION)]))),
    ("when", List(&Message(&[("key", Text), ("values", TEXTS), ("notValues", TEXTS)]))),
]);

pub(in super::super) const AUTHORIZATION_POLICY: Type = Message(&[
    ("selector", SELECTOR),
    ("targetRef", TARGET_REF),
    ("targetRefs", TARGET_REFS),
    ("rules", List(&RULE)),
    ("action", Choice(&ACTION)),
    ("provider", Message(&[("name", Text)])),
]);

const MUTUAL_TLS: Type = Message(&[("mode", Choice(&MTLS_MODE))]);

pub(in super::super) const PEER_AUTHENTICATION: Type =
    Message(&[("selector", SELECTOR), ("mtls", MUTUAL_TLS), ("portLevelMtls", NumberMap(&MUTUAL_TLS))]);

const JWT_RULE: Type = Message(&[
    ("issuer", Text),
    ("audiences", TEXTS),
    ("jwksUri", Text),
    ("jwks", Text),
    ("fromHeaders", List(&Message(&[("name", Text), ("prefix", Text)]))),
    ("fromParams", TEXTS),
    ("outputPayloadToHeader", Text),
    ("forwardOriginalToken", Flag),
    ("outputClaimToHeaders", List(&Message(&[("header", Text), ("claim", Text)]))),
    ("timeout", Duration),
    ("fromCookies", TEXTS),
    ("spaceDelimitedClaims", TEXTS),
    ("presence", Choice(&PRESENCE)),
]);

pub(in super::super) const REQUEST_AUTHENTICATION: Type = Message(&[
    ("selector", SELECTOR),
    ("targetRef", TARGET_REF),
    ("targetRefs", TARGET_REFS),
    ("jwtRules", List(&JWT_RULE)),
]);
