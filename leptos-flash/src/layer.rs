//! Carried: the layer that takes messages before a page is rendered, and the handle to push them.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Json,
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Redirect},
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use tower::{Layer, Service};
use tower_sessions::Session;

use crate::{
    FlashError, FlashKey, FlashMessage, FlashStore,
    coalesce::Coalesced,
    delivery::{DeliveredBody, Deliveries},
    local::is_local,
    request::{Kind, shown_ids},
    session_store::flash_key_of,
    store::{Lease, Owner, Push, Pushed, Pushing, Stored, Take},
    wire::{CALL_HEADER, MORE_HEADER, SHOWN_COOKIE},
};

/// Takes the messages of a session before a page is rendered, and sees to it that they are deleted
/// when the page was handed over and wait again when it was not.
///
/// It goes around the Leptos routes and inside the session layer; a compression layer goes inside
/// it. The last `.layer` is the outermost:
///
/// ```no_run
/// use axum::Router;
/// use leptos_flash::{FlashLayer, FlashStore, PostgresSessionStore};
/// use tower_sessions::SessionManagerLayer;
///
/// # async fn example(pool: sqlx::PgPool, routes: Router) -> Result<(), leptos_flash::FlashError> {
/// let session_store = PostgresSessionStore::new(pool.clone());
/// session_store.migrate().await?;
/// let flash_store = FlashStore::new(&session_store);
/// flash_store.migrate().await?;
///
/// let flash_layer = FlashLayer::new(flash_store);
/// let app: Router = routes
///     .layer(flash_layer.clone())
///     .layer(SessionManagerLayer::new(session_store));
/// // … serve, and after a graceful shutdown:
/// flash_layer.flush().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FlashLayer(Arc<Shared>);

/// Behind one pointer: every request copies the layer.
#[derive(Clone, Debug)]
struct Shared {
    store: FlashStore,
    pushes: Coalesced<Push>,
    takes: Coalesced<Take>,
    deliveries: Deliveries,
    take_timeout: Duration,
}

impl FlashLayer {
    /// A layer for the messages of `store`. It starts a task that deletes what was shown.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn new(store: FlashStore) -> Self {
        Self(Arc::new(Shared {
            deliveries: Deliveries::start(store.clone()),
            pushes: Coalesced::new(Push(store.clone()), store.pool().clone()),
            takes: Coalesced::new(Take(store.clone()), store.pool().clone()),
            store,
            take_timeout: Duration::from_secs(2),
        }))
    }

    /// How long a page waits for its messages before it is rendered without. Default: 2 seconds.
    /// Messages that come later wait for the next page.
    pub fn with_take_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.0).take_timeout = timeout;
        self
    }

    /// Waits until all that was shown so far is deleted, or could not be. Call it after a graceful shutdown:
    /// otherwise messages of the last 10 ms are shown again when their lease runs out.
    pub async fn flush(&self) {
        self.0.deliveries.flush().await;
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

impl<S> Service<Request<Body>> for FlashService<S>
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
        let clone = self.inner.clone();
        // The one that is ready is called, see the tower::Service documentation.
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let layer = self.layer.clone();
        Box::pin(async move {
            let kind = Kind::of(&request);
            let session = request.extensions().get::<Session>().cloned();
            let flash = Flash::new(layer.clone(), session, kind);
            // What this request still holds when its future is dropped goes back.
            let holding = Holding(flash.clone());

            let shown = shown_ids(request.headers());
            let are_deleted = layer.take(&flash, &shown).await;
            let mut response = if kind == Kind::Take {
                ([(header::CACHE_CONTROL, "no-store")], Json(flash.take())).into_response()
            } else {
                request.extensions_mut().insert(flash.clone());
                inner.call(request).await?
            };
            // For tests of handlers, see the module `testing`.
            response.extensions_mut().insert(flash);
            if are_deleted {
                forget(&shown, response.headers_mut());
            }
            Ok(holding.hand_over(response, &layer.0.deliveries).await)
        })
    }
}

