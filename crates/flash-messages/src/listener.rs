//! The listener whose connections report when a page was written to the network.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    future::{Future, Ready, pending, ready},
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready as ready_or_pending},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    serve::{IncomingStream, Listener},
};
use http::Request;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};
use tower::Service;

use crate::deletion::PageDelivery;

/// A listener that tells [`FlashLayer`](crate::FlashLayer) when a page was written to the network. The
/// layer deletes the page's messages then, and not before.
///
/// With a plain `axum::serve(listener, app)`, the layer finds out by itself, but less exactly. It must
/// also wrap each part of a page, and remove the page's `Content-Length`.
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

impl FlashListener<TunedTcpListener> {
    /// Wraps a TCP listener. It sets `TCP_NODELAY` on its connections, and on Linux `TCP_NOTSENT_LOWAT`
    /// to 16 KiB. Otherwise the kernel accepts some megabytes even if the client doesn't read them.
    pub fn new(listener: TcpListener) -> Self {
        Self(TunedTcpListener {
            listener: Some(listener),
            waiting: VecDeque::new(),
            stop: Box::pin(pending()),
        })
    }

    /// Closes the port when `stop` completes. Clients that have connected by then are served.
    ///
    /// Give `with_graceful_shutdown` a future that completes [`DRAIN_TIME`] later: axum closes the
    /// connections then from which no request has come yet.
    pub fn until(mut self, stop: impl Future<Output = ()> + Send + 'static) -> Self {
        self.0.stop = Box::pin(stop);
        self
    }
}

/// A client that has connected sends its request within this time.
pub const DRAIN_TIME: Duration = Duration::from_millis(250);

impl<L> FlashListener<L> {
    /// Wraps any other listener, such as one with TLS. Its connections keep their options.
    pub fn wrap(listener: L) -> Self {
        Self(listener)
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

/// A TCP listener whose connections have the options of [`FlashListener::new`].
pub struct TunedTcpListener {
    /// It is `None` when the port is closed.
    listener: Option<TcpListener>,
    /// The clients that had connected when the port was closed.
    waiting: VecDeque<(TcpStream, SocketAddr)>,
    stop: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Listener for TunedTcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        if let Some(listener) = &mut self.listener {
            tokio::select! {
                biased;
                () = &mut self.stop => {}
                (stream, address) = Listener::accept(listener) => {
                    set_options(&stream);
                    return (stream, address);
                }
            }
        }
        if let Some(listener) = self.listener.take() {
            self.waiting = close(listener);
        }
        match self.waiting.pop_front() {
            Some(client) => client,
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        let closed = || io::Error::from(io::ErrorKind::NotConnected);
        self.listener.as_ref().ok_or_else(closed)?.local_addr()
    }
}

/// Closes the port. Returns the clients that have connected: the kernel resets those that nobody accepts.
fn close(listener: TcpListener) -> VecDeque<(TcpStream, SocketAddr)> {
    let mut waiting = VecDeque::new();
    // The runtime may not know of the last ones yet.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, address)) = listener.accept() {
            let stream = (stream.set_nonblocking(true)).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                set_options(&stream);
                waiting.push_back((stream, address));
            }
        }
    }
    waiting
}

fn set_options(stream: &TcpStream) {
    // Errors are ignored: without the options, pages are slower, or count too early as written.
    _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(16 * 1024);
    }
}

impl fmt::Debug for TunedTcpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TunedTcpListener")
            .field(&self.listener)
            .finish()
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
        self.connection
            .0
            .last_was_read
            .store(true, Ordering::Release);
        Poll::Ready(done)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for FlashIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.connection
            .0
            .last_was_read
            .store(false, Ordering::Release);
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connection
            .0
            .last_was_read
            .store(false, Ordering::Release);
        Pin::new(&mut self.io).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    /// hyper 1 and h2 0.4 call this only if their own buffers are empty (`Buffered::poll_flush`,
    /// `FramedWrite::flush`). So everything before it is written to the network.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.connection
            .0
            .last_was_read
            .store(false, Ordering::Release);
        ready_or_pending!(Pin::new(&mut self.io).poll_flush(cx))?;
        self.connection.complete_written();
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

/// The pages of a connection that are not written yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection(Arc<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Mutex<Waiting>,
    /// Whether the last operation on the connection was a read.
    last_was_read: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    closed: bool,
    pages: Vec<(PageDelivery, PendingParts)>,
}

impl Connection {
    /// Completes the delivery of a page at the first flush after all its parts are written. If the
    /// connection is closed, the delivery is dropped, so the messages wait again.
    pub fn complete_later(&self, page: PageDelivery, parts: PendingParts) {
        let mut waiting = self.waiting();
        if !waiting.closed {
            waiting.pages.push((page, parts));
        }
    }

    /// Completes the deliveries of all pages that are written.
    fn complete_written(&self) {
        let mut waiting = self.waiting();
        if waiting.pages.is_empty() {
            return;
        }
        let (written, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut waiting.pages)
            .into_iter()
            .partition(|(_, parts)| parts.is_empty());
        waiting.pages = rest;
        drop(waiting);
        for (page, parts) in written {
            if !parts.is_lost() {
                page.complete();
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

/// The parts of a page that are not written yet. Each of them owns a [`PartToken`].
#[derive(Clone, Debug, Default)]
pub(crate) struct PendingParts(Arc<Parts>);

#[derive(Debug, Default)]
struct Parts {
    pending: AtomicUsize,
    lost: AtomicBool,
}

impl PendingParts {
    /// Returns a token for one more part.
    pub fn token(&self, connection: &Connection) -> PartToken {
        self.0.pending.fetch_add(1, Ordering::AcqRel);
        PartToken {
            parts: self.0.clone(),
            connection: connection.clone(),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.pending.load(Ordering::Acquire) == 0
    }

    /// Returns whether a part was dropped without being written.
    fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }
}

/// The token of a part that waits to be written to an HTTP/2 connection. h2 drops both together.
pub(crate) struct PartToken {
    parts: Arc<Parts>,
    connection: Connection,
}

impl Drop for PartToken {
    fn drop(&mut self) {
        // h2 drops a part after it has written it. It also drops it right after it has read that the
        // client resets the stream (RFC 9113, 6.4): then the part is lost.
        if self.connection.0.last_was_read.load(Ordering::Acquire)
            || self.connection.waiting().closed
        {
            self.parts.lost.store(true, Ordering::Release);
        }
        self.parts.pending.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Makes a router serve the connections of a [`FlashListener`]. Handlers may also extract
/// [`ConnectInfo`] with the client's address. [`FlashListener`] has an example.
pub fn with_connection(app: Router) -> MakeWithConnection {
    MakeWithConnection(app)
}

/// The value that [`with_connection`] returns, for `axum::serve`.
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

/// The service for the requests of one connection.
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
