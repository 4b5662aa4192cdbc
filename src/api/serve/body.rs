//! The body of an answer, in pieces, so that what a slow client has not taken is not copied into buffers, and so that it
//! can be seen when the client takes nothing any more.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};

use super::{places::Request, streams::Waiting};

/// Given to the connection at a time.
const PIECE: usize = 32 << 10;

/// A body that is sent piece by piece.
pub(super) struct Paced {
    body: Body,
    /// Of a larger piece that the body gave.
    rest: Bytes,
    /// The stream of HTTP/2 that takes it.
    waiting: Option<Waiting>,
    /// The request is answered when the body is gone.
    _request: Request,
}

impl Paced {
    pub(super) fn new(body: Body, request: Request) -> Self {
        Self { body, rest: Bytes::new(), waiting: Waiting::of_stream(), _request: request }
    }

    fn piece(&mut self) -> Frame<Bytes> {
        Frame::data(self.rest.split_to(self.rest.len().min(PIECE)))
    }
}

impl hyper::body::Body for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Some(waiting) = &this.waiting {
            waiting.taken();
        }
        let frame = if this.rest.is_empty() {
            let mut next = this.body.frame();
            match ready!(Pin::new(&mut next).poll(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        this.rest = data;
                        Some(Ok(this.piece()))
                    }
                    Err(trailers) => Some(Ok(trailers)),
                },
                other => other,
            }
        } else {
            Some(Ok(this.piece()))
        };
        if let Some(waiting) = &this.waiting
            && frame.is_some()
        {
            waiting.given();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (mut hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let (lower, upper) = (hint.lower() + rest, hint.upper().map(|upper| upper + rest));
        if let Some(upper) = upper {
            hint.set_upper(upper);
        }
        hint.set_lower(lower);
        hint
    }
}
