//! The codes of what only a running CoreDNS and running proxies show.

const TROUBLESHOOT: &str = "https://learn.microsoft.com/azure/aks/coredns-troubleshoot";
const AUTOSCALE: &str = "https://learn.microsoft.com/azure/aks/coredns-autoscale";
const CUSTOM: &str = "https://learn.microsoft.com/azure/aks/coredns-custom";
const SCALE: &str = "https://learn.microsoft.com/azure/aks/istio-scale#service-entry";
const ISTIO_DNS: &str = "https://istio.io/latest/docs/ops/configuration/traffic-management/dns/";
const DNS_PROXY: &str = "https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/";
const FORWARD: &str = "https://coredns.io/plugins/forward/";

crate::codes::codes! {
    DNS0100, Warning, TROUBLESHOOT;
    DNS0101, Error, TROUBLESHOOT;
    DNS0102, Error, FORWARD;
    DNS0103, Info, TROUBLESHOOT;
    DNS0104, Info, TROUBLESHOOT;
    DNS0105, Warning, AUTOSCALE;
    DNS0106, Warning, FORWARD;
    DNS0107, Warning, SCALE;
    DNS0108, Error, TROUBLESHOOT;
    DNS0109, Error, CUSTOM;
    DNS0110, Warning, DNS_PROXY;
    DNS0111, Info, ISTIO_DNS;
    DNS0112, Warning, TROUBLESHOOT;
}
