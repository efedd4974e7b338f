//! The session layer: reads the cookie, lends the request its session, writes the cookie once.

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
    caching::never_store,
    cookie::SessionCookie,
    request::is_use,
    sessions::Sessions,
    visit::{Outcome, Visit},
};

/// Lends each request a [`tower_sessions::Session`] and a [`Visit`], in place of tower-sessions'
/// `SessionManagerLayer`.
///
/// - **The cookie is described once**, by a [`Cookie`] with its name and attributes. It is removed
///   with the same attributes. Its `Max-Age` is the age at which a session ends.
/// - **Several secrets.** The first signs, all verify. A cookie that an old one signed is signed
///   again, so a secret is replaced without a logout.
/// - **A late response never overwrites a newer cookie.** Only a request that stored its session sets
///   the cookie, and only one that ended it removes the cookie.
/// - Cookies of others that are not UTF-8 don't matter.
/// - Twice around a route is as good as once: the outer one counts.
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
    /// Sessions of `store`, with a cookie of this name and these attributes; its value doesn't
    /// matter. Without a `Max-Age` the cookie ends with the browser, and a session after 14 days.
    pub fn new(store: impl Sessions + 'static, cookie: Cookie<'static>) -> Self {
        Self::shared(Arc::new(store), cookie)
    }

    /// As [`new`](Self::new), of a store that others hold too.
    pub fn shared(store: Arc<dyn Sessions>, cookie: Cookie<'static>) -> Self {
        Self(Arc::new(Shared {
            store,
            cookie: SessionCookie {
                description: cookie,
                keys: Vec::new(),
            },
        }))
    }

    /// Signs the cookie. The first secret signs, all verify. Default: the cookie is the bare id, and
    /// each id that somebody makes up costs a statement.
    pub fn with_secrets(mut self, secrets: impl Into<Vec<Key>>) -> Self {
        Arc::make_mut(&mut self.0).cookie.keys = secrets.into();
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

/// The service that [`SessionLayer`] makes.
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
        // The one that is ready is called, see the tower::Service documentation.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let known = request.extensions().get::<Visit>();
        if known.is_some_and(|visit| visit.sessions().name() == shared.store.name()) {
            return Box::pin(async move { Ok(inner.call(request).await?.map(Body::new)) });
        }
        Box::pin(async move {
            let cookie = shared.cookie.read(request.headers());
            let id = cookie.map(|(id, _)| id);
            let is_use = is_use(request.method(), request.headers());
            let expiry = shared.cookie.expiry();
            let (visit, session) = Visit::begin(shared.store.clone(), id, expiry, is_use);
            let visit = Finished(visit);
            request.extensions_mut().insert(session.clone());
            request.extensions_mut().insert(visit.0.clone());
            let mut response = inner.call(request).await?.map(Body::new);
            let line = match visit.0.settle(&session, response.status()).await {
                Ok(Outcome::Set(id)) => shared.cookie.set(id),
                Ok(Outcome::Remove) => shared.cookie.removal(),
                Ok(Outcome::Leave) => cookie
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
                never_store(response.headers_mut());
            }
            Ok(response)
        })
    }
}

/// Ends the visit, also when the request's future is dropped.
struct Finished(Visit);

impl Drop for Finished {
    fn drop(&mut self) {
        self.0.finish();
    }
}
