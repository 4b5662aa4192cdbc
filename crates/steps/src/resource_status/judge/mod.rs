//! Judges objects by their present state; events are quoted as evidence, or decide where the state does not show the
//! fault and they are newer than what would have overtaken them.

mod autoscaler;
mod budget;
mod cluster_wide;
pub(crate) mod condition;
pub(crate) mod container;
mod creation;
mod log_tail;
mod pod;
mod service;
mod workload;

use std::collections::BTreeSet;

use super::{family::Family, object::Object};
use report::Finding;

pub(crate) use container::{Container, containers};
pub(crate) use creation::webhook_service;
pub(crate) use log_tail::wants_log;

/// Judges objects, each once, with those that belong to them.
pub(crate) struct Judge<'a> {
    pub(super) family: &'a Family,
    seen: BTreeSet<(String, String, String)>,
    pub(crate) findings: Vec<Finding>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(family: &'a Family) -> Self {
        Self { family, seen: BTreeSet::new(), findings: Vec::new() }
    }

    /// Judges an object of Kubernetes' own groups and what belongs to it: a Deployment with its `ReplicaSet`s, pods,
    /// autoscaler and budget.
    pub(crate) fn built_in(&mut self, object: &Object) {
        let namespace = object.namespace().unwrap_or_default().to_owned();
        if !self.seen.insert((object.kind.clone(), namespace, object.name().to_owned())) {
            return;
        }
        match object.kind.as_str() {
            "Pod" => pod::judge(object, self.family, &mut self.findings),
            "Deployment" => self.deployment(object),
            "ReplicaSet" | "ReplicationController" => self.replica_set(object),
            "StatefulSet" => self.counted(object, object.wanted(), "/status/readyReplicas", "/status/replicas"),
            "DaemonSet" => {
                let wanted = object.number("/status/desiredNumberScheduled").unwrap_or(0);
                self.counted(object, wanted, "/status/numberReady", "/status/currentNumberScheduled");
            }
            "Job" => self.job(object),
            "CronJob" => self.built_in_all(&self.family.children(object, "Job")),
            "HorizontalPodAutoscaler" => autoscaler::judge(object, self.family, &mut self.findings),
            "PodDisruptionBudget" => budget::judge(object, self.family, &mut self.findings),
            "Service" => service::judge(object, self.family, &mut self.findings),
            "Node" => cluster_wide::node(object, &mut self.findings),
            "PersistentVolumeClaim" => cluster_wide::volume_claim(object, self.family, &mut self.findings),
            // A namespace's conditions speak of its deletion only.
            "Namespace" => cluster_wide::deletion(object, self.family, &mut self.findings),
            "Event" => {}
            _ => self.of_any_group(object),
        }
    }

    /// Judges an object by what every controller writes: conditions, and a deletion that does not end.
    pub(crate) fn of_any_group(&mut self, object: &Object) {
        condition::judge(object, &mut self.findings);
        cluster_wide::deletion(object, self.family, &mut self.findings);
    }

    fn built_in_all(&mut self, objects: &[&Object]) {
        for object in objects {
            self.built_in(object);
        }
    }

    fn deployment(&mut self, deployment: &Object) {
        let before = self.findings.len();
        for set in self.family.children(deployment, "ReplicaSet") {
            // ReplicaSets of earlier versions are kept with no replicas.
            if set.wanted() > 0 || set.number("/status/replicas").unwrap_or(0) > 0 {
                self.built_in(set);
            }
        }
        let explained = self.findings.len() > before;
        workload::deployment(deployment, self.family, explained, &mut self.findings);
        self.built_in_all(&self.family.autoscalers(deployment));
        self.built_in_all(&self.family.budgets(deployment));
    }

    fn replica_set(&mut self, set: &Object) {
        let before = self.findings.len();
        let existing = set.number("/status/replicas").unwrap_or(0);
        creation::judge(set, set.wanted(), existing, self.family, &mut self.findings);
        self.built_in_all(&self.family.children(set, "Pod"));
        // A Deployment speaks for its ReplicaSets.
        if set.owner().is_none() && self.findings.len() == before {
            workload::fewer(set, set.wanted(), "/status/readyReplicas", self.family, &mut self.findings);
        }
    }

    fn counted(&mut self, object: &Object, wanted: i64, ready: &str, existing: &str) {
        let before = self.findings.len();
        let existing = object.number(existing).unwrap_or(0);
        creation::judge(object, wanted, existing, self.family, &mut self.findings);
        self.built_in_all(&self.family.children(object, "Pod"));
        if self.findings.len() == before {
            workload::fewer(object, wanted, ready, self.family, &mut self.findings);
        }
        self.built_in_all(&self.family.autoscalers(object));
        self.built_in_all(&self.family.budgets(object));
    }

    fn job(&mut self, job: &Object) {
        if job.condition("Complete").is_some_and(|complete| complete.is("True")) {
            return;
        }
        let active = job.number("/status/active").unwrap_or(0);
        creation::judge(job, 1, active, self.family, &mut self.findings);
        self.built_in_all(&self.family.children(job, "Pod"));
        workload::job(job, self.family, &mut self.findings);
    }
}
