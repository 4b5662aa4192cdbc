//! The codes of the steps that look at workloads, resource types and istiod's pods, in one table. A code that is
//! retired stays listed; a number is never used again.
//!
//! `K8S0001` to `K8S0049` are of `resource-status`, `K8S0050` to `K8S0069` of resource types and custom resources,
//! `K8S0070` to `K8S0089` of istiod's pods, `AKS0001` to `AKS0029` of the AKS add-on.

use report::{Code, Severity};

/// Every code of these steps, in the order of their ids.
pub(crate) static CODES: &[&Code] = &[
    &BLOCKED_KIND_IS_IN_USE,
    &ENVOY_FILTER_IS_IN_USE,
    &IMAGE_IS_NOT_THE_ADD_ONS,
    &REVISION_AND_IMAGE_DIFFER,
    &POD_IS_UNSCHEDULABLE,
    &IMAGE_CANNOT_BE_PULLED,
    &CONTAINER_CRASHES_IN_A_LOOP,
    &CONTAINER_RAN_OUT_OF_MEMORY,
    &POD_IS_NOT_READY,
    &CONTAINER_RESTARTS,
    &CONTAINER_CANNOT_BE_CREATED,
    &VOLUME_CANNOT_BE_MOUNTED,
    &INIT_CONTAINER_DOES_NOT_END,
    &POD_SANDBOX_CANNOT_BE_CREATED,
    &POD_HAS_FAILED,
    &OBJECT_IS_STUCK_IN_DELETION,
    &WEBHOOK_REFUSES_PODS,
    &POLICY_REFUSES_PODS,
    &QUOTA_REFUSES_PODS,
    &PODS_CANNOT_BE_CREATED,
    &ROLLOUT_IS_STUCK,
    &WORKLOAD_HAS_FEWER_REPLICAS,
    &WORKLOAD_IS_SWITCHED_OFF,
    &AUTOSCALER_READS_NO_METRICS,
    &AUTOSCALER_IS_AT_MAXIMUM,
    &AUTOSCALER_CANNOT_SCALE,
    &BUDGET_BLOCKS_DRAINS,
    &SERVICE_HAS_NO_READY_ENDPOINT,
    &SERVICE_SELECTS_NO_POD,
    &NODE_IS_UNWELL,
    &CONDITION_IS_UNMET,
    &VOLUME_CLAIM_IS_PENDING,
    &LOAD_BALANCER_HAS_NO_ADDRESS,
    &NAME_MEANS_SEVERAL_TYPES,
    &JOB_HAS_FAILED,
    &CRD_IS_MISSING,
    &CRD_IS_NOT_ESTABLISHED,
    &CRD_BELONGS_TO_ANOTHER_INSTALLATION,
    &CRD_HAS_LEFTOVER_STORED_VERSION,
    &CRD_IS_BEING_DELETED,
    &GATEWAY_API_BUNDLES_DIFFER,
    &OBJECT_FAILS_VALIDATION,
    &ISTIOD_HAS_FEW_REPLICAS,
    &ISTIOD_IMAGES_DIFFER,
    &ISTIOD_REPLICAS_SHARE_A_NODE,
    &NO_ISTIOD_IS_RUNNING,
    &PODS_OF_OTHERS_BESIDE_ISTIOD,
];

pub(crate) static POD_IS_UNSCHEDULABLE: Code = Code {
    id: "K8S0001",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/",
    page: include_str!("../pages/K8S0001.md"),
};

pub(crate) static IMAGE_CANNOT_BE_PULLED: Code = Code {
    id: "K8S0002",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/containers/images/#imagepullbackoff",
    page: include_str!("../pages/K8S0002.md"),
};

pub(crate) static CONTAINER_CRASHES_IN_A_LOOP: Code = Code {
    id: "K8S0003",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy",
    page: include_str!("../pages/K8S0003.md"),
};

pub(crate) static CONTAINER_RAN_OUT_OF_MEMORY: Code = Code {
    id: "K8S0004",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource/",
    page: include_str!("../pages/K8S0004.md"),
};

pub(crate) static POD_IS_NOT_READY: Code = Code {
    id: "K8S0005",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate",
    page: include_str!("../pages/K8S0005.md"),
};

pub(crate) static CONTAINER_RESTARTS: Code = Code {
    id: "K8S0006",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy",
    page: include_str!("../pages/K8S0006.md"),
};

pub(crate) static CONTAINER_CANNOT_BE_CREATED: Code = Code {
    id: "K8S0007",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/",
    page: include_str!("../pages/K8S0007.md"),
};

