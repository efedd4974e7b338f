//! The session layer: reads the cookie, lends the request its session, writes the cookie once.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use tower::{Layer, Service};
use tower_sessions::{
    Expiry,
    cookie::{Cookie, CookieJar, Key},
    session::Id,
};

use crate::{
    PostgresSessionStore,
    caching::never_store,
    request::{is_page_load, is_speculative},
    visit::{Outcome, Visit},
    wire::CALL_HEADER,
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
///
/// ```no_run
/// # use axum::Router;
/// # use leptos_flash::{PostgresSessionStore, SessionLayer};
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
    store: PostgresSessionStore,
    cookie: Cookie<'static>,
    keys: Vec<Key>,
}

impl SessionLayer {
    /// Sessions of `store`, with a cookie of this name and these attributes; its value doesn't
    /// matter. Without a `Max-Age` the cookie ends with the browser, and a session after 14 days.
    pub fn new(store: PostgresSessionStore, cookie: Cookie<'static>) -> Self {
        Self(Arc::new(Shared {
            store,
            cookie,
            keys: Vec::new(),
        }))
    }

    /// Signs the cookie. The first secret signs, all verify. Default: the cookie is the bare id, and
    /// each id that somebody makes up costs a statement.
    pub fn with_secrets(mut self, secrets: impl Into<Vec<Key>>) -> Self {
        Arc::make_mut(&mut self.0).keys = secrets.into();
        self
    }
}

impl Shared {
    /// The id in the request's cookie, and whether an old secret signed it. The last cookie of the
    /// name counts that is good.
    fn read(&self, headers: &HeaderMap) -> Option<(Id, bool)> {
        let lines = headers.get_all(header::COOKIE).iter();
        let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let ours = pairs.filter_map(|pair| {
            let value = pair
                .trim_ascii()
                .strip_prefix(self.cookie.name().as_bytes())?;
            let value = std::str::from_utf8(value.strip_prefix(b"=")?).ok()?;
            Cookie::parse_encoded(format!("{}={value}", self.cookie.name())).ok()
        });
        let mut good = ours.filter_map(|cookie| self.verify(cookie));
        good.next_back()
    }

    fn verify(&self, cookie: Cookie<'static>) -> Option<(Id, bool)> {
        if self.keys.is_empty() {
            return Some((cookie.value().parse().ok()?, false));
        }
        let jar = CookieJar::new();
        let (position, verified) = (self.keys.iter().enumerate()).find_map(|(position, key)| {
            Some((position, jar.signed(key).verify(cookie.clone())?))
        })?;
        Some((verified.value().parse().ok()?, position > 0))
    }

    fn set(&self, id: Id) -> Cookie<'static> {
        let mut cookie = self.cookie.clone();
        cookie.set_value(id.to_string());
        match self.keys.first() {
            Some(key) => {
                let mut jar = CookieJar::new();
                jar.signed_mut(key).add(cookie);
                jar.get(self.cookie.name())
                    .cloned()
                    .unwrap_or_else(|| self.cookie.clone())
            }
            None => cookie,
        }
    }

    /// The cookie's own attributes: browsers refuse the removal of a `__Host-` cookie without
    /// `Secure` (tower-sessions#268).
    fn removal(&self) -> Cookie<'static> {
        let mut cookie = self.cookie.clone();
        cookie.make_removal();
        cookie
    }

    fn expiry(&self) -> Option<Expiry> {
        self.cookie.max_age().map(Expiry::OnInactivity)
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
    R: Default + Send,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let shared = self.shared.clone();
        let clone = self.inner.clone();
        // The one that is ready is called, see the tower::Service documentation.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let cookie = shared.read(request.headers());
            let id = cookie.map(|(id, _)| id);
            let is_use = is_use(&request);
            let (visit, session) = Visit::begin(shared.store.clone(), id, shared.expiry(), is_use);
            let visit = Finished(visit);
            request.extensions_mut().insert(session.clone());
            request.extensions_mut().insert(visit.0.clone());
            let mut response = inner.call(request).await?;
            let cookie = match visit.0.settle(&session, response.status()).await {
                Ok(Outcome::Set(id)) => Some(shared.set(id)),
                Ok(Outcome::Remove) => Some(shared.removal()),
                Ok(Outcome::Leave) => cookie
                    .filter(|(_, is_old)| *is_old && !visit.0.is_over())
                    .map(|(id, _)| shared.set(id)),
                Err(error) => {
                    tracing::error!("a session could not be saved: {error}");
                    response = Response::default();
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                    None
                }
            };
            if let Some(line) = cookie.and_then(header_value) {
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

fn header_value(cookie: Cookie<'static>) -> Option<HeaderValue> {
    cookie.encoded().to_string().parse().ok()
}

/// Whether a request keeps its session alive: a person loads a page, sends a form, or hydrated code
/// calls a server function.
fn is_use<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    let changes = !matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let calls = headers.contains_key(CALL_HEADER);
    (changes || calls || is_page_load(request.method(), headers)) && !is_speculative(headers)
}
