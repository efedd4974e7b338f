//! A body that knows when it was written to the network.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use futures::task::AtomicWaker;
use http::{Request, Response, Version, header};
use http_body::{Frame, SizeHint};

use crate::{
    clerk::HandOver,
    listener::{Connection, Written},
};

pin_project_lite::pin_project! {
    /// A page whose messages count as shown when its last byte was written to the network.
    pub(crate) struct DeliveredBody {
        #[pin]
        inner: Body,
        page: Option<HandOver>,
        way: Way,
    }
}

/// How the body gets to know that it was written.
enum Way {
    /// The connection tells: HTTP/1 flushes after the last part, HTTP/2 drops each part's token.
    Told {
        connection: Connection,
        tokens: Option<Written>,
    },
    /// The connection does not tell. hyper drops each part after it was written; the body waits for that before its
    /// end.
    Watched(Watched),
    /// The request came through no network, as in the test of an app. The test may keep the parts that
    /// it reads.
    Read,
}

/// Where a request came from.
pub(crate) struct Origin {
    /// There when a [`FlashListener`](crate::FlashListener) accepted it.
    connection: Option<Connection>,
    version: Version,
    is_network: bool,
}

impl Origin {
    /// A request from a network names its host (RFC 9112, 3.2; RFC 9113, 8.3.1); one that a test makes
    /// seldom does.
    pub fn of<B>(request: &Request<B>) -> Self {
        Self {
            connection: request.extensions().get().cloned(),
            version: request.version(),
            is_network: request.headers().contains_key(header::HOST)
                || request.uri().authority().is_some(),
        }
    }
}

impl DeliveredBody {
    /// Wraps the body of a page.
    pub fn wrap(mut response: Response<Body>, page: HandOver, origin: Origin) -> Response<Body> {
        let way = match origin.connection {
            Some(connection) => Way::Told {
                connection,
                tokens: (origin.version == Version::HTTP_2).then(Written::default),
            },
            None if !origin.is_network => Way::Read,
            None => {
                // With a known length hyper drops the body before its end is polled.
                response.headers_mut().remove(header::CONTENT_LENGTH);
                Way::Watched(Watched::default())
            }
        };
        response.map(|inner| {
            Body::new(Self {
                inner,
                page: Some(page),
                way,
            })
        })
    }
}

impl http_body::Body for DeliveredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut this = self.project();
        match this.way {
            Way::Told { connection, tokens } => {
                let frame = ready!(this.inner.as_mut().poll_frame(cx));
                let frame = match (frame, &tokens) {
                    (Some(Ok(frame)), Some(tokens)) => Some(Ok(
                        frame.map_data(|data| with_token(data, tokens, connection))
                    )),
                    (frame, _) => frame,
                };
                let failed = matches!(frame, Some(Err(_)));
                let ends = frame.is_none() || this.inner.is_end_stream();
                if ends
                    && !failed
                    && let Some(page) = this.page.take()
                {
                    connection.hand_over(page, tokens.clone().unwrap_or_default());
                }
                Poll::Ready(frame)
            }
            Way::Watched(watched) => watched.poll_frame(this.inner, this.page, cx),
            Way::Read => {
                let frame = ready!(this.inner.as_mut().poll_frame(cx));
                let failed = matches!(frame, Some(Err(_)));
                if (frame.is_none() || this.inner.is_end_stream())
                    && !failed
                    && let Some(page) = this.page.take()
                {
                    page.done();
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.way {
            Way::Told { .. } | Way::Read => self.inner.is_end_stream(),
            Way::Watched(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.way {
            Way::Told { .. } | Way::Read => self.inner.size_hint(),
            Way::Watched(_) => SizeHint::default(),
        }
    }
}

/// h2 copies smaller parts (`h2::codec::framed_write`, its `CHAIN_THRESHOLD` is 256): such a token
/// would say nothing. They follow the larger ones in order.
const MIN_OWNED: usize = 256;

fn with_token(data: Bytes, written: &Written, connection: &Connection) -> Bytes {
    if data.len() <= MIN_OWNED {
        return data;
    }
    let _token = written.token(connection);
    Bytes::from_owner(Owned { data, _token })
}

struct Owned<T> {
    data: Bytes,
    _token: T,
}

impl<T> AsRef<[u8]> for Owned<T> {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

/// Parts that own a share of a counter, so that the body sees when hyper has dropped them all.
#[derive(Default)]
struct Watched {
    parts: Arc<Alive>,
    /// The rest of a large part, whose beginning goes alone.
    rest: Option<Bytes>,
    /// A part was alive when the body was polled again: hyper does not copy them.
    seen_alive: bool,
    at_end: bool,
    polled_at_end: bool,
}

#[derive(Default)]
struct Alive {
    parts: AtomicUsize,
    waker: AtomicWaker,
}

struct Part(Arc<Alive>);

impl Drop for Part {
    fn drop(&mut self) {
        if self.0.parts.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.waker.wake();
        }
    }
}

/// hyper takes no more parts into its buffer after one of this size (`MAX_BUF_LIST_BUFFERS` and
/// `max_buf_size`), and would not poll the body again while it waits. The beginning goes alone.
const LARGE: usize = 64 * 1024;
const BEGINNING: usize = 1024;

impl Watched {
    fn poll_frame(
        &mut self,
        mut inner: Pin<&mut Body>,
        page: &mut Option<HandOver>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        use http_body::Body as _;

        self.seen_alive |= self.parts.parts.load(Ordering::Acquire) > 0;
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(self.own(rest)))));
        }
        if !self.at_end {
            match ready!(inner.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let frame = frame.map_data(|mut data| {
                        if data.len() > LARGE {
                            self.rest = Some(data.split_off(BEGINNING));
                        }
                        self.own(data)
                    });
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.at_end = true,
            }
        }
        self.parts.waker.register(cx.waker());
        let alive = self.parts.parts.load(Ordering::Acquire) > 0;
        if alive {
            return Poll::Pending;
        }
        // Where hyper copies the parts they tell nothing. It flushes when a body is not ready, so one
        // more poll is the best that is left.
        if !self.seen_alive && !std::mem::replace(&mut self.polled_at_end, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(page) = page.take() {
            page.done();
        }
        Poll::Ready(None)
    }

    fn own(&self, data: Bytes) -> Bytes {
        self.parts.parts.fetch_add(1, Ordering::AcqRel);
        let _token = Part(self.parts.clone());
        Bytes::from_owner(Owned { data, _token })
    }
}