pub(crate) static VOLUME_CANNOT_BE_MOUNTED: Code = Code {
    id: "K8S0008",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/storage/volumes/",
    page: include_str!("../pages/K8S0008.md"),
};

pub(crate) static INIT_CONTAINER_DOES_NOT_END: Code = Code {
    id: "K8S0009",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/workloads/pods/init-containers/",
    page: include_str!("../pages/K8S0009.md"),
};

pub(crate) static POD_SANDBOX_CANNOT_BE_CREATED: Code = Code {
    id: "K8S0010",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/tasks/debug/debug-application/debug-pods/",
    page: include_str!("../pages/K8S0010.md"),
};

pub(crate) static POD_HAS_FAILED: Code = Code {
    id: "K8S0011",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase",
    page: include_str!("../pages/K8S0011.md"),
};

pub(crate) static OBJECT_IS_STUCK_IN_DELETION: Code = Code {
    id: "K8S0012",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/",
    page: include_str!("../pages/K8S0012.md"),
};

pub(crate) static WEBHOOK_REFUSES_PODS: Code = Code {
    id: "K8S0013",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/ops/common-problems/injection/",
    page: include_str!("../pages/K8S0013.md"),
};

pub(crate) static POLICY_REFUSES_PODS: Code = Code {
    id: "K8S0014",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/",
    page: include_str!("../pages/K8S0014.md"),
};

pub(crate) static QUOTA_REFUSES_PODS: Code = Code {
    id: "K8S0015",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/policy/resource-quotas/",
    page: include_str!("../pages/K8S0015.md"),
};

pub(crate) static PODS_CANNOT_BE_CREATED: Code = Code {
    id: "K8S0016",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/",
    page: include_str!("../pages/K8S0016.md"),
};

pub(crate) static ROLLOUT_IS_STUCK: Code = Code {
    id: "K8S0017",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#failed-deployment",
    page: include_str!("../pages/K8S0017.md"),
};

pub(crate) static WORKLOAD_HAS_FEWER_REPLICAS: Code = Code {
    id: "K8S0018",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/",
    page: include_str!("../pages/K8S0018.md"),
};

pub(crate) static WORKLOAD_IS_SWITCHED_OFF: Code = Code {
    id: "K8S0019",
    severity: Severity::Info,
    docs: "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pausing-and-resuming-a-rollout-of-a-deployment",
    page: include_str!("../pages/K8S0019.md"),
};

pub(crate) static AUTOSCALER_READS_NO_METRICS: Code = Code {
    id: "K8S0020",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/",
    page: include_str!("../pages/K8S0020.md"),
};

pub(crate) static AUTOSCALER_IS_AT_MAXIMUM: Code = Code {
    id: "K8S0021",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/",
    page: include_str!("../pages/K8S0021.md"),
};

pub(crate) static AUTOSCALER_CANNOT_SCALE: Code = Code {
    id: "K8S0022",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/",
    page: include_str!("../pages/K8S0022.md"),
};

pub(crate) static BUDGET_BLOCKS_DRAINS: Code = Code {
    id: "K8S0023",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
    page: include_str!("../pages/K8S0023.md"),
};

pub(crate) static SERVICE_HAS_NO_READY_ENDPOINT: Code = Code {
    id: "K8S0024",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/",
    page: include_str!("../pages/K8S0024.md"),
};

pub(crate) static SERVICE_SELECTS_NO_POD: Code = Code {
    id: "K8S0025",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/",
    page: include_str!("../pages/K8S0025.md"),
};

pub(crate) static NODE_IS_UNWELL: Code = Code {
    id: "K8S0026",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/architecture/nodes/#condition",
    page: include_str!("../pages/K8S0026.md"),
};

pub(crate) static CONDITION_IS_UNMET: Code = Code {
    id: "K8S0027",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/overview/working-with-objects/#object-spec-and-status",
    page: include_str!("../pages/K8S0027.md"),
};

pub(crate) static VOLUME_CLAIM_IS_PENDING: Code = Code {
    id: "K8S0028",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/storage/persistent-volumes/",
    page: include_str!("../pages/K8S0028.md"),
};

pub(crate) static LOAD_BALANCER_HAS_NO_ADDRESS: Code = Code {
    id: "K8S0029",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-ingress",
    page: include_str!("../pages/K8S0029.md"),
};

pub(crate) static NAME_MEANS_SEVERAL_TYPES: Code = Code {
    id: "K8S0030",
    severity: Severity::Info,
    docs: "https://kubernetes.io/docs/reference/kubectl/#resource-types",
    page: include_str!("../pages/K8S0030.md"),
};

