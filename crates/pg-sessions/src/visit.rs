//! A visit: what one request does to its session, and what follows from it for row and cookie.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use http::{StatusCode, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tower_sessions::{
    Expiry, Session, SessionStore,
    session::{self, Id, Record},
    session_store::{Error, Result},
};

use crate::{info::encode, key::SessionKey, sessions::Sessions};

/// One request's use of its session. [`SessionLayer`](crate::SessionLayer) adds it to the request,
/// beside tower-sessions' `Session`; it is an extractor.
///
/// The session works as usual in handlers, and so do crates that are built on it. What is different:
/// - `Session::cycle_id` is done when the response leaves, and not if that is a 5xx. Requests that
///   are under way come with the old id: it can read, and get messages, for another 10 seconds.
/// - `Session::flush` ends the session under all its ids.
/// - When another request has changed the session meanwhile, this one's changes are merged key by
///   key. To change one key in a way that depends on its value, use [`update`](Self::update).
#[derive(Clone)]
pub struct Visit(Arc<Inner>);

struct Inner {
    store: Arc<dyn Sessions>,
    /// The session's id when the request came.
    id: Option<Id>,
    /// Whether the request counts as use of the session.
    is_use: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The session of this visit, which is asked for its id; gone when the visit is over.
    session: Option<Session>,
    seen: Option<Seen>,
    /// The key of a session whose data could not be read: the next one goes on with it.
    unreadable: Option<SessionKey>,
    /// The id that `cycle_id` replaced.
    renewed_from: Option<Id>,
    fate: Fate,
}

/// What this visit knows of the stored session.
struct Seen {
    id: Id,
    /// The data that the visit's record began with.
    began: HashMap<String, Value>,
    /// The row as it was read or written last, and its data.
    row: Vec<u8>,
    data: HashMap<String, Value>,
}

/// What became of the session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Unchanged,
    /// It was created, or got a new id.
    Stored,
    /// This request ended it.
    Ended,
    /// It could not be saved: another request has ended it or renewed its id.
    Lost,
}

/// What the response says of the cookie.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Leave,
    Set(Id),
    Remove,
}

impl Visit {
    pub(crate) fn begin(
        store: Arc<dyn Sessions>,
        id: Option<Id>,
        expiry: Option<Expiry>,
        is_use: bool,
    ) -> (Self, Session) {
        let visit = Self(Arc::new(Inner {
            store,
            id,
            is_use: AtomicBool::new(is_use),
            state: Mutex::default(),
        }));
        let session = Session::new(id, Arc::new(VisitStore(visit.clone())), expiry);
        visit.state().session = Some(session.clone());
        (visit, session)
    }

    /// Changes one key of the session, safely: when another request changes it at the same time, one
    /// of the two waits for the other's value. The change is stored when this returns.
    ///
    /// `change` gets the stored value and may run several times, so it should do nothing else. What
    /// it returns the last time is returned. A value that it takes away is removed.
    ///
    /// ```
    /// # use pg_sessions::Visit;
    /// # async fn example(visit: Visit) -> Result<(), tower_sessions::session::Error> {
    /// // Of 20 requests at once that each count one, none is lost.
    /// let laps = visit.update("laps", |laps: &mut Option<u32>| {
    ///     let count = laps.unwrap_or(0) + 1;
    ///     *laps = Some(count);
    ///     count
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The database can't be reached, the stored value is not a `T`, or so many requests change the
    /// session that 100 attempts met another one each.
    pub async fn update<T, R>(
        &self,
        key: &str,
        mut change: impl FnMut(&mut Option<T>) -> R,
    ) -> std::result::Result<R, session::Error>
    where
        T: Serialize + DeserializeOwned,
    {
        let Some(session) = self.state().session.clone() else {
            return Err(Error::Backend("the response has left".to_owned()).into());
        };
        let mut apply = |data: &mut HashMap<String, Value>| {
            let mut value = data
                .get(key)
                .cloned()
                .map(serde_json::from_value)
                .transpose()?;
            let result = change(&mut value);
            match value {
                Some(value) => data.insert(key.to_owned(), serde_json::to_value(value)?),
                None => data.remove(key),
            };
            Ok::<_, session::Error>(result)
        };
        for _ in 0..ATTEMPTS {
            let stored = match session.id() {
                Some(id) => self.0.store.read(&id).await?,
                None => None,
            };
            let Some((row, mut record)) = stored.and_then(|row| Some((row.data, row.record?)))
            else {
                // A new session, which no other request knows.
                let mut data = HashMap::new();
                data.extend(
                    session
                        .get_value(key)
                        .await?
                        .map(|value| (key.to_owned(), value)),
                );
                let result = apply(&mut data)?;
                match data.remove(key) {
                    Some(value) => session.insert_value(key, value).await?,
                    None => session.remove_value(key).await?,
                };
                return Ok(result);
            };
            let before = record.data.get(key).cloned();
            let result = apply(&mut record.data)?;
            let after = record.data.get(key).cloned();
            if before == after {
                return Ok(result);
            }
            let data = encode(&record)?;
            if self.0.store.replace(&record, &data, Some(&row)).await? {
                self.is_updated(&session, key, after, data, record.data)
                    .await?;
                return Ok(result);
            }
        }
        Err(Error::Backend("the session changes too often".to_owned()).into())
    }

