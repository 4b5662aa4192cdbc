//! Logs of containers, bounded in lines, bytes and time.

use std::borrow::Cow;

use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::BodyExt as _;
use kube::client::Body;

use super::{Cluster, Error, check_name};

/// Which part of a log.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// The last lines; `None` gives all that the other bounds allow.
    pub tail: Option<u32>,
    pub since_s: Option<u32>,
    /// The log of the container's previous run.
    pub previous: bool,
    pub limit_bytes: Option<u32>,
}

/// The log of one container, each line with the time at which the kubelet took it.
#[derive(Debug, Clone, Default)]
pub struct ContainerLog {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    pub text: String,
    /// The byte limit was reached, so lines may be missing.
    pub truncated: bool,
}

impl ContainerLog {
    /// The lines, each with its time stamp in front.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| !line.is_empty())
    }
}

impl Cluster {
    /// The log of one container.
    pub async fn log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        query: &LogQuery,
    ) -> Result<ContainerLog, Error> {
        let path = log_path(namespace, pod)?;
        let what = format!("log of {namespace}/{pod} ({container})");
        let bytes = self.get_bytes(&what, &path, &query.pairs(container, false), "*/*").await?;
        let truncated = query.limit_bytes.is_some_and(|limit| bytes.len() >= limit as usize);
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        if truncated && let Some(end) = text.rfind('\n') {
            // The last line was cut in the middle.
            text.truncate(end + 1);
        }
        if let Cow::Owned(redacted) = crate::aside(|| redact::redact_text(&text)) {
            text = redacted;
        }
        Ok(ContainerLog {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            container: container.to_owned(),
            text,
            truncated,
        })
    }

    /// The same as it grows. The stream ends when the container does.
    pub async fn follow_log(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        query: &LogQuery,
    ) -> Result<impl futures::Stream<Item = Result<Bytes, Error>> + Send + use<>, Error> {
        let what = format!("log of {namespace}/{pod} ({container})");
        let path = super::objects::with_query(&log_path(namespace, pod)?, &query.pairs(container, true));
        let request = http::Request::get(path)
            .body(Body::empty())
            .map_err(|error| Error::of(&what, kube::Error::HttpError(error)))?;
        let after = self.settings().call_timeout;
        let response = tokio::time::timeout(after, self.client().send(request))
            .await
            .map_err(|_| Error::TimedOut { what: what.clone(), after })?
            .map_err(|error| Error::of(&what, error))?;
        let status = response.status();
        if !status.is_success() {
            let body = response.into_body().collect().await.map_err(|error| Error::of(&what, error))?.to_bytes();
            return Err(super::objects::failed(&what, status, &body));
        }
        Ok(response.into_body().into_data_stream().map_err(move |error| Error::of(&what, error)))
    }
}

fn log_path(namespace: &str, pod: &str) -> Result<String, Error> {
    check_name("namespace", namespace)?;
    check_name("pod name", pod)?;
    Ok(format!("/api/v1/namespaces/{namespace}/pods/{pod}/log"))
}

impl LogQuery {
    fn pairs(&self, container: &str, follow: bool) -> Vec<(&'static str, String)> {
        let mut pairs = vec![("container", container.to_owned()), ("timestamps", "true".to_owned())];
        if follow {
            pairs.push(("follow", "true".to_owned()));
        }
        if self.previous {
            pairs.push(("previous", "true".to_owned()));
        }
        pairs.extend(self.tail.map(|lines| ("tailLines", lines.to_string())));
        pairs.extend(self.since_s.map(|seconds| ("sinceSeconds", seconds.to_string())));
        pairs.extend(self.limit_bytes.map(|bytes| ("limitBytes", bytes.to_string())));
        pairs
    }
}
