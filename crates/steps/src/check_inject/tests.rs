use super::*;

fn pointers(input: &CheckInjectInput) -> Vec<String> {
    CheckInject::check(input).into_iter().map(|invalid| invalid.pointer).collect()
}

#[test]
fn one_target_at_most() {
    let input = |pod: Option<&str>, deployment: Option<&str>, labels: Option<&str>| CheckInjectInput {
        namespace: "shop".to_owned(),
        pod: pod.map(str::to_owned),
        deployment: deployment.map(str::to_owned),
        labels: labels.map(str::to_owned),
    };
    assert!(pointers(&input(None, None, None)).is_empty());
    assert!(pointers(&input(None, None, Some("app=cart, version==v1"))).is_empty());
    assert_eq!(pointers(&input(Some("a"), Some("b"), None)), ["/pod"]);
    assert_eq!(pointers(&input(None, None, Some("app"))), ["/labels"]);
    assert_eq!(pointers(&input(None, None, Some("a=b c"))), ["/labels"]);
    assert_eq!(pointers(&input(Some("../x"), None, None)), ["/pod"]);
    let nowhere = CheckInjectInput { namespace: "No".to_owned(), ..CheckInjectInput::default() };
    assert_eq!(pointers(&nowhere), ["/namespace"]);
}

#[test]
fn a_template_is_a_pod_to_come() {
    let deployment = serde_json::json!({"spec": {"template": {"metadata": {"labels": {"app": "cart"}},
        "spec": {"hostNetwork": true}}}});
    let target = Target { kind: "Deployment", pod: pod_of("shop", "cart", &Object::new("Deployment", deployment)) };
    assert_eq!(target.labels(), Labels::from([("app".to_owned(), "cart".to_owned())]));
    assert!(target.pod.flag("/spec/hostNetwork"));
    let empty = pod_of("shop", "cart", &Object::new("Deployment", Value::Null));
    assert_eq!(empty.place(), "shop/cart");
}
