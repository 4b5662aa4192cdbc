//! Bodies of answers that exist as a whole.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::cluster::budget::Claim;

/// A text, which keeps the room that it takes until it is sent.
pub(super) fn held(text: String, claim: Option<Claim>) -> Body {
    let body = Body::from(text);
    match claim {
        Some(claim) => Body::new(Held { body, _claim: claim }),
        None => body,
    }
}

struct Held {
    body: Body,
    _claim: Claim,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
