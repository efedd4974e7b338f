//! The handle with which a request pushes, shows and dismisses messages.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::Redirect,
};
use http::request::Parts;
use pg_sessions::{SessionKey, Visit};
use tower_sessions::Session;

use crate::{
    error::FlashError,
    lease::{Lease, scope_of},
    message::FlashMessage,
    redirect::is_local,
    request::{Note, RequestKind},
    store::{MessageStore, Owner},
};

/// Pushes messages for the next page, and returns those that this page shows. Handlers extract it.
///
/// ```
/// use axum::response::Redirect;
/// use flash_messages::{Flash, FlashError, FlashMessage};
///
/// async fn save(flash: Flash) -> Result<Redirect, FlashError> {
///     flash.success("Saved").await?;
///     flash.redirect("/race", FlashMessage::info("Next: checkpoint 2")).await
/// }
/// ```
#[derive(Clone)]
pub struct Flash(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub store: Arc<dyn MessageStore>,
    pub session: Session,
    pub visit: Visit,
    pub kind: RequestKind,
    /// The browser's notes of the messages that it has shown.
    pub notes: Vec<Note>,
    pub began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The messages that were taken for this page.
    taken: Vec<FlashMessage>,
    taken_lease: Lease,
    /// Whether the page shows the taken messages.
    shown: bool,
    /// The messages that this request has pushed.
    pushed: Vec<FlashMessage>,
    /// The lease of the pushed messages that the response's header may have.
    pushed_lease: Lease,
    /// The ids that a form without JavaScript has asked back. The browser's notes must not have them.
    asked_back: Vec<i64>,
    /// Whether the response head has left.
    head_left: bool,
}

impl Flash {
    /// Pushes a message of level Info, see [`push`](Self::push).
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub async fn info(&self, text: impl Into<String>) -> Result<Option<i64>, FlashError> {
        self.push(FlashMessage::info(text)).await
    }

    /// Pushes a message of level Success, see [`push`](Self::push).
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub async fn success(&self, text: impl Into<String>) -> Result<Option<i64>, FlashError> {
        self.push(FlashMessage::success(text)).await
    }

    /// Pushes a message of level Warning, see [`push`](Self::push).
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub async fn warning(&self, text: impl Into<String>) -> Result<Option<i64>, FlashError> {
        self.push(FlashMessage::warning(text)).await
    }

    /// Pushes a message of level Error, see [`push`](Self::push).
    ///
    /// # Errors
    /// Those of [`push`](Self::push).
    pub async fn error(&self, text: impl Into<String>) -> Result<Option<i64>, FlashError> {
        self.push(FlashMessage::error(text)).await
    }

    /// Pushes a message for the next page. The message is stored when this method returns. Returns its
    /// id, or `None` if it is below the minimum level.
    ///
    /// A visitor without a session gets one with the response head. A 5xx response saves no session.
    ///
    /// # Errors
    /// - The message is empty or too long, or contains a NUL character or a link to another site.
    /// - The maximum number of messages wait, all of a higher level.
    /// - The database can't be reached.
    /// - The visitor has no session, and the response head has left already.
    pub async fn push(&self, mut message: FlashMessage) -> Result<Option<i64>, FlashError> {
        let Inner {
            store,
            session,
            visit,
            kind,
            ..
        } = &*self.0;
        if !store.limits().accept(&message)? {
            return Ok(None);
        }
        let leased = matches!(kind, RequestKind::Call { .. }) && !self.state().head_left;
        let stored = match session.id() {
            Some(id) => store.store(Owner::Session(id), &message, leased).await?,
            None => None,
        };
        let stored = match stored {
            Some(stored) => stored,
            None => {
                if session.id().is_some() {
                    // The session has ended, even if this request has read it before.
                    session.load().await?;
                }
                let key = self.key().await?;
                (store.store(Owner::Key(key), &message, leased).await?)
                    .ok_or(FlashError::SessionEnded)?
            }
        };
        if stored.needs_touch {
            visit.touch();
        }
        (message.id, message.scope) = (stored.id, scope_of(stored.key));
        metrics::counter!("flash_pushed_total").increment(1);
        let mut state = self.state();
        state.pushed_lease.join(stored.lease);
        state.pushed.push(message);
        Ok(Some(stored.id))
    }

    /// Pushes a message. Returns a redirect (303) to `path`, a page that shows it.
    ///
    /// # Errors
    /// - [`FlashError::NotLocal`]: `path` leaves this site. Then nothing is pushed.
    /// - Those of [`push`](Self::push).
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

    /// Returns whether the request loads a page that a person sees at once. A `GET` handler should push
    /// only then, because a `HEAD` or a prefetch must not change anything.
    pub fn is_page_load(&self) -> bool {
        self.0.kind == RequestKind::PageLoad
    }

    /// Returns the messages that this page shows, in the order of their pushes. They are deleted when
    /// the page was written to the network. Sticky messages stay.
    ///
    /// Call it before the response head leaves, so not inside `<Suspense>`. After that it returns no
    /// messages and logs an error.
    pub fn take(&self) -> Vec<FlashMessage> {
        let mut state = self.state();
        if state.head_left {
            if !state.shown && !state.taken.is_empty() {
                tracing::error!(
                    "flash messages were taken after the response head had left; they wait for the next \
                     page. Take them before rendering, outside of <Suspense>"
                );
            }
            return Vec::new();
        }
        state.shown = true;
        state.taken.clone()
    }

