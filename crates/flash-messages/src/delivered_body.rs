//! The response body that completes a page's delivery when it was written to the network.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures::task::AtomicWaker;
use http::{Request, Response, Version, header};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::{
    deletion::PageDelivery,
    listener::{Connection, PendingParts},
};

pin_project_lite::pin_project! {
    /// The body of a page with messages. They count as shown when its last byte was written.
    pub(crate) struct DeliveredBody {
        #[pin]
        inner: Body,
        page: Option<PageDelivery>,
        detection: Detection,
    }
}

/// The way in which the body detects that it was written.
enum Detection {
    /// A connection of a [`FlashListener`](crate::FlashListener) reports it. HTTP/1 flushes after the
    /// last part. HTTP/2 drops the token of each part, so `parts` is not `None`.
    Connection {
        connection: Connection,
        parts: Option<PendingParts>,
    },
    /// hyper drops each part after it has written it. The body waits for that before its end.
    Drops(WatchedParts),
    /// The request came without a network, as in a test of an app. The body counts as written at its
    /// end: the test may keep the parts.
    End,
}

/// The way on which a request came.
pub(crate) struct Transport {
    /// It is `None` if no [`FlashListener`](crate::FlashListener) accepted the connection.
    connection: Option<Connection>,
    version: Version,
    is_network: bool,
}

