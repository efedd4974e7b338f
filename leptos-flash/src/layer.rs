//! Carried: the layer that takes messages before a page is rendered, and the handle to push them.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Redirect},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts,
};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use tower::{Layer, Service};
use tower_sessions::Session;
use uuid::Uuid;

use crate::{
    FlashError, FlashKey, FlashMessage, FlashStore, Visit,
    caching::never_store,
    database::describe,
    delivery::{DeliveredBody, Deliveries, HandOver},
    listener::Connection,
    local::is_local,
    request::{Kind, Note, is_page_load, notes},
    session_store::DATA_KEY,
    store::{Acknowledged, Lease, Leased, Owner},
    wire::{CALL_HEADER, MORE_HEADER, NOTED_HEADER, SHOWN_COOKIE},
};

/// Takes the messages of a session before a page is rendered, and sees to it that they are deleted
/// when the page was handed over and wait again when it was not.
///
/// It goes around the Leptos routes and inside the session layer; a compression layer goes inside
/// it. The last `.layer` is the outermost:
///
/// ```no_run
/// use std::time::Duration;
///
/// use axum::Router;
/// use leptos_flash::{
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

type PageLoadRule = dyn Fn(&Method, &HeaderMap) -> bool + Send + Sync;

/// Behind one pointer: every request copies the layer.
#[derive(Clone)]
struct Shared {
    store: FlashStore,
    deliveries: Deliveries,
    take_timeout: Duration,
    is_page_load: Arc<PageLoadRule>,
    complained: Arc<AtomicBool>,
}

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
    pub fn new(store: FlashStore) -> Self {
        Self(Arc::new(Shared {
            deliveries: Deliveries::start(store.clone()),
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
    /// # use leptos_flash::{FlashLayer, is_page_load};
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
        self.0.deliveries.flush().await;
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
            if request.extensions().get::<Flash>().is_some() {
                layer.complain(&FlashError::LayerTwice);
                return inner.call(request).await;
            }
            let kind = Kind::of(&request, &*layer.0.is_page_load);
            let visit = layer.visit_of(&request);
            let session = visit
                .as_ref()
                .and(request.extensions().get::<Session>().cloned());
            let connection = request.extensions().get::<Connection>().cloned();
            let version = request.version();
            let flash = Flash::new(
                layer.clone(),
                session,
                visit,
                kind,
                notes(request.headers()),
            );
            // What this request still holds when its future is dropped goes back.
            let holding = Holding(flash.clone());

            layer.take(&flash).await;
            let mut response = if kind == Kind::Take {
                Json(flash.take()).into_response()
            } else {
                request.extensions_mut().insert(flash.clone());
                inner.call(request).await?
            };
            // For tests of handlers, see the module `testing`.
            response.extensions_mut().insert(flash);
            Ok(holding.settle(response, connection, version).await)
        })
    }
}

impl FlashLayer {
    /// The visit of a request, if its session is one that our statements find.
    fn visit_of<B>(&self, request: &Request<B>) -> Option<Visit> {
        let Some(visit) = request.extensions().get::<Visit>() else {
            self.complain(&FlashError::MissingSession);
            return None;
        };
        if visit.store().table() != self.0.store.sessions() {
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
                if let (Some(visit), Some(times)) = (visit, taken.times) {
                    visit.is_used(times);
                }
                let mut state = flash.state();
                state.messages = taken.messages;
                state.taken = taken.lease;
            }
            Ok(Err(error)) => {
                let error = describe(&error);
                tracing::warn!(error, "a page goes without its flash messages");
            }
            Err(_) => {
                tracing::warn!("a page goes without its flash messages: the database is slow");
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
    visit: Option<Visit>,
    kind: Kind,
    /// What the browser says it has shown.
    notes: Vec<Note>,
    began: Instant,
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
    /// Ids that a form without JavaScript asked back: the browser must forget that it showed them.
    asked_back: Vec<i64>,
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
    pub async fn info(&self, text: impl Into<String>) -> Result<Option<i64>, FlashError> {
        self.push(FlashMessage::info(text)).await
    }

    /// Pushes a message of level Success. Stored when it returns.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn success(&self, text: impl Into<String>) -> Result<Option<i64>, FlashError> {
        self.push(FlashMessage::success(text)).await
    }

    /// Pushes a message of level Warning. Stored when it returns.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn warning(&self, text: impl Into<String>) -> Result<Option<i64>, FlashError> {
        self.push(FlashMessage::warning(text)).await
    }