impl FlashLayer {
    /// Fills `flash` for a request that shows messages. Without the database the page goes on
    /// without messages. Whether those that the browser has `shown` are deleted.
    async fn take(&self, flash: &Flash, shown: &[i64]) -> bool {
        let Some(session) = flash.0.session.as_ref().and_then(Session::id) else {
            return true;
        };
        let mut are_deleted = shown.is_empty();
        let Shared {
            store,
            takes,
            take_timeout,
            ..
        } = &*self.0;
        let taking = async {
            if !shown.is_empty() {
                store
                    .delete_of_session(session, shown)
                    .await
                    .map_err(Arc::new)?;
                are_deleted = true;
            }
            match flash.0.kind {
                Kind::PageLoad | Kind::Take => takes.ask(session).await.map(Some),
                Kind::Call { .. } | Kind::Other => Ok(None),
            }
        };
        match tokio::time::timeout(*take_timeout, taking).await {
            Ok(Ok(Some(taken))) => {
                let mut state = flash.state();
                state.messages = taken.messages;
                state.taken = taken.lease;
            }
            Ok(Ok(None)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a page goes without its flash messages"),
            Err(_) => {
                tracing::warn!("a page goes without its flash messages: the database is slow")
            }
        }
        are_deleted
    }

    /// Stores a message. None: the session is gone.
    async fn push(
        &self,
        owner: Owner,
        message: &FlashMessage,
        leased: bool,
    ) -> Result<Option<Stored>, FlashError> {
        loop {
            let message = message.clone();
            let pushing = Pushing {
                owner,
                message,
                leased,
            };
            match self.0.pushes.ask(pushing).await? {
                Pushed::Stored(stored) => return Ok(Some(stored)),
                Pushed::NoSession => return Ok(None),
                Pushed::Full => return Err(self.0.store.full()),
                Pushed::Later => {}
            }
        }
    }
}

/// The messages of one request: push new ones, read those that wait.
///
/// An extractor in axum handlers, [`Flash::current`] in Leptos server functions and components.
///
/// ```
/// use axum::response::Redirect;
/// use leptos_flash::{Flash, FlashError, FlashMessage};
///
/// async fn save(flash: Flash) -> Result<Redirect, FlashError> {
///     flash.success("Saved").await?;
///     flash.redirect("/race", FlashMessage::info("Next: checkpoint 2")).await
/// }
/// ```
#[derive(Clone)]
pub struct Flash(Arc<Carried>);

struct Carried {
    layer: FlashLayer,
    session: Option<Session>,
    kind: Kind,
    state: Mutex<State>,
}

struct State {
    /// What waited when the request came.
    messages: Vec<FlashMessage>,
    taken: Lease,
    shown: bool,
    /// What was pushed meanwhile; some of it travels with the response.
    pushed: Vec<FlashMessage>,
    travelling: Lease,
    head_left: bool,
}

impl Flash {
    /// The handle of the request that is being answered, in a Leptos server function or while a
    /// component is rendered on the server.
    ///
    /// # Errors
    /// [`FlashError::MissingLayer`] when the request did not come through a [`FlashLayer`].
    pub fn current() -> Result<Self, FlashError> {
        use_context::<Parts>()
            .and_then(|parts| parts.extensions.get::<Flash>().cloned())
            .ok_or(FlashError::MissingLayer)
    }

    /// Pushes a message of level Info. Stored when it returns.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn info(&self, text: impl Into<String>) -> Result<(), FlashError> {
        self.push(FlashMessage::info(text)).await
    }

