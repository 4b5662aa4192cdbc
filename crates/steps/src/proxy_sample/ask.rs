//! Asks proxies side by side.

use std::{future::Future, time::Duration};

use futures::{StreamExt as _, stream};
use tokio::time::Instant;

use super::choose::ProxyPod;
use crate::counted;
use cluster::Error;
use report::{Read, Skipped};

/// Proxies that are asked at once. Their dumps are in memory at the same time.
const AT_ONCE: usize = 8;

/// A proxy and what it answered.
pub(crate) type Answer<T> = (ProxyPod, Read<T>);

/// Asks each proxy. Those that have not answered when the time for all of them is over are skipped, each by its name.
pub(crate) async fn ask<T, F>(
    proxies: Vec<ProxyPod>,
    time: Duration,
    question: impl Fn(ProxyPod) -> F,
) -> Result<Vec<Answer<T>>, Error>
where
    F: Future<Output = Result<Read<T>, Error>>,
{
    let end = Instant::now() + time;
    let mut waiting: Vec<Option<ProxyPod>> = proxies.iter().cloned().map(Some).collect();
    let questions = stream::iter(proxies.into_iter().enumerate()).map(|(index, proxy)| {
        let question = question(proxy);
        async move { (index, question.await) }
    });
    let mut answers = questions.buffer_unordered(AT_ONCE);
    let mut read = Vec::new();
    while let Ok(Some((index, answer))) = tokio::time::timeout_at(end, answers.next()).await {
        if let Some(proxy) = waiting[index].take() {
            read.push((proxy, answer?));
        }
    }
    let late = waiting.into_iter().flatten().map(|proxy| {
        let seconds = usize::try_from(time.as_secs()).unwrap_or(usize::MAX);
        let why = format!("not asked to the end within the {} for all proxies", counted(seconds, "second"));
        let skipped = Skipped::new(format!("proxy {}", proxy.place()), why);
        (proxy, Err(skipped))
    });
    read.extend(late);
    read.sort_by(|(a, _), (b, _)| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    Ok(read)
}