    /// Pushes a message of level Error. Stored when it returns.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub async fn error(&self, text: impl Into<String>) -> Result<Option<i64>, FlashError> {
        self.push(FlashMessage::error(text)).await
    }

    /// Pushes a message for the next page. Stored when it returns. A visitor without a session gets
    /// one with the response's head; not with a 5xx, for which no session is saved. Returns the
    /// message's id; none below the minimum level.
    ///
    /// # Errors
    /// The message is empty, too long, contains a NUL character or a link to another site; as many
    /// as allowed of a higher level wait; the database can't be reached; the layers are missing or
    /// in the wrong order; the response head of a first visit has left.
    pub async fn push(&self, mut message: FlashMessage) -> Result<Option<i64>, FlashError> {
        let Carried {
            layer,
            session,
            visit,
            kind,
            ..
        } = &*self.0;
        let store = &layer.0.store;
        if !store.accepts(&message)? {
            return Ok(None);
        }
        let (Some(session), Some(visit)) = (session, visit) else {
            return Err(FlashError::MissingSession);
        };
        let travels = matches!(kind, Kind::Call { .. }) && !self.state().head_left;
        let stored = match session.id() {
            Some(id) => store.store(Owner::Session(id), &message, travels).await?,
            None => None,
        };
        let (stored, times) = match stored {
            Some(stored) => stored,
            None => {
                if session.id().is_some() {
                    // Ended meanwhile, though this request may have read it before.
                    session.load().await?;
                }
                let key = self.key().await?;
                (store.store(Owner::Key(key), &message, travels).await?)
                    .ok_or(FlashError::MissingSession)?
            }
        };
        if let Some(times) = times {
            visit.is_used(times);
        }
        (message.id, message.scope) = (stored.id, stored.key.scope());
        metrics::counter!("flash_pushed_total").increment(1);
        let mut state = self.state();
        if let Some(until) = stored.leased_until {
            let leased = Leased {
                id: stored.id,
                until,
                takes: 0,
            };
            state.travelling.add(stored.key, leased);
        }
        state.pushed.push(message);
        Ok(Some(stored.id))
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

    /// Whether the request loads a page that a person is about to see. A `GET` that pushes should do
    /// so for these alone: a `HEAD` or a prefetch must not change anything.
    pub fn is_page_load(&self) -> bool {
        self.0.kind == Kind::PageLoad
    }

    /// Returns the messages that this page shows, in the order of their pushes. They are deleted when
    /// the page was handed over, except sticky ones.
    ///
    /// Call it before the response's head leaves, so not in a late `<Suspense>`: after that there are
    /// none, and the log says so.
    pub fn take(&self) -> Vec<FlashMessage> {
        let mut state = self.state();
        if state.head_left {
            if !state.shown && !state.messages.is_empty() {
                tracing::error!(
                    "flash messages were taken after the response head had left; they wait for the next \
                     page. Take them before rendering, outside of <Suspense>"
                );
            }
            return Vec::new();
        }
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
        self.dismiss_from_page(&[id], &[]).await
    }

    /// Dismisses messages that a page showed, and makes the others wait again, for a form that works
    /// without JavaScript: the page comes back without the `dismissed` messages and with the rest of
    /// those that it had `shown`.
    ///
    /// What a page showed can be asked back for 3 minutes, by its session alone. It does no harm to
    /// ask twice, or for messages that are gone: a message that waits is not doubled, and one that
    /// another with its key has replaced stays replaced.
    ///
    /// # Errors
    /// The database can't be reached, or a layer is missing.
    pub async fn dismiss_from_page(
        &self,
        dismissed: &[i64],
        shown: &[i64],
    ) -> Result<(), FlashError> {
        let Carried { layer, session, .. } = &*self.0;
        let session = session.as_ref().ok_or(FlashError::MissingSession)?;
        if let Some(id) = session.id() {
            layer.0.store.dismiss(id, dismissed, shown).await?;
            self.state().asked_back.extend(shown);
            metrics::counter!("flash_dismissed_total").increment(dismissed.len() as u64);
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
        let known = session.get(DATA_KEY).await?;
        if session.id().is_none() && self.state().head_left {
            tracing::error!("{}", FlashError::TooLate);
            return Err(FlashError::TooLate);
        }
        if let Some(key) = known {
            return Ok(FlashKey(key));
        }
        let key = Uuid::new_v4();
        session.insert(DATA_KEY, key).await?;
        Ok(FlashKey(key))
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

    fn new(
        layer: FlashLayer,
        session: Option<Session>,
        visit: Option<Visit>,
        kind: Kind,
        notes: Vec<Note>,
    ) -> Self {
        let store = &layer.0.store;
        let state = Mutex::new(State {
            messages: Vec::new(),
            taken: Lease::none(store),
            shown: false,
            pushed: Vec::new(),
            travelling: Lease::none(store),
            asked_back: Vec::new(),
            head_left: false,
        });
        Self(Arc::new(Carried {
            layer,
            session,
            visit,
            kind,
            notes,
            began: Instant::now(),
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

/// Without a `FlashLayer` around it a handler gets `None`.
impl<S: Sync> OptionalFromRequestParts<S> for Flash {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// Holds the leases of a request until the response's body takes them over. Tasks that outlive the
/// request may hold its `Flash`, so that one can't tell.
struct Holding(Flash);

impl Holding {
    /// Decides what becomes of the request's leases, by its response.
    async fn settle(
        self,
        mut response: Response<Body>,
        connection: Option<Connection>,
        version: Version,
    ) -> Response<Body> {
        let Carried {
            layer,
            kind,
            notes,
            session,
            ..
        } = &*self.0.0;
        let (mut taken, travelling, asked_back, shown, undoable) = {
            let mut state = self.0.state();
            state.head_left = true;
            let none = || Lease::none(&layer.0.store);
            let taken = std::mem::replace(&mut state.taken, none());
            let travelling = std::mem::replace(&mut state.travelling, none());
            let shown = state.shown && !state.messages.is_empty();
            let asked_back = std::mem::take(&mut state.asked_back);
            (
                taken,
                travelling,
                asked_back,
                shown,
                state.messages.len() > 1,
            )
        };
        let goes_on = goes_on(&response);
        if shown && !goes_on && !response.status().is_server_error() {
            never_store(response.headers_mut());
            self.renew(&mut taken).await;
            if *kind == Kind::Take {
                taken.leave_to_client();
            } else if !taken.is_empty() {
                let scope = taken.scope().map(|scope| scope.to_string());
                let page = HandOver {
                    acknowledges: notes.iter().any(|note| Some(&note.scope) == scope.as_ref()),
                    lease: taken,
                    undoable,
                    deliveries: layer.0.deliveries.clone(),
                };
                response = DeliveredBody::wrap(response, page, connection, version);
            }
        } else {
            taken.give_back().await;
        }
        if let Kind::Call { navigates_in_place } = kind {
            if goes_on && !navigates_in_place {
                // The browser loads the next page, and that one shows them.
                travelling.give_back().await;
            } else {
                self.cross(travelling, response.headers_mut()).await;
            }
            if let Some(session) = session.as_ref().and_then(Session::id) {
                self.acknowledge(session, response.headers_mut());
            }
        }
        forget(notes, &asked_back, response.headers_mut());
        response
    }

    /// Makes a lease begin again that a slow request has used up by a third.
    async fn renew(&self, lease: &mut Lease) {
        let Carried { layer, began, .. } = &*self.0.0;
        if began.elapsed() > layer.0.store.lease() / 3
            && let Err(error) = lease.renew().await
        {
            tracing::warn!(
                error = describe(&error),
                "the lease of flash messages was not renewed; they may be shown twice"
            );
        }
    }

    /// Puts the pushed messages into the response's header, as many as fit.
    async fn cross(&self, mut travelling: Lease, headers: &mut HeaderMap) {
        /// nginx refuses response headers over 4 or 8 KB by default, and ours are not alone.
        const MAX_BYTES: usize = 2500;
        self.renew(&mut travelling).await;
        // Another page may have taken some, if the call took very long.
        let mut pushed = self.0.state().pushed.clone();
        pushed.retain(|message| message.sticky || travelling.holds(message.id));
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
                    never_store(headers);
                    travelling.leave_to_client();
                }
                Err(_) => travelling.give_back().await,
            }
        }
    }

    /// Deletes soon what the browser says it has shown, and tells it to say so no more.
    fn acknowledge(&self, session: tower_sessions::session::Id, headers: &mut HeaderMap) {
        let Carried { layer, notes, .. } = &*self.0.0;
        let noted = notes.iter().flat_map(|note| {
            note.ids().map(|id| Acknowledged {
                session,
                scope: note.scope.clone(),
                id,
            })
        });
        let noted: Vec<_> = noted.collect();
        if !noted.is_empty() {
            layer.0.deliveries.acknowledged(noted);
            headers.insert(NOTED_HEADER, HeaderValue::from_static("1"));
        }
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

/// Takes messages that are to be shown once more out of the browser's notes.
fn forget(notes: &[Note], asked_back: &[i64], headers: &mut HeaderMap) {
    for note in notes {
        if note.ids().any(|id| asked_back.contains(&id)) {
            let (scope, rest) = (&note.scope, note.without(asked_back));
            let cookie =
                format!("{SHOWN_COOKIE}{scope}={rest}; Path=/; Max-Age=86400; SameSite=Lax");
            if let Ok(cookie) = HeaderValue::from_str(&cookie) {
                headers.append(header::SET_COOKIE, cookie);
                never_store(headers);
            }
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
