//! Finds ports of protocols in which the server speaks first, without a declared protocol.

use crate::{Certainty, Detector};
use analyzers::{Analyzer, Message, Messages, Path};
use mesh::{Kind, Mesh, Object, View, application_containers, container_port, is_control_plane, one_of_each, protocol};
use report::{Code, Severity};

pub(super) const DETECTOR: Detector = Detector {
    certainty: Certainty::Likely,
    rule: Analyzer {
        name: "net/server-first",
        reads: &[Kind::Service, Kind::Pod],
        reports: &[&NET0012],
        by_default: true,
        run,
    },
};

static NET0012: Code = Code {
    id: "NET0012",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/#server-first-protocols",
    page: include_str!("pages/NET0012.md"),
};

/// Where the server greets the client. Istio itself takes 25, 53, 3306 and 27017 for TCP, but only as the port of the
/// Service, not as the one that it leads to.
const PORTS: [(i64, &str); 11] = [
    (21, "FTP"),
    (22, "SSH"),
    (25, "SMTP"),
    (110, "POP3"),
    (143, "IMAP"),
    (587, "SMTP"),
    (3306, "MySQL"),
    (4222, "NATS"),
    (5900, "VNC"),
    (6033, "MySQL (ProxySQL)"),
    (6446, "MySQL (MySQL Router)"),
];

/// Images of such servers, by the beginning of their name.
const IMAGES: [(&str, &str); 11] = [
    ("mysql", "MySQL"),
    ("mariadb", "MySQL"),
    ("percona", "MySQL"),
    ("proxysql", "MySQL"),
    ("postfix", "SMTP"),
    ("exim", "SMTP"),
    ("dovecot", "IMAP"),
    ("vsftpd", "FTP"),
    ("proftpd", "FTP"),
    ("pure-ftpd", "FTP"),
    ("openssh", "SSH"),
];

/// What stands beside a server under its name and is something else.
const BESIDE: [&str; 6] = ["exporter", "operator", "client", "backup", "admin", "agent"];

fn run<'m>(mesh: &'m Mesh, messages: &mut Messages<'m>) {
    for service in mesh.each(Kind::Service).filter(|service| !is_control_plane(service)) {
        let ports = service.spec().get("ports").items().zip(0..);
        let mut undeclared = ports.filter(|(port, _)| protocol::of_service_port(*port).is_none()).peekable();
        if undeclared.peek().is_none() {
            continue;
        }
        let pods = one_of_each(mesh.pods_of_service(service));
        for (port, index) in undeclared {
            let by_image = || pods.iter().find_map(|pod| by_image(port, pod));
            if let Some((why, protocol)) = by_number(port).or_else(by_image) {
                let path = Path::spec().key("ports").index(index);
                messages.report(protocol_is_guessed(service, port, &why, protocol).at(path));
            }
        }
    }
}

fn by_number(port: View<'_>) -> Option<(String, &'static str)> {
    let numbers = [port.get("port").integer(), port.get("targetPort").integer()];
    let found = PORTS.into_iter().find(|(known, _)| numbers.contains(known));
    found.map(|(known, protocol)| (format!("{known}, the port of {protocol}"), protocol))
}

/// By the image of the container that the port leads to: the one that lists the port, else the only one.
fn by_image(port: View<'_>, pod: &Object) -> Option<(String, &'static str)> {
    let number = container_port(port, pod)?;
    let lists = |container: &View<'_>| {
        container.get("ports").items().any(|listed| listed.get("containerPort").integer() == number)
    };
    let containers: Vec<View<'_>> = application_containers(pod.spec()).collect();
    let container = match (containers.iter().find(|container| lists(container)), &containers[..]) {
        (Some(container), _) | (None, [container]) => container,
        _ => return None,
    };
    let image = container.get("image").text();
    let name = image.rsplit('/').next()?.split([':', '@']).next()?;
    if BESIDE.iter().any(|beside| name.contains(beside)) {
        return None;
    }
    let (_, protocol) = IMAGES.into_iter().find(|(known, _)| name.starts_with(known))?;
    Some((format!("container {} with the image {image}", container.get("name").text()), protocol))
}

fn protocol_is_guessed<'m>(service: &'m Object, port: View<'_>, why: &str, protocol: &str) -> Message<'m> {
    let (number, name) = (port.get("port").integer(), port.get("name").text());
    let text = format!(
        "Port {number} (name {name:?}) declares no protocol and leads to {why}. In {protocol} the server speaks first, and the \
         proxy waits for the client's first bytes to guess the protocol, so connections hang."
    );
    let remedy = format!(
        "In Service {}, name port {number} {:?}, or set appProtocol: tcp on it: kubectl edit service {} -n {}",
        service.full_name(),
        if name.is_empty() { "tcp".to_owned() } else { format!("tcp-{name}") },
        service.name(),
        service.namespace()
    );
    Message::new(&NET0012, service, text).remedy(remedy)
}
