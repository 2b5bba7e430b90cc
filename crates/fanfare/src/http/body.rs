//! Body: an answer of ours, or of the service that we are mounted in.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::Full;

/// The body of an answer: ours, or that of the service around which the layer is.
#[derive(Debug)]
pub enum Body<B> {
    /// An answer of Engine.IO's.
    Ours(Full<Bytes>),
    /// An answer to a request that is none of ours.
    Theirs(B),
}

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for Body<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Ours(body) => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
            Self::Theirs(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ours(body) => body.is_end_stream(),
            Self::Theirs(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ours(body) => body.size_hint(),
            Self::Theirs(body) => body.size_hint(),
        }
    }
}
