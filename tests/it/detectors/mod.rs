//! The detectors: their table, their pages, fixtures, the catalogue that they answer, and the recorded meshes.

mod catalogue;
mod fixtures;
pub(crate) mod recordings;
mod remedies;
mod scale;
mod table;

use meshtriage::{
    analyzers::{Analysis, Options, analyze_by},
    detectors::{self, Detector},
    mesh::{Extent, Mesh, MeshBuilder, Settings},
};

use crate::analyze::cases::now;

/// A whole mesh of these documents; an AKS one where they name its namespace.
fn mesh_of(yaml: &str) -> Mesh {
    let istio_namespace = if yaml.contains("aks-istio-system") { "aks-istio-system" } else { "istio-system" };
    let mut builder = MeshBuilder::new(Settings {
        runtime_kinds: true,
        extent: Extent::Whole,
        istio_namespace: istio_namespace.to_owned(),
        ..Settings::new(now())
    });
    builder.add_files(&[("example.yaml".to_owned(), yaml.to_owned())]);
    let mesh = builder.build();
    assert!(mesh.malformed().is_empty() && !mesh.is_empty(), "{:?}\n{yaml}", mesh.malformed());
    mesh
}

/// What the detectors of a code find.
fn detect<'m>(mesh: &'m Mesh, code: &str) -> Analysis<'m> {
    let reporters = detectors::all().filter(|detector| reports(detector, code));
    let rules: Vec<_> = reporters.map(|detector| &detector.rule).collect();
    assert!(!rules.is_empty(), "no detector reports {code}");
    analyze_by(mesh, &rules, &Options::default())
}

fn reports(detector: &Detector, code: &str) -> bool {
    detector.rule.reports.iter().any(|reported| reported.id == code)
}
