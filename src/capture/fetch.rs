//! Pages of pods, as the recording takes them: what fails costs one page, or all pages of the port.

use http::Method;

use crate::cluster::{
    Error, chain,
    pod_http::{PodHttpError, PodHttpLimits, PodPort},
};

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why a page could not be fetched.
pub(super) enum Failure {
    /// Nothing answers on this port: the other pages need not be tried.
    Port(String),
    Page(String),
}

/// Asks for one page.
pub(super) async fn fetch(port: &mut PodPort, target: &str, limits: PodHttpLimits) -> Result<Answer, Failure> {
    // Envoy lists its log levels on POST alone, and changes none without a query.
    let method = if target == "/logging" { Method::POST } else { Method::GET };
    let answer = port.request(method, target, limits).await?;
    Ok(Answer { status: answer.status, body: answer.body.into() })
}

impl From<Error> for Failure {
    /// The page or the port is named where the failure is noted, so that only the reason is left.
    fn from(error: Error) -> Self {
        match error {
            Error::Pod(PodHttpError::CannotForward { why, .. } | PodHttpError::Refused { why, .. }) => {
                Self::Port(why.trim().to_owned())
            }
            Error::Pod(error) => Self::Page(error.skipped().why),
            Error::NotRecorded { .. } => Self::Page(super::store::NOT_RECORDED.to_owned()),
            error => Self::Port(chain(&error)),
        }
    }
}