pub(crate) static JOB_HAS_FAILED: Code = Code {
    id: "K8S0031",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/concepts/workloads/controllers/job/",
    page: include_str!("../pages/K8S0031.md"),
};

pub(crate) static CRD_IS_MISSING: Code = Code {
    id: "K8S0050",
    severity: Severity::Error,
    docs: "https://istio.io/latest/docs/reference/config/",
    page: include_str!("../pages/K8S0050.md"),
};

pub(crate) static CRD_IS_NOT_ESTABLISHED: Code = Code {
    id: "K8S0051",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/",
    page: include_str!("../pages/K8S0051.md"),
};

pub(crate) static CRD_BELONGS_TO_ANOTHER_INSTALLATION: Code = Code {
    id: "K8S0052",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/migration-from-open-source-istio-to-addon",
    page: include_str!("../pages/K8S0052.md"),
};

pub(crate) static CRD_HAS_LEFTOVER_STORED_VERSION: Code = Code {
    id: "K8S0053",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#upgrade-existing-objects-to-a-new-stored-version",
    page: include_str!("../pages/K8S0053.md"),
};

pub(crate) static CRD_IS_BEING_DELETED: Code = Code {
    id: "K8S0054",
    severity: Severity::Error,
    docs: "https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#delete-a-customresourcedefinition",
    page: include_str!("../pages/K8S0054.md"),
};

pub(crate) static GATEWAY_API_BUNDLES_DIFFER: Code = Code {
    id: "K8S0055",
    severity: Severity::Warning,
    docs: "https://gateway-api.sigs.k8s.io/concepts/versioning/",
    page: include_str!("../pages/K8S0055.md"),
};

pub(crate) static OBJECT_FAILS_VALIDATION: Code = Code {
    id: "K8S0056",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/reference/config/analysis/",
    page: include_str!("../pages/K8S0056.md"),
};

pub(crate) static ISTIOD_HAS_FEW_REPLICAS: Code = Code {
    id: "K8S0070",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-scale",
    page: include_str!("../pages/K8S0070.md"),
};

pub(crate) static ISTIOD_IMAGES_DIFFER: Code = Code {
    id: "K8S0071",
    severity: Severity::Warning,
    docs: "https://istio.io/latest/docs/setup/upgrade/",
    page: include_str!("../pages/K8S0071.md"),
};

pub(crate) static ISTIOD_REPLICAS_SHARE_A_NODE: Code = Code {
    id: "K8S0072",
    severity: Severity::Warning,
    docs: "https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/",
    page: include_str!("../pages/K8S0072.md"),
};

pub(crate) static NO_ISTIOD_IS_RUNNING: Code = Code {
    id: "K8S0073",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-deploy-addon",
    page: include_str!("../pages/K8S0073.md"),
};

pub(crate) static PODS_OF_OTHERS_BESIDE_ISTIOD: Code = Code {
    id: "K8S0074",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-about",
    page: include_str!("../pages/K8S0074.md"),
};

pub(crate) static BLOCKED_KIND_IS_IN_USE: Code = Code {
    id: "AKS0001",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-about#limitations",
    page: include_str!("../pages/AKS0001.md"),
};

pub(crate) static ENVOY_FILTER_IS_IN_USE: Code = Code {
    id: "AKS0002",
    severity: Severity::Info,
    docs: "https://learn.microsoft.com/azure/aks/istio-about#limitations",
    page: include_str!("../pages/AKS0002.md"),
};

pub(crate) static IMAGE_IS_NOT_THE_ADD_ONS: Code = Code {
    id: "AKS0003",
    severity: Severity::Error,
    docs: "https://learn.microsoft.com/azure/aks/istio-support-policy",
    page: include_str!("../pages/AKS0003.md"),
};

pub(crate) static REVISION_AND_IMAGE_DIFFER: Code = Code {
    id: "AKS0004",
    severity: Severity::Warning,
    docs: "https://learn.microsoft.com/azure/aks/istio-upgrade",
    page: include_str!("../pages/AKS0004.md"),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_stands_once_and_has_its_page() {
        let ids: Vec<&str> = CODES.iter().map(|code| code.id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted, "in order, each once");
        for code in CODES {
            assert!(code.page.starts_with(&format!("# {}: ", code.id)), "{}", code.id);
            assert!(code.page.contains("## Why it matters") && code.page.contains("## What to do"), "{}", code.id);
            assert!(code.docs.starts_with("https://"), "{}", code.id);
        }
    }
}
