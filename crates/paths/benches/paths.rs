//! One path, a matrix of a million pairs, and the impact of one `VirtualService`, on a generated mesh:
//! `cargo bench -p paths`.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mesh::{Extent, Mesh, MeshBuilder, Settings};
use paths::{Caller, Client, Facts, Network, Request, changes, impact};

const NAMESPACES: usize = 50;

/// Services with a pod each, spread over the namespaces; every third has a policy, every tenth routes of its own, and every
/// fifth namespace is strict. `others` are objects beside them, so that the mesh has its size.
fn builder(services: usize, others: usize) -> MeshBuilder {
    let mut text = String::new();
    for number in 0..NAMESPACES {
        let _ = writeln!(
            text,
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: n{number}, labels: {{istio-injection: enabled}}}}\n---"
        );
        if number % 5 == 0 {
            let _ = writeln!(
                text,
                "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: default, namespace: n{number}}}\nspec: \
                 {{mtls: {{mode: STRICT}}}}\n---"
            );
        }
    }
    for number in 0..services {
        let place = format!("namespace: n{}", number % NAMESPACES);
        let (high, low) = (number / 250, number % 250);
        let _ = writeln!(
            text,
            "apiVersion: v1\nkind: Service\nmetadata: {{name: s{number}, {place}}}\nspec: {{clusterIP: 10.96.{high}.{low}, selector: \
             {{app: s{number}}}, ports: [{{name: http, port: 8080}}]}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: s{number}-0, \
             {place}, labels: {{app: s{number}, security.istio.io/tlsMode: istio}}}}\nspec: {{serviceAccountName: s{number}, containers: \
             [{{name: app, ports: [{{containerPort: 8080}}]}}, {{name: istio-proxy, image: proxy}}]}}\nstatus: {{phase: Running, podIP: \
             10.244.{high}.{low}, conditions: [{{type: Ready, status: 'True'}}]}}\n---"
        );
        if number % 3 == 0 {
            let _ = writeln!(
                text,
                "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: s{number}, {place}}}\nspec: {{selector: \
                 {{matchLabels: {{app: s{number}}}}}, rules: [{{from: [{{source: {{principals: \
                 [cluster.local/ns/n{}/sa/s{}], namespaces: [n{}]}}}}], to: [{{operation: {{methods: [GET]}}}}]}}]}}\n---",
                (number + 1) % NAMESPACES,
                number + 1,
                (number + 2) % NAMESPACES,
            );
        }
        if number % 10 == 0 {
            let _ = writeln!(
                text,
                "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: s{number}, {place}}}\nspec: {{hosts: \
                 [s{number}], http: [{{match: [{{uri: {{prefix: /v2}}}}], route: [{{destination: {{host: s{number}}}}}]}}, {{route: \
                 [{{destination: {{host: s{number}}}}}]}}]}}\n---"
            );
        }
    }
    for number in 0..others {
        let place = format!("namespace: n{}", number % NAMESPACES);
        let _ = writeln!(
            text,
            "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: e{number}, {place}}}\nspec: {{hosts: \
             [e{number}.example.com], ports: [{{number: 443, name: tls, protocol: TLS}}], resolution: DNS}}\n---"
        );
    }
    let settings =
        Settings { runtime_kinds: true, extent: Extent::Whole, ..Settings::new(jiff::Timestamp::UNIX_EPOCH) };
    let mut builder = MeshBuilder::new(settings);
    builder.add_files(&[("mesh.yaml".to_owned(), text)]);
    builder
}

fn one_path(criterion: &mut Criterion) {
    let mesh = builder(1000, 0).build();
    let network = Network::new(&mesh, Facts::default());
    let client = Client::Inside(Caller::find(&mesh, "n1", "s1-0").expect("it was made"));
    let request = Request::http("s30.n30", 8080);
    criterion.bench_function("one path, 1,000 services", |bench| {
        bench.iter(|| network.answer(black_box(&client), black_box(&request)));
    });
}

fn matrix(criterion: &mut Criterion) {
    let mesh = builder(1000, 0).build();
    let mut group = criterion.benchmark_group("matrix");
    group.sample_size(10);
    group.bench_function("1,000 x 1,000 pairs, with the network", |bench| {
        bench.iter(|| {
            let network = Network::new(&mesh, Facts::default());
            let clients: Vec<Client<'_>> = network.callers().into_iter().map(Client::Inside).collect();
            let targets = network.targets();
            assert_eq!((clients.len(), targets.len()), (1000, 1000));
            network.matrix(&clients, &targets).columns.len()
        });
    });
    group.finish();
}

fn impact_of_one(criterion: &mut Criterion) {
    let builder = builder(3000, 2700);
    let before: Mesh = builder.clone().build();
    assert!(before.len() > 9_900, "{}", before.len());
    let mut changed = builder;
    let text = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: s10, namespace: n10}\nspec: {hosts: [s10], http: \
                [{route: [{destination: {host: gone}}]}]}\n";
    changed.add_files(&[("change.yaml", text)]);
    let after = changed.build();
    let mut group = criterion.benchmark_group("impact");
    group.sample_size(10);
    group.bench_function("one VirtualService, 10,000 objects", |bench| {
        bench.iter(|| {
            let (old, new) = (Network::new(&before, Facts::default()), Network::new(&after, Facts::default()));
            let changed = changes(&before, &after);
            let found = impact(&old, &new, &changed, &[]);
            assert!(found.iter().any(paths::Difference::breaks));
            found.len()
        });
    });
    group.finish();
}

criterion_group!(benches, one_path, matrix, impact_of_one);
criterion_main!(benches);
