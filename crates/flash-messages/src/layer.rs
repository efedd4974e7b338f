//! The layer: takes the messages of a session before a page is rendered. And what runs beside it.

use std::{
    fmt,
    future::{Future, IntoFuture},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError, Json, Router,
    body::{Body, Bytes, HttpBody},
    response::IntoResponse,
};
use http::{HeaderMap, Method, Request, Response};
use pg_sessions::{SessionLayer, SessionService, Visit, is_page_load, is_speculative};
use tokio::net::TcpListener;
use tower::{Layer, Service};
use tower_sessions::{
    Session,
    cookie::{Cookie, Key},
};

use crate::{
    clerk::Clerk,
    delivered_body::Origin,
    flash::{Carried, Flash},
    listener::{FlashListener, with_connection},
    purge::purge_every,
    request::{Kind, notes},
    settle::Holding,
    store::MessageStore,
};

/// Lends each request its session, takes the messages of the session before a page is rendered, and
/// sees to it that they are deleted when the page was handed over and wait again when it was not.
///
/// It goes around the routes; a compression layer goes inside it. There is a [`SessionLayer`] in it, so
/// handlers get a `tower_sessions::Session` too.
///
/// ```no_run
/// use axum::Router;
/// use flash_messages::{
///     FlashLayer, FlashStore, PostgresSessionStore,
///     cookie::{Cookie, Key},
/// };
/// use tokio::net::TcpListener;
///
/// # async fn example(pool: sqlx::PgPool, routes: Router, key: Key) -> Result<(), Box<dyn std::error::Error>> {
/// let messages = FlashStore::new(PostgresSessionStore::new(pool));
/// messages.migrate().await?;
///
/// let cookie = Cookie::build("sessionId").path("/").http_only(true).secure(true).build();
/// let flash = FlashLayer::new(messages, cookie).with_secrets([key]);
/// let app = routes.layer(flash.clone());
/// let stop = async { _ = tokio::signal::ctrl_c().await };
/// flash.serve(TcpListener::bind("127.0.0.1:3000").await?, app, stop).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FlashLayer(Arc<Shared>);

/// Behind one pointer: every request copies the layer.
#[derive(Clone)]
struct Shared {
    sessions: SessionLayer,
    store: Arc<dyn MessageStore>,
    clerk: Clerk,
    take_timeout: Duration,
    purge_period: Duration,
    is_page_load: Arc<PageLoadRule>,
    complained: Arc<AtomicBool>,
}

type PageLoadRule = dyn Fn(&Method, &HeaderMap) -> bool + Send + Sync;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl FlashLayer {
    /// The messages of `store`, and its sessions with a cookie of this name and these attributes; the
    /// cookie's value doesn't matter. Without a `Max-Age` the cookie ends with the browser, and a session
    /// after 14 days.
    pub fn new(store: impl MessageStore + 'static, cookie: Cookie<'static>) -> Self {
        let store: Arc<dyn MessageStore> = Arc::new(store);
        Self(Arc::new(Shared {
            sessions: SessionLayer::shared(store.sessions(), cookie),
            clerk: Clerk::new(store.clone()),
            store,
            take_timeout: Duration::from_secs(2),
            purge_period: Duration::from_secs(15 * 60),
            is_page_load: Arc::new(is_page_load),
            complained: Arc::default(),
        }))
    }

    /// Signs the cookie. The first secret signs, all verify. Default: the cookie is the bare id, and
    /// each id that somebody makes up costs a statement.
    pub fn with_secrets(mut self, secrets: impl Into<Vec<Key>>) -> Self {
        let shared = Arc::make_mut(&mut self.0);
        shared.sessions = shared.sessions.clone().with_secrets(secrets);
        self
    }

    /// How often [`serve`](Self::serve) and [`run`](Self::run) delete what has expired. Default: every 15
    /// minutes.
    pub fn with_purge_period(mut self, period: Duration) -> Self {
        Arc::make_mut(&mut self.0).purge_period = period;
        self
    }

    /// How long a page waits for its messages before it is rendered without. Default: 2 seconds.
    /// Messages that come later wait for the next page.
    pub fn with_take_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.0).take_timeout = timeout;
        self
    }

    /// Decides which requests load a page that a person is about to see, for clients that the rule
    /// [`is_page_load`] gets wrong. Default: that rule.
    ///
    /// ```
    /// # use flash_messages::{FlashLayer, is_page_load};
    /// # fn example(layer: FlashLayer) -> FlashLayer {
    /// // An app that shows its pages in frames:
    /// layer.with_page_load(|method, headers| {
    ///     let in_frame = headers.get("sec-fetch-dest").is_some_and(|dest| dest == "iframe");
    ///     in_frame || is_page_load(method, headers)
    /// })
    /// # }
    /// ```
    pub fn with_page_load(
        mut self,
        rule: impl Fn(&Method, &HeaderMap) -> bool + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.0).is_page_load = Arc::new(rule);
        self
    }

    /// Serves `app` until `stop` is done and the requests under way have finished. Meanwhile it deletes
    /// what has expired, and at the end what was shown.
    ///
    /// The connections report when a page was written to the network, see [`FlashListener`].
    ///
    /// # Errors
    /// As `axum::serve`.
    pub async fn serve(
        &self,
        listener: TcpListener,
        app: Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let server = axum::serve(FlashListener::new(listener), with_connection(app));
        self.run(server.with_graceful_shutdown(stop).into_future())
            .await
    }

    /// Runs a server of your own, and returns what it returns. Meanwhile it deletes what has expired, and
    /// at the end what was shown.
    pub async fn run<T>(&self, server: impl Future<Output = T>) -> T {
        let Shared {
            store,
            purge_period,
            ..
        } = &*self.0;
        let ended = tokio::select! {
            ended = server => ended,
            never = purge_every(*purge_period, &**store) => match never {},
        };
        self.flush().await;
        ended
    }

    /// Waits until all that was shown so far is deleted, or could not be. For who neither calls
    /// [`serve`](Self::serve) nor [`run`](Self::run): after a shutdown without it, messages of the last 10
    /// ms are shown again when their lease runs out.
    pub async fn flush(&self) {
        self.0.clerk.flush().await;
    }
}

