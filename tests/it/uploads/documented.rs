//! The document says which operations take a capture.

use std::collections::BTreeSet;

use meshtriage::{
    api,
    steps::{About, STEPS},
};
use serde_json::Value;

#[test]
fn every_step_that_reads_takes_a_capture() {
    let document = serde_json::to_value(api::openapi()).unwrap();
    let takes = |path: &str, method: &str, name: &str| {
        let parameters = document["paths"][path][method]["parameters"].as_array();
        parameters.into_iter().flatten().any(|parameter| parameter["name"] == name)
    };
    // An archive is of the cluster; an impact is posted and only reads.
    let reads = |about: &About| !about.mutating && about.id != "istioctl.bug-report";
    for step in STEPS {
        let about = step.about();
        let method = about.method.to_ascii_lowercase();
        assert_eq!(takes(about.endpoint, &method, "capture"), reads(&about), "{}", about.id);
    }
    let mut without: BTreeSet<_> =
        STEPS.iter().map(|step| step.about()).filter(|about| !reads(about)).map(|about| about.endpoint).collect();
    // What a run has read, it has read.
    without.insert("/v1/runs/{id}/result");
    // Here the capture stands in the body, beside the scope.
    without.insert("/v1/runs");
    // The same as before.
    without.insert("/v1/runs/{id}/rerun");
    // Also the paths of steps that have several.
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys().filter(|method| takes(path, method, "format")) {
            assert_eq!(takes(path, method, "capture"), !without.contains(path.as_str()), "{method} {path}");
        }
    }
}

#[test]
fn upload_is_described() {
    let document = serde_json::to_value(api::openapi()).unwrap();
    let upload = &document["paths"]["/v1/captures"]["post"];
    for media in ["application/gzip", "application/x-tar", "application/yaml"] {
        assert!(upload["requestBody"]["content"][media].is_object(), "{media}");
    }
    assert!(upload["responses"]["201"]["headers"]["location"].is_object());
    for code in ["409", "413", "415", "422"] {
        assert!(upload["responses"][code].is_object(), "{code}");
    }
    let names = document["components"]["schemas"]["RunHeader"]["properties"].as_object().unwrap().keys();
    assert!(names.into_iter().any(|name| name == "capture"));
    let required: &Value = &document["components"]["schemas"]["RunHeader"]["required"];
    assert!(!required.as_array().unwrap().contains(&"capture".into()));
}