    /// Pushes a message of level Success. Stored when it returns.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn success(&self, text: impl Into<String>) -> Result<(), FlashError> {
        self.push(FlashMessage::success(text)).await
    }

    /// Pushes a message of level Warning. Stored when it returns.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn warning(&self, text: impl Into<String>) -> Result<(), FlashError> {
        self.push(FlashMessage::warning(text)).await
    }

    /// Pushes a message of level Error. Stored when it returns.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn error(&self, text: impl Into<String>) -> Result<(), FlashError> {
        self.push(FlashMessage::error(text)).await
    }

    /// Pushes a message for the next page. Stored when it returns. A visitor without a session gets
    /// one with the response's head; not with a 5xx, for which tower-sessions saves nothing.
    ///
    /// # Errors
    /// The message is empty, too long, contains a NUL character or a link to another site; as many
    /// as allowed of a higher level wait; the database can't be reached; the layers are missing or
    /// in the wrong order; the response head of a first visit has left.
    pub async fn push(&self, mut message: FlashMessage) -> Result<(), FlashError> {
        let Carried {
            layer,
            session,
            kind,
            ..
        } = &*self.0;
        if !layer.0.store.accepts(&message)? {
            return Ok(());
        }
        let session = session.as_ref().ok_or(FlashError::MissingSession)?;
        let travels = matches!(kind, Kind::Call { .. }) && !self.state().head_left;
        let stored = match session.id() {
            Some(id) => layer.push(Owner::Session(id), &message, travels).await?,
            None => None,
        };
        let stored = match stored {
            Some(stored) => stored,
            None => {
                if session.id().is_some() {
                    // Ended meanwhile, though this request may have read it before.
                    session.load().await?;
                }
                let key = self.key().await?;
                (layer.push(Owner::Key(key), &message, travels).await?)
                    .ok_or(FlashError::MissingSession)?
            }
        };
        message.id = stored.id;
        metrics::counter!("flash_pushed_total").increment(1);
        let mut state = self.state();
        if let Some(until) = stored.leased_until {
            state.travelling.add(stored.key, stored.id, until);
        }
        state.pushed.push(message);
        Ok(())
    }

    /// Pushes a message and answers with a redirect to a page that shows it.
    ///
    /// # Errors
    /// [`FlashError::NotLocal`] when `path` leaves this site (nothing is pushed then), else as
    /// [`push`](Self::push).
    pub async fn redirect(
        &self,
        path: &str,
        message: FlashMessage,
    ) -> Result<Redirect, FlashError> {
        if !is_local(path) {
            return Err(FlashError::NotLocal);
        }
        self.push(message).await?;
        Ok(Redirect::to(path))
    }

    /// The messages that this page shows, in the order of their pushes. They are deleted when the
    /// page was handed over, except sticky ones.
    pub fn take(&self) -> Vec<FlashMessage> {
        let mut state = self.state();
        state.shown = true;
        state.messages.clone()
    }

    /// The messages that wait for this page, without showing them: they wait for the next one.
    pub fn peek(&self) -> Vec<FlashMessage> {
        self.state().messages.clone()
    }

    /// Takes [`take`](Self::take) back: the messages wait for the next page.
    pub fn keep(&self) {
        self.state().shown = false;
    }

    /// Dismisses a message, sticky or not, of this session.
    ///
    /// # Errors
    /// The database can't be reached, or a layer is missing.
    pub async fn dismiss(&self, id: i64) -> Result<(), FlashError> {
        let session = self.0.session.as_ref().ok_or(FlashError::MissingSession)?;
        if let Some(session) = session.id() {
            self.0
                .layer
                .0
                .store
                .delete_of_session(session, &[id])
                .await?;
            metrics::counter!("flash_dismissed_total").increment(1);
        }
        Ok(())
    }

    /// The key for a push without a request, see [`FlashStore::push`].
    ///
    /// # Errors
    /// The session can't be read, its layer is missing, or the response head of a first visit has
    /// left.
    pub async fn key(&self) -> Result<FlashKey, FlashError> {
        let session = self.0.session.as_ref().ok_or(FlashError::MissingSession)?;
        let key = flash_key_of(session).await?;
        if session.id().is_none() && self.state().head_left {
            tracing::error!("{}", FlashError::TooLate);
            return Err(FlashError::TooLate);
        }
        Ok(key)
    }

    /// What this response shows, and what was pushed for later.
    pub(crate) fn outcome(&self) -> (Vec<FlashMessage>, Vec<FlashMessage>) {
        let state = self.state();
        let shown = if state.shown {
            state.messages.clone()
        } else {
            Vec::new()
        };
        (shown, state.pushed.clone())
    }

    fn new(layer: FlashLayer, session: Option<Session>, kind: Kind) -> Self {
        let store = &layer.0.store;
        let state = Mutex::new(State {
            messages: Vec::new(),
            taken: Lease::none(store),
            shown: false,
            pushed: Vec::new(),
            travelling: Lease::none(store),
            head_left: false,
        });
        Self(Arc::new(Carried {
            layer,
            session,
            kind,
            state,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Flash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither keys nor texts belong into a log.
        f.debug_struct("Flash")
            .field("kind", &self.0.kind)
            .finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for Flash {
    type Rejection = FlashError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, FlashError> {
        parts
            .extensions
            .get()
            .cloned()
            .ok_or(FlashError::MissingLayer)
    }
}

/// Holds the leases of a request until the response's body takes them over. Tasks that outlive the
/// request may hold its `Flash`, so that one can't tell.
struct Holding(Flash);

impl Holding {
    async fn hand_over(
        self,
        mut response: Response<Body>,
        deliveries: &Deliveries,
    ) -> Response<Body> {
        let (taken, travelling, shown) = {
            let mut state = self.0.state();
            state.head_left = true;
            let none = || Lease::none(&self.0.0.layer.0.store);
            let taken = std::mem::replace(&mut state.taken, none());
            let travelling = std::mem::replace(&mut state.travelling, none());
            (taken, travelling, state.shown && !state.messages.is_empty())
        };
        let goes_on = goes_on(&response);
        if shown && !goes_on && !response.status().is_server_error() {
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            if !taken.is_empty() {
                response = DeliveredBody::wrap(response, taken, deliveries.clone());
            }
        } else {
            taken.give_back().await;
        }
        if let Kind::Call { navigates_in_place } = self.0.0.kind {
            if goes_on && !navigates_in_place {
                // The browser loads the next page, and that one shows them.
                travelling.give_back().await;
            } else {
                self.cross(travelling, response.headers_mut()).await;
            }
        }
        response
    }

    /// Puts the pushed messages into the response's header, as many as fit.
    async fn cross(&self, mut travelling: Lease, headers: &mut HeaderMap) {
        /// nginx refuses response headers over 4 or 8 KB by default.
        const MAX_BYTES: usize = 3000;
        let pushed = self.0.state().pushed.clone();
        let mut value = String::new();
        let fits = (pushed.iter())
            .take_while(|message| {
                let json = ascii_json(message);
                let fits = value.len() + json.len() < MAX_BYTES;
                if fits {
                    value.push(if value.is_empty() { '[' } else { ',' });
                    value.push_str(&json);
                }
                fits
            })
            .count();
        let (crossing, staying) = pushed.split_at(fits);
        let staying = travelling.split(|id| staying.iter().all(|message| message.id != id));
        if !staying.is_empty() {
            staying.give_back().await;
            headers.insert(MORE_HEADER, HeaderValue::from_static("1"));
        }
        if !crossing.is_empty() {
            value.push(']');
            match HeaderValue::from_str(&value) {
                Ok(value) => {
                    headers.insert(CALL_HEADER, value);
                    travelling.leave_to_client();
                }
                Err(_) => travelling.give_back().await,
            }
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.head_left = true;
        let none = || Lease::none(&self.0.0.layer.0.store);
        drop(std::mem::replace(&mut state.taken, none()));
        drop(std::mem::replace(&mut state.travelling, none()));
    }
}

/// Whether the browser goes on to another page: a redirect, or Leptos's header for hydrated code
/// (server_fn 0.8, redirect.rs).
fn goes_on(response: &Response<Body>) -> bool {
    response.status().is_redirection() && response.status() != StatusCode::NOT_MODIFIED
        || response.headers().contains_key("serverfnredirect")
}

/// JSON that a header can carry: all but printable ASCII is escaped.
fn ascii_json(message: &FlashMessage) -> String {
    let json = serde_json::to_string(message).unwrap_or_default();
    let mut ascii = String::with_capacity(json.len());
    for char in json.chars() {
        if matches!(char, ' '..='~') {
            ascii.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    ascii
}

/// The browser's notes of what it has shown have been read.
fn forget(shown: &[i64], headers: &mut HeaderMap) {
    for id in shown {
        let cookie = format!("{SHOWN_COOKIE}{id}=; Path=/; Max-Age=0; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
}

/// Pushes a message and redirects, in a Leptos server function.
///
/// # Errors
/// [`FlashError::NotLocal`] when `path` leaves this site (nothing is pushed then), else as
/// [`Flash::push`].
pub async fn redirect_with(path: &str, message: FlashMessage) -> Result<(), FlashError> {
    if !is_local(path) {
        return Err(FlashError::NotLocal);
    }
    Flash::current()?.push(message).await?;
    redirect(path)
}

/// Redirects to a page of this site, in a Leptos server function.
///
/// As `leptos_axum::redirect`, but that one answers a form post with 302, or by curl with 200; 303
/// says that the next request is a GET (RFC 9110, 15.4.4).
///
/// # Errors
/// [`FlashError::NotLocal`] when `path` leaves this site.
pub fn redirect(path: &str) -> Result<(), FlashError> {
    if !is_local(path) {
        return Err(FlashError::NotLocal);
    }
    leptos_axum::redirect(path);
    let by_hydrated_code = use_context::<Parts>().is_some_and(|parts| {
        if parts.headers.contains_key(CALL_HEADER) {
            return true;
        }
        let accept = parts.headers.get(header::ACCEPT);
        (accept.and_then(|accept| accept.to_str().ok()))
            .is_some_and(|accept| accept.contains("application/json"))
    });
    if let (Some(response), false) = (use_context::<ResponseOptions>(), by_hydrated_code) {
        response.set_status(StatusCode::SEE_OTHER);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    #[test]
    fn a_header_can_carry_any_text() {
        let message = FlashMessage::new(Level::Info, "Ziel 🏁 \"\u{7f}\n");
        let json = ascii_json(&message);
        assert!(HeaderValue::from_str(&json).is_ok());
        let back: FlashMessage = serde_json::from_str(&json).expect("the same message");
        assert_eq!(back, message);
    }
}
