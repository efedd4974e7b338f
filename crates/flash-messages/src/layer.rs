//! The layer that takes the messages of a session before a page is rendered.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError, Json,
    body::{Body, Bytes, HttpBody},
    response::IntoResponse,
};
use http::{HeaderMap, Method, Request, Response};
use pg_sessions::{
    SessionLayer, SessionService, Visit, caching::set_no_store, is_page_load, is_speculative,
};
use tower::{Layer, Service};
use tower_sessions::{
    Session,
    cookie::{Cookie, Key},
};

use crate::{
    deletion::Deleter,
    delivered_body::Transport,
    flash::{Flash, Inner},
    request::{RequestKind, notes},
    settle::RequestLeases,
    store::MessageStore,
};

/// Gives each request its session and a [`Flash`]. Before a page is rendered, it takes the session's
/// messages. It deletes them when the page was written to the network. Otherwise they wait again.
///
/// Add it after all routes. A compression layer must be inside it, so added before it. It contains a
/// [`SessionLayer`], so handlers also extract a `tower_sessions::Session`.
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
pub struct FlashLayer(pub(crate) Arc<Shared>);

/// It is behind one pointer, because every request clones the layer.
#[derive(Clone)]
pub(crate) struct Shared {
    sessions: SessionLayer,
    pub store: Arc<dyn MessageStore>,
    pub deleter: Deleter,
    take_timeout: Duration,
    pub purge_period: Duration,
    is_page_load: Arc<PageLoadRule>,
    /// Whether the log has a warning about a second layer.
    has_warned: Arc<AtomicBool>,
}

type PageLoadRule = dyn Fn(&Method, &HeaderMap) -> bool + Send + Sync;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl FlashLayer {
    /// Creates a layer for the messages and the sessions of `store`, with the name and the attributes
    /// of the session's cookie. The cookie's value is not used. Without a `Max-Age`, the cookie ends
    /// with the browser, and a session ends 14 days after its last change.
    pub fn new(store: impl MessageStore + 'static, cookie: Cookie<'static>) -> Self {
        let store: Arc<dyn MessageStore> = Arc::new(store);
        Self(Arc::new(Shared {
            sessions: SessionLayer::from_arc(store.sessions(), cookie),
            deleter: Deleter::new(store.clone()),
            store,
            take_timeout: Duration::from_secs(2),
            purge_period: Duration::from_secs(15 * 60),
            is_page_load: Arc::new(is_page_load),
            has_warned: Arc::default(),
        }))
    }

    /// Signs the cookie. The first secret signs, all of them verify. To replace a secret, put the new
    /// one before it. Default: no secret. The cookie is then the bare id, and each invented id costs a
    /// statement.
    pub fn with_secrets(mut self, secrets: impl Into<Vec<Key>>) -> Self {
        let shared = Arc::make_mut(&mut self.0);
        shared.sessions = shared.sessions.clone().with_secrets(secrets);
        self
    }

    /// Sets the mean pause between two deletions of expired messages and sessions, by
    /// [`serve`](Self::serve) and [`run`](Self::run). Default: 15 minutes.
    pub fn with_purge_period(mut self, period: Duration) -> Self {
        Arc::make_mut(&mut self.0).purge_period = period;
        self
    }

    /// Sets the time after which a page is rendered without its messages. Then they wait for the next
    /// page. Default: 2 seconds.
    pub fn with_take_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.0).take_timeout = timeout;
        self
    }

    /// Sets the rule that decides which requests load a page that a person sees at once. Default:
    /// [`is_page_load`].
    ///
    /// ```
    /// # use flash_messages::{FlashLayer, is_page_load};
    /// # fn example(layer: FlashLayer) -> FlashLayer {
    /// // This app shows its pages in frames.
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
}

impl<S> Layer<S> for FlashLayer {
    type Service = SessionService<FlashService<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        let layer = self.clone();
        self.0.sessions.layer(FlashService { inner, layer })
    }
}

/// The service of a [`FlashLayer`]. It is inside a [`SessionService`].
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
        // Calls the service that is ready, not its clone: see `tower::Service`.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let parts = request.extensions();
            let (Some(session), Some(visit)) = (parts.get::<Session>(), parts.get::<Visit>())
            else {
                // Never happens: the SessionService around this one adds both.
                return Ok(inner.call(request).await?.map(Body::new));
            };
            if parts.get::<Flash>().is_some() {
                if !layer.0.has_warned.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "FlashLayer is there twice. The outer one counts; remove the inner one."
                    );
                }
                return Ok(inner.call(request).await?.map(Body::new));
            }
            let (session, visit) = (session.clone(), visit.clone());
            let kind = RequestKind::of(&request, &*layer.0.is_page_load);
            if let RequestKind::Call { .. } | RequestKind::Take = kind
                && !is_speculative(request.headers())
            {
                visit.count_as_use();
            }
            let transport = Transport::of(&request);
            let flash = Flash::new(
                layer.0.store.clone(),
                session,
                visit,
                kind,
                notes(request.headers()),
            );
            // If this future is dropped, the messages wait again.
            let leases = RequestLeases {
                flash: flash.clone(),
                deleter: layer.0.deleter.clone(),
            };

            layer.take(&flash).await;
            let mut response = if kind == RequestKind::Take {
                // It is not the page of this address.
                let mut waiting = Json(flash.take()).into_response();
                set_no_store(waiting.headers_mut());
                waiting
            } else {
                request.extensions_mut().insert(flash.clone());
                inner.call(request).await?.map(Body::new)
            };
            // The module `testing` reads it.
            response.extensions_mut().insert(flash);
            Ok(leases.settle(response, transport).await)
        })
    }
}

impl FlashLayer {
    /// Takes the waiting messages into `flash`, if the request shows messages. If the database fails,
    /// the page has no messages.
    async fn take(&self, flash: &Flash) {
        let Inner {
            session,
            visit,
            kind,
            notes,
            ..
        } = &*flash.0;
        let Some(id) = session.id() else {
            return;
        };
        if !matches!(kind, RequestKind::PageLoad | RequestKind::Take) {
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
