//! The handle of a request: pushes messages, and reads those that wait.

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
    request::{Kind, Note},
    store::{MessageStore, Owner},
};

/// The messages of one request: push new ones, read those that wait.
///
/// An extractor in axum handlers.
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
pub struct Flash(pub(crate) Arc<Carried>);

pub(crate) struct Carried {
    pub store: Arc<dyn MessageStore>,
    pub session: Session,
    pub visit: Visit,
    pub kind: Kind,
    /// What the browser says it has shown.
    pub notes: Vec<Note>,
    pub began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
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
    /// as allowed of a higher level wait; the database can't be reached; the response head of a first
    /// visit has left.
    pub async fn push(&self, mut message: FlashMessage) -> Result<Option<i64>, FlashError> {
        let Carried {
            store,
            session,
            visit,
            kind,
            ..
        } = &*self.0;
        if !store.limits().accept(&message)? {
            return Ok(None);
        }
        let travels = matches!(kind, Kind::Call { .. }) && !self.state().head_left;
        let stored = match session.id() {
            Some(id) => store.store(Owner::Session(id), &message, travels).await?,
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
                (store.store(Owner::Key(key), &message, travels).await?)
                    .ok_or(FlashError::SessionEnded)?
            }
        };
        if stored.needs_touch {
            visit.touch();
        }
        (message.id, message.scope) = (stored.id, scope_of(stored.key));
        metrics::counter!("flash_pushed_total").increment(1);
        let mut state = self.state();
        state.travelling.join(stored.lease);
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

    /// Returns whether the request loads a page that a person is about to see. A `GET` that pushes should do
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
    /// The database can't be reached.
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
    /// The database can't be reached.
    pub async fn dismiss_from_page(
        &self,
        dismissed: &[i64],
        shown: &[i64],
    ) -> Result<(), FlashError> {
        let Carried { store, session, .. } = &*self.0;
        if let Some(id) = session.id() {
            store.dismiss(id, dismissed, shown).await?;
            self.state().asked_back.extend(shown);
            metrics::counter!("flash_dismissed_total").increment(dismissed.len() as u64);
        }
        Ok(())
    }

    /// Returns the key for a push without a request, see
    /// [`FlashStore::push`](crate::FlashStore::push).
    ///
    /// # Errors
    /// The session can't be read, or the response head of a first visit has left.
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

    /// Returns what this response shows, and what was pushed for later.
    pub(crate) fn outcome(&self) -> (Vec<FlashMessage>, Vec<FlashMessage>) {
        let state = self.state();
        let shown = if state.shown {
            state.messages.clone()
        } else {
            Vec::new()
        };
        (shown, state.pushed.clone())
    }

    pub(crate) fn new(
        store: Arc<dyn MessageStore>,
        session: Session,
        visit: Visit,
        kind: Kind,
        notes: Vec<Note>,
    ) -> Self {
        Self(Arc::new(Carried {
            store,
            session,
            visit,
            kind,
            notes,
            began: Instant::now(),
            state: Mutex::default(),
        }))
    }

    /// Adds what waited when the request came.
    pub(crate) fn fill(&self, messages: Vec<FlashMessage>, lease: Lease) {
        let mut state = self.state();
        (state.messages, state.taken) = (messages, lease);
    }

    /// The response head leaves: returns what the request holds by now.
    pub(crate) fn settle(&self) -> Settled {
        let mut state = self.state();
        state.head_left = true;
        Settled {
            taken: std::mem::take(&mut state.taken),
            travelling: std::mem::take(&mut state.travelling),
            asked_back: std::mem::take(&mut state.asked_back),
            shows: state.shown && !state.messages.is_empty(),
            undoable: state.messages.len() > 1,
            pushed: state.pushed.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request holds when its response head leaves.
pub(crate) struct Settled {
    /// The lease of the messages that waited.
    pub taken: Lease,
    /// The lease of those that were pushed and may travel with the response.
    pub travelling: Lease,
    /// Ids that the browser must forget that it showed.
    pub asked_back: Vec<i64>,
    /// Whether the page shows messages.
    pub shows: bool,
    /// Whether one of them can be asked back: there are others.
    pub undoable: bool,
    pub pushed: Vec<FlashMessage>,
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
