//! The layer that reads the cookie, gives the request its session, and writes the cookie.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
};
use http::{Request, Response, StatusCode, header};
use tower::{Layer, Service};
use tower_sessions::cookie::{Cookie, Key};

use crate::{
    caching::set_no_store,
    cookie::SessionCookie,
    request::counts_as_use,
    sessions::Sessions,
    visit::{CookieAction, Visit},
};

/// Gives each request a [`tower_sessions::Session`] and a [`Visit`]. It replaces tower-sessions'
/// `SessionManagerLayer`, and differs from it as follows:
///
/// - One [`Cookie`] has the name and the attributes. The layer sets and removes the cookie with them.
///   Its `Max-Age` is the age at which a session ends.
/// - The cookie may have several secrets. The first one signs, all of them verify. The layer signs a
///   cookie again if an old secret signed it, so a new secret logs nobody out.
/// - A late response never overwrites a newer cookie. Only a request that stored its session sets the
///   cookie, and only a request that ended its session removes it.
/// - Cookies of other apps may be something else than UTF-8.
/// - If two such layers with the same store are around a route, the outer one counts.
///
/// ```no_run
/// # use axum::Router;
/// # use pg_sessions::{PostgresSessionStore, SessionLayer};
/// use tower_sessions::cookie::{Cookie, Key, SameSite, time::Duration};
///
/// # fn example(pages: Router, store: PostgresSessionStore, new: Key, old: Key) {
/// let cookie = Cookie::build("sessionId").path("/").http_only(true).secure(true)
///     .same_site(SameSite::Lax).max_age(Duration::days(30)).build();
/// let app: Router = pages.layer(SessionLayer::new(store, cookie).with_secrets([new, old]));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SessionLayer(Arc<Shared>);

#[derive(Clone, Debug)]
struct Shared {
    store: Arc<dyn Sessions>,
    cookie: SessionCookie,
}

impl SessionLayer {
    /// Creates a layer for the sessions of `store`, with the cookie's name and attributes. The cookie's
    /// value is not used. Without a `Max-Age`, the cookie ends with the browser, and a session ends 14
    /// days after its last change.
    pub fn new(store: impl Sessions + 'static, cookie: Cookie<'static>) -> Self {
        Self::shared(Arc::new(store), cookie)
    }

    /// Creates a layer as [`new`](Self::new) does, for a store that is shared already.
    pub fn shared(store: Arc<dyn Sessions>, cookie: Cookie<'static>) -> Self {
        Self(Arc::new(Shared {
            store,
            cookie: SessionCookie {
                template: cookie,
                secrets: Vec::new(),
            },
        }))
    }

    /// Signs the cookie. The first secret signs, all of them verify. To replace a secret, put the new one
    /// before it. Default: no secret. The cookie is then the bare id, and each invented id costs a
    /// statement.
    pub fn with_secrets(mut self, secrets: impl Into<Vec<Key>>) -> Self {
        Arc::make_mut(&mut self.0).cookie.secrets = secrets.into();
        self
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService {
            inner,
            shared: self.0.clone(),
        }
    }
}

/// The service of a [`SessionLayer`].
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B, R> Service<Request<B>> for SessionService<S>
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
        let shared = self.shared.clone();
        let clone = self.inner.clone();
        // Calls the service that is ready, not its clone: see `tower::Service`.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let known = request.extensions().get::<Visit>();
        if known.is_some_and(|visit| visit.sessions().name() == shared.store.name()) {
            return Box::pin(async move { Ok(inner.call(request).await?.map(Body::new)) });
        }
        Box::pin(async move {
            let cookie = shared.cookie.read(request.headers());
            let id = cookie.map(|(id, _)| id);
            let counts_as_use = counts_as_use(request.method(), request.headers());
            let expiry = shared.cookie.expiry();
            let (visit, session) = Visit::begin(shared.store.clone(), id, expiry, counts_as_use);
            let visit = FinishOnDrop(visit);
            request.extensions_mut().insert(session.clone());
            request.extensions_mut().insert(visit.0.clone());
            let mut response = inner.call(request).await?.map(Body::new);
            let line = match visit.0.settle(&session, response.status()).await {
                Ok(CookieAction::Set(id)) => shared.cookie.set(id),
                Ok(CookieAction::Remove) => shared.cookie.removal(),
                Ok(CookieAction::Keep) => cookie
                    .filter(|(_, is_old)| *is_old && !visit.0.is_over())
                    .and_then(|(id, _)| shared.cookie.set(id)),
                Err(error) => {
                    tracing::error!("a session could not be saved: {error}");
                    response = Response::default();
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    None
                }
            };
            if let Some(line) = line {
                response.headers_mut().append(header::SET_COOKIE, line);
                set_no_store(response.headers_mut());
            }
            Ok(response)
        })
    }
}

/// Finishes the visit with the request, also if the request's future is dropped.
struct FinishOnDrop(Visit);

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        self.0.finish();
    }
}