impl<S> Layer<S> for FlashLayer {
    type Service = SessionService<FlashService<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        let layer = self.clone();
        self.0.sessions.layer(FlashService { inner, layer })
    }
}

/// The service that [`FlashLayer`] makes, inside its sessions'.
#[derive(Clone, Debug)]
pub struct FlashService<S> {
    inner: S,
    layer: FlashLayer,
}

impl<S, B, R> Service<Request<B>> for FlashService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let clone = self.inner.clone();
        // The one that is ready is called, see the tower::Service documentation.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let parts = request.extensions();
            let (Some(session), Some(visit)) = (parts.get::<Session>(), parts.get::<Visit>())
            else {
                // The sessions' service is around this one, and adds both.
                return Ok(inner.call(request).await?.map(Body::new));
            };
            if parts.get::<Flash>().is_some() {
                if !layer.0.complained.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "FlashLayer is there twice. The outer one counts; remove the inner one."
                    );
                }
                return Ok(inner.call(request).await?.map(Body::new));
            }
            let (session, visit) = (session.clone(), visit.clone());
            let kind = Kind::of(&request, &*layer.0.is_page_load);
            if let Kind::Call { .. } | Kind::Take = kind
                && !is_speculative(request.headers())
            {
                visit.count_as_use();
            }
            let origin = Origin::of(&request);
            let flash = Flash::new(
                layer.0.store.clone(),
                session,
                visit,
                kind,
                notes(request.headers()),
            );
            // What this request still holds when its future is dropped goes back.
            let holding = Holding {
                flash: flash.clone(),
                clerk: layer.0.clerk.clone(),
            };

            layer.take(&flash).await;
            let mut response = if kind == Kind::Take {
                Json(flash.take()).into_response()
            } else {
                request.extensions_mut().insert(flash.clone());
                inner.call(request).await?.map(Body::new)
            };
            // For tests of handlers, see the module `testing`.
            response.extensions_mut().insert(flash);
            Ok(holding.settle(response, origin).await)
        })
    }
}

impl FlashLayer {
    /// Fills `flash` for a request that shows messages. Without the database the page goes on
    /// without messages.
    async fn take(&self, flash: &Flash) {
        let Carried {
            session,
            visit,
            kind,
            notes,
            ..
        } = &*flash.0;
        let Some(id) = session.id() else {
            return;
        };
        if !matches!(kind, Kind::PageLoad | Kind::Take) {
            return;
        }
        let taking = self.0.store.take(id, notes.clone());
        match tokio::time::timeout(self.0.take_timeout, taking).await {
            Ok(Ok(taken)) => {
                if taken.needs_touch {
                    visit.touch();
                }
                flash.fill(taken.messages, taken.lease);
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a page goes without its flash messages");
            }
            Err(_) => {
                tracing::warn!("a page goes without its flash messages: the database is slow");
            }
        }
    }
}
