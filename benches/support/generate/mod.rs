//! Generates meshes of any size, the same for the same plan, with faults of which it knows what must be said about them.
//! No I/O: the caller decides where the texts go.

mod faults;
mod layouts;
mod objects;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What a mesh consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Teams of twenty services each, with the configuration that such teams have. Only this one has faults.
    Realistic,
    /// A fifth each of Services, Deployments, Pods, VirtualServices and DestinationRules.
    Fifths,
    /// ServiceEntries, seven for every four VirtualServices that route to them.
    External,
    /// Services and pods alone, four for every five.
    Pods,
}

impl Layout {
    pub(crate) const ALL: [(&'static str, Self); 4] =
        [("realistic", Self::Realistic), ("fifths", Self::Fifths), ("external", Self::External), ("pods", Self::Pods)];
}

/// Which mesh to generate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) layout: Layout,
    /// About how many objects; a service that was begun is finished.
    pub(crate) objects: usize,
    /// Of a hundred services, how many have a fault.
    pub(crate) faulty_percent: u64,
    pub(crate) seed: u64,
}

/// A generated mesh.
#[derive(Debug)]
pub(crate) struct Generated {
    pub(crate) objects: Vec<Value>,
    /// What an analysis must report, and at the levels of errors and warnings nothing besides.
    pub(crate) faults: BTreeSet<Fault>,
}

/// A code, and the object that it must be reported for, as `Kind namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    pub(crate) code: String,
    pub(crate) object: String,
}

impl Plan {
    pub(crate) fn generate(self) -> Generated {
        let mut generator = Generator {
            plan: self,
            random: Random(self.seed),
            mesh: Generated { objects: Vec::new(), faults: BTreeSet::new() },
            faulty: 0,
        };
        match self.layout {
            Layout::Realistic => generator.realistic(),
            Layout::Fifths => generator.fifths(),
            Layout::External => generator.external(),
            Layout::Pods => generator.pods(),
        }
        generator.mesh
    }
}

impl Generated {
    /// All objects as one file of YAML documents.
    pub(crate) fn yaml(&self) -> String {
        let mut text = String::new();
        for object in &self.objects {
            text.push_str("---\n");
            yaml::write(object, &mut text);
        }
        text
    }

    /// The lists that an API server would answer, by their path (`apis/apps/v1/deployments`).
    pub(crate) fn lists(&self) -> BTreeMap<String, Value> {
        let mut lists: BTreeMap<String, Value> = BTreeMap::new();
        for object in &self.objects {
            let text = |key: &str| object[key].as_str().expect("every object is generated with its kind");
            let (api_version, kind) = (text("apiVersion"), text("kind"));
            let root = if api_version.contains('/') { "apis" } else { "api" };
            let list = lists.entry(format!("{root}/{api_version}/{}", plural(kind))).or_insert_with(|| {
                json!({
                    "kind": format!("{kind}List"), "apiVersion": api_version,
                    "metadata": {"resourceVersion": "1"}, "items": [],
                })
            });
            let mut item = object.clone();
            // Items of the API server's own kinds do not say what they are.
            if !api_version.contains("istio.io/") {
                let fields = item.as_object_mut().expect("every object is a map");
                fields.shift_remove("apiVersion");
                fields.shift_remove("kind");
            }
            list["items"].as_array_mut().expect("it was made so above").push(item);
        }
        lists
    }
}

fn plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with('a') => format!("{stem}ies"),
        _ => format!("{kind}s"),
    }
}

/// Puts objects one after the other.
struct Generator {
    plan: Plan,
    random: Random,
    mesh: Generated,
    /// How many services have a fault so far.
    faulty: usize,
}

impl Generator {
    fn add(&mut self, object: Value) {
        self.mesh.objects.push(object);
    }

    fn expect(&mut self, code: &str, kind: &str, namespace: &str, name: &str) {
        let object = format!("{kind} {namespace}/{name}");
        self.mesh.faults.insert(Fault { code: code.to_owned(), object });
    }
}

/// SplitMix64: small, fast, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