    /// Takes a stored change of one key over into the session of this visit, if that was read before.
    async fn is_updated(
        &self,
        session: &Session,
        key: &str,
        value: Option<Value>,
        row: Vec<u8>,
        data: HashMap<String, Value>,
    ) -> std::result::Result<(), session::Error> {
        {
            let mut state = self.state();
            let Some(seen) = &mut state.seen else {
                return Ok(());
            };
            (seen.row, seen.data) = (row, data);
            match value.clone() {
                Some(value) => seen.began.insert(key.to_owned(), value),
                None => seen.began.remove(key),
            };
        }
        match value {
            Some(value) => session.insert_value(key, value).await?,
            None => session.remove_value(key).await?,
        };
        Ok(())
    }

    /// Stores what the request changed, and returns what the response says of the cookie.
    pub(crate) async fn settle(&self, session: &Session, status: StatusCode) -> Result<Outcome> {
        let is_empty = session.is_empty().await;
        if is_empty && self.0.id.is_some() {
            let renewed_from = self.state().renewed_from.take();
            if let Some(old) = renewed_from {
                // Renewed, and ended after that.
                self.end(&old).await?;
            }
        } else if session.is_modified() && !is_empty && !status.is_server_error() {
            session.save().await.map_err(|error| match error {
                session::Error::Store(error) => error,
                session::Error::SerdeJson(error) => Error::Encode(error.to_string()),
            })?;
        }
        let fate = self.state().fate;
        Ok(match (fate, session.id()) {
            (Fate::Ended, None) => Outcome::Remove,
            (Fate::Lost, _) | (_, None) => Outcome::Leave,
            (_, Some(id)) if session.is_modified() && !status.is_server_error() => Outcome::Set(id),
            (_, Some(_)) => Outcome::Leave,
        })
    }

    /// Counts the request as use of the session, though it loads no page and sends no form.
    pub fn count_as_use(&self) {
        self.0.is_use.store(true, Ordering::Relaxed);
    }

    /// Moves the idle end of the session on, which is due, if the request counts as use.
    pub fn touch(&self) {
        if let (true, Some(id)) = (self.0.is_use.load(Ordering::Relaxed), self.0.id) {
            self.0.store.touch(id);
        }
    }

    /// Returns whether the session's cookie should not be written again.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state().fate, Fate::Ended | Fate::Lost)
    }

    /// The store of the session.
    pub fn sessions(&self) -> &dyn Sessions {
        &*self.0.store
    }

    /// Ends the visit: the session is not asked any more. Without it the two would keep each other.
    pub(crate) fn finish(&self) {
        drop(self.state().session.take());
    }

    async fn end(&self, id: &Id) -> Result<()> {
        self.0.store.end(id).await?;
        let mut state = self.state();
        state.fate = Fate::Ended;
        state.seen = None;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a change is tried again that met another one.
const ATTEMPTS: u32 = 100;

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit").finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> std::result::Result<Self, Self::Rejection> {
        (parts.extensions.get().cloned()).ok_or((
            StatusCode::INTERNAL_SERVER_ERROR,
            "the request did not come through a SessionLayer",
        ))
    }
}

