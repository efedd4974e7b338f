//! A listener that knows when a response was flushed to the network.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready as ready_or_pending},
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    serve::{IncomingStream, Listener, ListenerExt, TapIo},
};
use http::Request;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tower::Service;

use crate::clerk::HandOver;

/// A listener that tells [`FlashLayer`](crate::FlashLayer) when a page was written to the network, so
/// that its messages are deleted then and not before.
///
/// Without it, with a plain `axum::serve(listener, app)`, the layer finds out by itself, less exactly
/// and at a price: it wraps each part of a page, and the page loses its `Content-Length`.
///
/// ```no_run
/// # async fn example(app: axum::Router) -> std::io::Result<()> {
/// use flash_messages::{FlashListener, with_connection};
/// use tokio::net::TcpListener;
///
/// let listener = FlashListener::new(TcpListener::bind("127.0.0.1:3000").await?);
/// axum::serve(listener, with_connection(app)).await
/// # }
/// ```
#[derive(Debug)]
pub struct FlashListener<L>(L);

/// A TCP listener with [`FlashListener::new`]'s options.
pub type TunedTcpListener = TapIo<TcpListener, fn(&mut TcpStream)>;

impl FlashListener<TunedTcpListener> {
    /// Wraps a TCP listener. Its connections get `TCP_NODELAY`, and on Linux `TCP_NOTSENT_LOWAT` of
    /// 16 KiB: the kernel takes some megabytes otherwise, whether or not the client reads them.
    pub fn new(listener: TcpListener) -> Self {
        Self(listener.tap_io(tune as fn(&mut TcpStream)))
    }
}

impl<L> FlashListener<L> {
    /// Wraps another listener, one with TLS say. Its connections keep their options.
    pub fn wrap(listener: L) -> Self {
        Self(listener)
    }
}

fn tune(stream: &mut TcpStream) {
    // Without them pages are slower, or reported too early to slow readers.
    _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        _ = socket2::SockRef::from(&*stream).set_tcp_notsent_lowat(16 * 1024);
    }
}

impl<L: Listener> Listener for FlashListener<L> {
    type Io = FlashIo<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (io, address) = self.0.accept().await;
        let connection = Connection::default();
        (FlashIo { io, connection }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// A connection of a [`FlashListener`].
#[derive(Debug)]
pub struct FlashIo<T> {
    io: T,
    connection: Connection,
}

impl<T: AsyncRead + Unpin> AsyncRead for FlashIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let done = ready_or_pending!(Pin::new(&mut self.io).poll_read(cx, buffer));
        self.connection.0.reads.store(true, Ordering::Release);
        Poll::Ready(done)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FlashIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.connection.0.reads.store(false, Ordering::Release);
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connection.0.reads.store(false, Ordering::Release);
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper 1 and h2 0.4 call it only when their own buffers are empty (`Buffered::poll_flush`,
    /// `FramedWrite::flush`).
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection.0.reads.store(false, Ordering::Release);
        ready_or_pending!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.connection.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<T> Drop for FlashIo<T> {
    fn drop(&mut self) {
        self.connection.close();
    }
}

/// What a connection still has to hand over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// None: the connection is closed.
    waiting: Mutex<Waiting>,
    /// Whether the last thing that happened to the connection was a read.
    reads: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    closed: bool,
    pages: Vec<(HandOver, Written)>,
}

impl Connection {
    /// Hands a page over at the next flush after all of it was written.
    pub fn hand_over(&self, page: HandOver, written: Written) {
        let mut waiting = self.waiting();
        // Dropped, its messages wait again.
        if !waiting.closed {
            waiting.pages.push((page, written));
        }
    }

    fn flushed(&self) {
        let mut waiting = self.waiting();
        if waiting.pages.is_empty() {
            return;
        }
        let (flushed, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut waiting.pages)
            .into_iter()
            .partition(|(_, written)| written.is_complete());
        waiting.pages = rest;
        drop(waiting);
        for (page, written) in flushed {
            if !written.is_lost() {
                page.done();
            }
        }
    }

    fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        let pages = std::mem::take(&mut waiting.pages);
        drop(waiting);
        drop(pages);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which parts of a page are not written yet. Each part owns a [`Token`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    waiting: AtomicUsize,
    lost: AtomicBool,
}

impl Written {
    pub fn token(&self, connection: &Connection) -> Token {
        self.0.waiting.fetch_add(1, Ordering::AcqRel);
        Token {
            parts: self.0.clone(),
            connection: connection.clone(),
        }
    }

    fn is_complete(&self) -> bool {
        self.0.waiting.load(Ordering::Acquire) == 0
    }

    fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }
}

/// Lives as long as a part of a page that waits to be written to an HTTP/2 connection.
pub(crate) struct Token {
    parts: Arc<Parts>,
    connection: Connection,
}

impl Drop for Token {
    fn drop(&mut self) {
        // h2 drops a part after it was written, or right after it has read that the client resets
        // the stream (RFC 9113, 6.4).
        if self.connection.0.reads.load(Ordering::Acquire) || self.connection.waiting().closed {
            self.parts.lost.store(true, Ordering::Release);
        }
        self.parts.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Makes a router serve the connections of a [`FlashListener`]. Handlers get
/// [`ConnectInfo`] with the address of the peer too.
pub fn with_connection(app: Router) -> MakeWithConnection {
    MakeWithConnection(app)
}

/// Made by [`with_connection`], for `axum::serve`.
#[derive(Clone, Debug)]
pub struct MakeWithConnection(Router);

impl<L> Service<IncomingStream<'_, FlashListener<L>>> for MakeWithConnection
where
    L: Listener,
    L::Addr: Clone + Sync + 'static,
{
    type Response = WithConnection<L::Addr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, stream: IncomingStream<'_, FlashListener<L>>) -> Self::Future {
        ready(Ok(WithConnection {
            app: self.0.clone(),
            connection: stream.io().connection.clone(),
            address: ConnectInfo(stream.remote_addr().clone()),
        }))
    }
}

/// Answers the requests of one connection.
#[derive(Clone, Debug)]
pub struct WithConnection<A> {
    app: Router,
    connection: Connection,
    address: ConnectInfo<A>,
}

impl<A: Clone + Send + Sync + 'static> Service<Request<Body>> for WithConnection<A> {
    type Response = <Router as Service<Request<Body>>>::Response;
    type Error = Infallible;
    type Future = <Router as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Body>>::poll_ready(&mut self.app, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.extensions_mut().insert(self.connection.clone());
        request.extensions_mut().insert(self.address.clone());
        self.app.call(request)
    }
}