impl Transport {
    /// Returns the transport of a request. A request from a network names its host (RFC 9112, 3.2; RFC
    /// 9113, 8.3.1). A request that a test creates rarely does.
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
    /// Wraps the body of a page with messages.
    pub fn wrap(
        mut response: Response<Body>,
        page: PageDelivery,
        transport: Transport,
    ) -> Response<Body> {
        let detection = match transport.connection {
            Some(connection) => Detection::Connection {
                connection,
                parts: (transport.version == Version::HTTP_2).then(PendingParts::default),
            },
            None if !transport.is_network => Detection::End,
            None => {
                // If hyper knows the length, it drops the body before it polls its end.
                response.headers_mut().remove(header::CONTENT_LENGTH);
                Detection::Drops(WatchedParts::default())
            }
        };
        response.map(|inner| {
            Body::new(Self {
                inner,
                page: Some(page),
                detection,
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
        match this.detection {
            Detection::Connection { connection, parts } => {
                let frame = ready!(this.inner.as_mut().poll_frame(cx));
                let frame = match (frame, &parts) {
                    (Some(Ok(frame)), Some(parts)) => Some(Ok(
                        frame.map_data(|data| with_token(data, parts, connection))
                    )),
                    (frame, _) => frame,
                };
                if has_ended(&frame, &this.inner)
                    && let Some(page) = this.page.take()
                {
                    connection.complete_later(page, parts.clone().unwrap_or_default());
                }
                Poll::Ready(frame)
            }
            Detection::Drops(watched) => watched.poll_frame(this.inner, this.page, cx),
            Detection::End => {
                let frame = ready!(this.inner.as_mut().poll_frame(cx));
                if has_ended(&frame, &this.inner)
                    && let Some(page) = this.page.take()
                {
                    page.complete();
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.detection {
            Detection::Connection { .. } | Detection::End => self.inner.is_end_stream(),
            Detection::Drops(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.detection {
            Detection::Connection { .. } | Detection::End => self.inner.size_hint(),
            Detection::Drops(_) => SizeHint::default(),
        }
    }
}

/// Returns whether a frame is the last one, and no error.
fn has_ended<T, E>(frame: &Option<Result<T, E>>, body: &Body) -> bool {
    match frame {
        None => true,
        Some(Ok(_)) => http_body::Body::is_end_stream(body),
        Some(Err(_)) => false,
    }
}

/// h2 copies parts of up to this length (`CHAIN_THRESHOLD` in `h2::codec::framed_write`) and drops them
/// before it writes them. They need no token, because h2 writes all parts in order.
const MAX_COPIED: usize = 256;

/// Returns a part that owns a token, unless h2 copies it.
fn with_token(data: Bytes, parts: &PendingParts, connection: &Connection) -> Bytes {
    if data.len() <= MAX_COPIED {
        return data;
    }
    let _token = parts.token(connection);
    Bytes::from_owner(Owned { data, _token })
}

/// Bytes that own a token, so that both are dropped together.
struct Owned<T> {
    data: Bytes,
    _token: T,
}

impl<T> AsRef<[u8]> for Owned<T> {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

/// The parts of a body that hyper has not dropped yet.
#[derive(Default)]
struct WatchedParts {
    alive: Arc<Alive>,
    /// The rest of a large part, whose beginning was sent alone.
    rest: Option<Bytes>,
    /// Whether a part was alive when the body was polled again. If so, hyper does not copy the parts.
    seen_alive: bool,
    at_end: bool,
    polled_at_end: bool,
    stall: Option<Stall>,
}

/// The end of a body waits this long while no part is dropped. A slow reader needs less; after a lease, other
/// pages may show the messages anyway. A middleware around the layer that collects the body keeps all
/// parts, and would wait for ever.
const MAX_STALL: Duration = Duration::from_secs(15);

/// The time since which no part was dropped.
struct Stall {
    alive: usize,
    ends: Pin<Box<Sleep>>,
}

/// The number of parts that are not dropped. The last drop wakes the body.
#[derive(Default)]
struct Alive {
    count: AtomicUsize,
    waker: AtomicWaker,
}

/// The token of a part. Its drop counts down.
struct AliveToken(Arc<Alive>);

impl Drop for AliveToken {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.waker.wake();
        }
    }
}

/// A part that is longer than this is split. hyper would not poll the body again while it writes such a
/// part (`MAX_BUF_LIST_BUFFERS` and `max_buf_size`).
const MAX_UNSPLIT: usize = 64 * 1024;

/// The length of the beginning of a split part.
const BEGINNING: usize = 1024;

impl WatchedParts {
    fn poll_frame(
        &mut self,
        mut inner: Pin<&mut Body>,
        page: &mut Option<PageDelivery>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        use http_body::Body as _;

        self.seen_alive |= self.alive.count.load(Ordering::Acquire) > 0;
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(self.own(rest)))));
        }
        if !self.at_end {
            match ready!(inner.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let frame = frame.map_data(|mut data| {
                        if data.len() > MAX_UNSPLIT {
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
        self.alive.waker.register(cx.waker());
        let alive = self.alive.count.load(Ordering::Acquire);
        if alive > 0 {
            ready!(self.poll_stall(alive, cx));
            // It is not known whether the page arrives, so its messages wait again.
            tracing::warn!(
                "a page with flash messages was not written for {MAX_STALL:?}; the next page shows them again. If a \
                 middleware collects pages, put it inside FlashLayer, so add it before"
            );
            *page = None;
            return Poll::Ready(None);
        }
        // If hyper copies the parts, their drops say nothing. But hyper flushes if a body is pending,
        // so the body is pending once more.
        if !self.seen_alive && !std::mem::replace(&mut self.polled_at_end, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(page) = page.take() {
            page.complete();
        }
        Poll::Ready(None)
    }

    /// Is ready when no part was dropped for a while.
    fn poll_stall(&mut self, alive: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.stall.as_ref().is_none_or(|stall| stall.alive != alive) {
            let ends = Box::pin(sleep(MAX_STALL));
            self.stall = Some(Stall { alive, ends });
        }
        let stall = self.stall.as_mut().map(|stall| stall.ends.as_mut());
        stall.map_or(Poll::Ready(()), |ends| ends.poll(cx))
    }

    /// Returns a part that counts as alive until it is dropped.
    fn own(&self, data: Bytes) -> Bytes {
        self.alive.count.fetch_add(1, Ordering::AcqRel);
        let _token = AliveToken(self.alive.clone());
        Bytes::from_owner(Owned { data, _token })
    }
}