    /// Returns the messages of this page without showing them: they wait for the next page.
    pub fn peek(&self) -> Vec<FlashMessage> {
        self.state().taken.clone()
    }

    /// Undoes [`take`](Self::take): the messages wait for the next page.
    pub fn keep(&self) {
        self.state().shown = false;
    }

    /// Dismisses a message of this session, sticky or not. A missing message is no error.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn dismiss(&self, id: i64) -> Result<(), FlashError> {
        self.dismiss_from_page(&[id], &[]).await
    }

    /// Dismisses messages for a form that works without JavaScript. Both arguments are ids of messages
    /// that the form's page has shown. The next page shows those in `shown` again, except those in
    /// `dismissed`.
    ///
    /// A session can ask messages back for 3 minutes. These cases do no harm:
    /// - A message that still waits is not doubled.
    /// - A message that is gone stays gone.
    /// - A message stays replaced if a newer one with the same key has replaced it.
    ///
    /// # Errors
    /// The database can't be reached.
    pub async fn dismiss_from_page(
        &self,
        dismissed: &[i64],
        shown: &[i64],
    ) -> Result<(), FlashError> {
        let Inner { store, session, .. } = &*self.0;
        if let Some(id) = session.id() {
            store.dismiss(id, dismissed, shown).await?;
            self.state().asked_back.extend(shown);
            metrics::counter!("flash_dismissed_total").increment(dismissed.len() as u64);
        }
        Ok(())
    }

    /// Returns the session's key, with which a job can push: see
    /// [`FlashStore::push`](crate::FlashStore::push). A visitor without a session gets one.
    ///
    /// # Errors
    /// - The session can't be read.
    /// - The visitor has no session, and the response head has left already.
    pub async fn key(&self) -> Result<SessionKey, FlashError> {
        let session = &self.0.session;
        let known = SessionKey::get(session).await?;
        if session.id().is_none() && self.state().head_left {
            tracing::error!("{}", FlashError::TooLate);
            return Err(FlashError::TooLate);
        }
        match known {
            Some(key) => Ok(key),
            None => Ok(SessionKey::get_or_insert(session).await?),
        }
    }

    /// Returns the messages that the response shows, and those that the request has pushed.
    pub(crate) fn outcome(&self) -> (Vec<FlashMessage>, Vec<FlashMessage>) {
        let state = self.state();
        let shown = if state.shown {
            state.taken.clone()
        } else {
            Vec::new()
        };
        (shown, state.pushed.clone())
    }

    /// Returns why the response shows no message, for a test that expects one.
    pub(crate) fn why_none_is_shown(&self, can_show: bool) -> &'static str {
        let state = self.state();
        if self.0.kind != RequestKind::PageLoad {
            "no message is shown: the request loads no page; a page load is a GET that accepts text/html"
        } else if !can_show {
            "no message is shown: the response redirects or fails, so its messages wait for the next page"
        } else if !state.taken.is_empty() {
            "messages wait, but the page shows none: its handler calls `Flash::take`, its view has a group"
        } else if self.0.session.id().is_none() {
            "no message is shown: the request has no session; its cookie is missing, or has another key"
        } else {
            "no message waits in the session"
        }
    }

    pub(crate) fn new(
        store: Arc<dyn MessageStore>,
        session: Session,
        visit: Visit,
        kind: RequestKind,
        notes: Vec<Note>,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            session,
            visit,
            kind,
            notes,
            began: Instant::now(),
            state: Mutex::default(),
        }))
    }

    /// Adds the messages that were taken for this page.
    pub(crate) fn fill(&self, taken: Vec<FlashMessage>, lease: Lease) {
        let mut state = self.state();
        (state.taken, state.taken_lease) = (taken, lease);
    }

    /// Marks the response head as left. Returns the leases that the request holds until now.
    pub(crate) fn settle(&self) -> Settled {
        let mut state = self.state();
        state.head_left = true;
        Settled {
            taken_lease: std::mem::take(&mut state.taken_lease),
            pushed_lease: std::mem::take(&mut state.pushed_lease),
            asked_back: std::mem::take(&mut state.asked_back),
            shows: state.shown && !state.taken.is_empty(),
            undoable: state.taken.len() > 1,
            pushed: state.pushed.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The messages of a request at the time when its response head leaves.
pub(crate) struct Settled {
    /// The lease of the messages that were taken for this page.
    pub taken_lease: Lease,
    /// The lease of the pushed messages that the response's header may have.
    pub pushed_lease: Lease,
    /// The ids that the browser's notes must not have.
    pub asked_back: Vec<i64>,
    /// Whether the page shows messages.
    pub shows: bool,
    /// Whether a form without JavaScript may ask messages back: the page shows several.
    pub undoable: bool,
    /// The messages that the request has pushed.
    pub pushed: Vec<FlashMessage>,
}

impl std::fmt::Debug for Flash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Keys and texts must not reach a log.
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

/// A handler without a `FlashLayer` around it extracts `None`.
impl<S: Sync> OptionalFromRequestParts<S> for Flash {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}
