//! The session's cookie, seen from outside the session layer.

use std::{
    cell::Cell,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use tower::{Layer, Service};
use tower_sessions::cookie::{Cookie, CookieJar, Key};

/// Goes around tower-sessions' `SessionManagerLayer` with its signed cookie, and adds what that one
/// lacks:
///
/// - **Several secrets.** The first signs, all verify. A cookie that an old one signed is accepted,
///   and the answer brings it signed anew: so a secret can be replaced without a logout.
/// - **An answer leaves a cookie alone that isn't its own.** The session layer takes the cookie away
///   when it finds no session for it, and sets it when it could not save: in an answer that comes
///   late, after the id was renewed or somebody logged in, that would throw the visitor out. Here
///   only a request that ended its session takes the cookie away. It needs
///   [`PostgresSessionStore`](crate::PostgresSessionStore) to know.
///
/// ```no_run
/// # use axum::Router;
/// # use leptos_flash::{PostgresSessionStore, SessionCookieLayer};
/// use tower_sessions::{Expiry, SessionManagerLayer, cookie::{Cookie, Key, SameSite, time::Duration}};
///
/// # fn example(pages: Router, store: PostgresSessionStore, new: Key, old: Key) {
/// let age = Duration::days(30);
/// let cookie = Cookie::build("sessionId").path("/").http_only(true).secure(true).max_age(age)
///     .same_site(SameSite::Strict).build();
/// let app: Router = pages
///     .layer(
///         SessionManagerLayer::new(store)
///             .with_name("sessionId")
///             .with_expiry(Expiry::OnInactivity(age))
///             .with_signed(new.clone()),
///     )
///     .layer(SessionCookieLayer::new(cookie, [new, old]));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SessionCookieLayer {
    // Cheap to clone: every request does it.
    cookie: Arc<Cookie<'static>>,
    keys: Arc<[Key]>,
}

impl SessionCookieLayer {
    /// A layer for a cookie with this name and these attributes, those of the session layer; its
    /// value doesn't matter. The first of the keys is the one of the session layer.
    pub fn new(cookie: Cookie<'static>, keys: impl Into<Arc<[Key]>>) -> Self {
        Self {
            cookie: Arc::new(cookie),
            keys: keys.into(),
        }
    }

    /// Signs the request's cookie with the first key when an older one did.
    fn sign_anew(&self, headers: &mut HeaderMap) -> Option<Cookie<'static>> {
        let (first, older) = self.keys.split_first()?;
        if older.is_empty() {
            return None;
        }
        let mut cookies: Vec<Cookie<'static>> = (headers.get_all(header::COOKIE).iter())
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| Cookie::split_parse_encoded(line.to_owned()))
            .filter_map(Result::ok)
            .collect();
        // The last of a name counts, as in tower-cookies.
        let ours = (cookies.iter_mut()).rfind(|cookie| cookie.name() == self.cookie.name())?;
        let jar = CookieJar::new();
        if jar.signed(first).verify(ours.clone()).is_some() {
            return None;
        }
        let verified = older
            .iter()
            .find_map(|key| jar.signed(key).verify(ours.clone()))?;
        let mut jar = CookieJar::new();
        jar.signed_mut(first).add(verified);
        let signed = jar.get(self.cookie.name())?.value().to_owned();
        ours.set_value(signed.clone());

        let line: Vec<_> = cookies
            .iter()
            .map(|cookie| cookie.encoded().stripped().to_string())
            .collect();
        headers.insert(header::COOKIE, line.join("; ").parse().ok()?);
        let mut cookie = Cookie::clone(&self.cookie);
        cookie.set_value(signed);
        Some(cookie)
    }

    /// Takes the cookies out of an answer that it has no right to set or to take away.
    fn leave_alone(&self, fate: Fate, headers: &mut HeaderMap) {
        let rightful = |line: &HeaderValue| match (self.value_in(line), fate) {
            (None, _) | (_, Fate::Ended) => true,
            (Some(_), Fate::Gone) => false,
            (Some(value), Fate::Unknown | Fate::Alive) => !value.starts_with(b";"),
        };
        if let header::Entry::Occupied(lines) = headers.entry(header::SET_COOKIE) {
            let (_, lines) = lines.remove_entry_mult();
            let kept: Vec<_> = lines.filter(rightful).collect();
            headers.extend(kept.into_iter().map(|line| (header::SET_COOKIE, line)));
        }
    }

    /// What a `Set-Cookie` line says of this cookie: the value and the attributes.
    fn value_in<'a>(&self, line: &'a HeaderValue) -> Option<&'a [u8]> {
        let rest = line
            .as_bytes()
            .strip_prefix(self.cookie.name().as_bytes())?;
        rest.strip_prefix(b"=")
    }
}

/// What became of the session in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing that the store knows of.
    Unknown,
    /// It was created, or got a new id.
    Alive,
    /// The request ended it.
    Ended,
    /// It could not be saved: another request has ended it or renewed its id.
    Gone,
}

tokio::task_local! {
    static FATE: Cell<Fate>;
}

/// The store's note. The session layer calls the store in the task that answers the request.
pub(crate) fn note(fate: Fate) {
    _ = FATE.try_with(|noted| noted.set(fate));
}

impl<S> Layer<S> for SessionCookieLayer {
    type Service = SessionCookieService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let layer = self.clone();
        SessionCookieService { inner, layer }
    }
}

/// The service that [`SessionCookieLayer`] makes.
#[derive(Clone, Debug)]
pub struct SessionCookieService<S> {
    inner: S,
    layer: SessionCookieLayer,
}

impl<S> Service<Request<Body>> for SessionCookieService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let layer = self.layer.clone();
        let signed = layer.sign_anew(request.headers_mut());
        let inner = self.inner.call(request);
        Box::pin(FATE.scope(Cell::new(Fate::Unknown), async move {
            let mut response = inner.await?;
            let headers = response.headers_mut();
            let fate = FATE.with(Cell::get);
            layer.leave_alone(fate, headers);
            let lines = headers.get_all(header::SET_COOKIE);
            let is_set = lines.iter().any(|line| layer.value_in(line).is_some());
            let is_over = matches!(fate, Fate::Gone | Fate::Ended);
            if let (Some(cookie), false) = (signed, is_set || is_over)
                && let Ok(line) = cookie.encoded().to_string().parse()
            {
                headers.append(header::SET_COOKIE, line);
            }
            Ok(response)
        }))
    }
}