/// What the session of a visit is stored by.
#[derive(Debug)]
struct VisitStore(Visit);

impl VisitStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    fn store(&self) -> &dyn Sessions {
        self.0.sessions()
    }

    fn is_seen(&self, record: &Record, row: Vec<u8>) {
        self.state().seen = Some(Seen {
            id: record.id,
            began: record.data.clone(),
            row,
            data: record.data.clone(),
        });
    }
}

#[async_trait]
impl SessionStore for VisitStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let renewed_from = self.state().renewed_from.take();
        let goes_on = {
            let state = self.state();
            let key = state
                .seen
                .as_ref()
                .and_then(|seen| SessionKey::in_data(&seen.began));
            key.is_some() && key == SessionKey::in_data(&record.data)
        };
        let row = match renewed_from {
            Some(old) if goes_on => self.store().renew(record, &old).await?,
            Some(old) => {
                // Renewed, cleared after that, and now begun anew.
                self.store().end(&old).await?;
                Some(self.store().insert(record).await?)
            }
            None => {
                if let Some(key) = self.state().unreadable.take() {
                    key.insert_into(&mut record.data);
                }
                Some(self.store().insert(record).await?)
            }
        };
        match row {
            Some(row) => {
                self.is_seen(record, row);
                self.state().fate = Fate::Stored;
            }
            // Another request was faster: its id is the one that counts, or there is none.
            None => self.state().fate = Fate::Lost,
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let seen = self.state().seen.take().filter(|seen| seen.id == record.id);
        let Some(mut seen) = seen else {
            // Cleared without being read: all of it is replaced.
            let data = encode(record)?;
            if self.store().replace(record, &data, None).await? {
                self.is_seen(record, data);
            } else {
                self.state().fate = Fate::Lost;
            }
            return Ok(());
        };
        let changes = changes(&seen.began, &record.data);
        let mut saved = changes.is_empty();
        for _ in 0..ATTEMPTS {
            if saved {
                break;
            }
            let mut merged = record.clone();
            merged.data = seen.data.clone();
            for (key, value) in &changes {
                match value {
                    Some(value) => merged.data.insert(key.clone(), value.clone()),
                    None => merged.data.remove(key),
                };
            }
            let row = encode(&merged)?;
            saved = self.store().replace(&merged, &row, Some(&seen.row)).await?;
            if saved {
                (seen.row, seen.data) = (row, merged.data);
                continue;
            }
            // Another request has changed the session, renewed its id or ended it.
            let current = self.store().read(&record.id).await?;
            let current = current.and_then(|stored| Some((stored.data, stored.record?)));
            match current {
                Some((row, current)) if row != seen.row => {
                    (seen.row, seen.data) = (row, current.data);
                }
                // It is there as it was, but with another id by now.
                _ => break,
            }
        }
        let mut state = self.state();
        if saved {
            seen.began = record.data.clone();
        } else {
            state.fate = Fate::Lost;
        }
        state.seen = Some(seen);
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let Some(stored) = self.store().read(id).await? else {
            return Ok(None);
        };
        if stored.needs_touch {
            self.0.touch();
        }
        match &stored.record {
            Some(record) => self.is_seen(record, stored.data),
            None => self.state().unreadable = Some(stored.key),
        }
        Ok(stored.record)
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        {
            let mut state = self.state();
            // `cycle_id` takes the id away before it deletes, `flush` after that (tower-sessions-core
            // 0.14, session.rs). A renewal is done by `create`, when the response leaves.
            let is_renewal = (state.session.as_ref()).is_some_and(|session| session.id().is_none());
            if is_renewal {
                if state.seen.as_ref().is_some_and(|seen| seen.id == *id) {
                    state.renewed_from.get_or_insert(*id);
                }
                return Ok(());
            }
        }
        self.0.end(id).await
    }
}

/// The keys that differ, with their new values.
fn changes(
    from: &HashMap<String, Value>,
    to: &HashMap<String, Value>,
) -> Vec<(String, Option<Value>)> {
    let changed = (to.iter())
        .filter(|(key, value)| from.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), Some(value.clone())));
    let removed = (from.keys())
        .filter(|key| !to.contains_key(*key))
        .map(|key| (key.clone(), None));
    changed.chain(removed).collect()
}
