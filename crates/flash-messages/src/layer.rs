//! The layer: takes the messages of a session before a page is rendered.

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
use pg_sessions::{Visit, is_page_load, is_speculative};
use tower::{Layer, Service};
use tower_sessions::Session;

use crate::{
    clerk::Clerk,
    delivered_body::Origin,
    error::FlashError,
    flash::{Carried, Flash},
    request::{Kind, notes},
    settle::Holding,
    store::MessageStore,
};

/// Takes the messages of a session before a page is rendered, and sees to it that they are deleted
/// when the page was handed over and wait again when it was not.
///
/// It goes around the routes and inside the session layer; a compression layer goes inside
/// it. The last `.layer` is the outermost:
///
/// ```no_run
/// use std::time::Duration;
///
/// use axum::Router;
/// use flash_messages::{
///     FlashLayer, FlashListener, FlashStore, PostgresSessionStore, SessionLayer, purge_every,
///     with_connection,
/// };
/// use tokio::net::TcpListener;
/// use tower_sessions::cookie::{Cookie, Key};
///
/// # async fn example(pool: sqlx::PgPool, routes: Router, key: Key) -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = PostgresSessionStore::new(pool);
/// sessions.migrate().await?;
/// let messages = FlashStore::new(&sessions);
/// messages.migrate().await?;
/// // Deletes what expired; without it expired rows stay for ever.
/// tokio::spawn(purge_every(Duration::from_secs(15 * 60), messages.clone(), sessions.clone()));
///
/// let cookie = Cookie::build("sessionId").path("/").http_only(true).secure(true).build();
/// let flash = FlashLayer::new(messages);
/// let app: Router = routes
///     .layer(flash.clone())
///     .layer(SessionLayer::new(sessions, cookie).with_secrets([key]));
/// let listener = FlashListener::new(TcpListener::bind("127.0.0.1:3000").await?);
/// axum::serve(listener, with_connection(app)).await?;
/// // After a graceful shutdown; without it the last messages are shown again.
/// flash.flush().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FlashLayer(Arc<Shared>);

/// Behind one pointer: every request copies the layer.
#[derive(Clone)]
struct Shared {
    store: Arc<dyn MessageStore>,
    clerk: Clerk,
    take_timeout: Duration,
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
    /// A layer for the messages of `store`. It starts a task that deletes what was shown.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(store: impl MessageStore + 'static) -> Self {
        let store: Arc<dyn MessageStore> = Arc::new(store);
        Self(Arc::new(Shared {
            clerk: Clerk::spawn(store.clone()),
            store,
            take_timeout: Duration::from_secs(2),
            is_page_load: Arc::new(is_page_load),
            complained: Arc::default(),
        }))
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

    /// Waits until all that was shown so far is deleted, or could not be. Call it after a graceful shutdown:
    /// otherwise messages of the last 10 ms are shown again when their lease runs out.
    pub async fn flush(&self) {
        self.0.clerk.flush().await;
    }

    /// Says once what is wrong with the layers.
    fn complain(&self, error: &FlashError) {
        if !self.0.complained.swap(true, Ordering::Relaxed) {
            tracing::error!("{error}");
        }
    }
}

impl<S> Layer<S> for FlashLayer {
    type Service = FlashService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        FlashService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`FlashLayer`] makes.
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
            if request.extensions().get::<Flash>().is_some() {
                layer.complain(&FlashError::LayerTwice);
                return Ok(inner.call(request).await?.map(Body::new));
            }
            let kind = Kind::of(&request, &*layer.0.is_page_load);
            let visit = layer.visit_of(&request);
            if let (Kind::Call { .. } | Kind::Take, Some(visit)) = (kind, &visit)
                && !is_speculative(request.headers())
            {
                visit.count_as_use();
            }
            let session = visit
                .as_ref()
                .and(request.extensions().get::<Session>().cloned());
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
    /// Returns the visit of a request, if its session is one that our statements find.
    fn visit_of<B>(&self, request: &Request<B>) -> Option<Visit> {
        let Some(visit) = request.extensions().get::<Visit>() else {
            self.complain(&FlashError::MissingSession);
            return None;
        };
        if visit.sessions().name() != self.0.store.sessions() {
            self.complain(&FlashError::OtherSessions);
            return None;
        }
        Some(visit.clone())
    }

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
        let Some(id) = session.as_ref().and_then(Session::id) else {
            return;
        };
        if !matches!(kind, Kind::PageLoad | Kind::Take) {
            return;
        }
        let taking = self.0.store.take(id, notes.clone());
        match tokio::time::timeout(self.0.take_timeout, taking).await {
            Ok(Ok(taken)) => {
                if let (Some(visit), true) = (visit, taken.is_due) {
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
