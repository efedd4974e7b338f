//! Stores what one request changes in its session, and decides what the response does with the cookie.

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
/// next to tower-sessions' `Session`. Handlers extract it.
///
/// Handlers and other crates use the `Session` as before. Three things differ from tower-sessions:
/// - `Session::cycle_id` takes effect with the response, unless that is a 5xx. Concurrent requests may
///   still send the old id. It can read the session and get messages for 10 more seconds.
/// - `Session::flush` ends the session with all its ids.
/// - If another request has changed the session meanwhile, the changes of both are merged key by key.
///   To change one key depending on its value, use [`update`](Self::update).
#[derive(Clone)]
pub struct Visit(Arc<Inner>);

struct Inner {
    store: Arc<dyn Sessions>,
    /// The session id in the request's cookie.
    id: Option<Id>,
    /// Whether the request moves the idle end of the session.
    counts_as_use: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The session of this request, for its current id. It is `None` when the visit is finished.
    session: Option<Session>,
    snapshot: Option<Snapshot>,
    /// The key of a session whose data can't be read. The session that replaces it gets this key.
    unreadable: Option<SessionKey>,
    /// The id that `cycle_id` replaces.
    renewed_from: Option<Id>,
    outcome: Outcome,
}

/// The stored session, as this request has seen it last.
struct Snapshot {
    id: Id,
    /// The data from which the request's own changes are computed.
    original: HashMap<String, Value>,
    /// The row as the request read or wrote it last, encoded.
    row: Vec<u8>,
    /// The same row, decoded.
    data: HashMap<String, Value>,
}

/// The effect of this request on the stored session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Outcome {
    #[default]
    Unchanged,
    /// The request created the session, or gave it a new id.
    Stored,
    /// The request ended the session.
    Ended,
    /// The request's changes were dropped: another request has ended the session or renewed its id.
    Conflict,
}

/// What the response does with the cookie.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CookieAction {
    Keep,
    Set(Id),
    Remove,
}

impl Visit {
    /// Begins the visit of a request with this id in its cookie. Returns the visit and its session.
    pub(crate) fn begin(
        store: Arc<dyn Sessions>,
        id: Option<Id>,
        expiry: Option<Expiry>,
        counts_as_use: bool,
    ) -> (Self, Session) {
        let visit = Self(Arc::new(Inner {
            store,
            id,
            counts_as_use: AtomicBool::new(counts_as_use),
            state: Mutex::default(),
        }));
        let session = Session::new(id, Arc::new(VisitStore(visit.clone())), expiry);
        visit.state().session = Some(session.clone());
        (visit, session)
    }

    /// Changes one key of the session, and returns what `change` returns. The change is stored then.
    ///
    /// If another request changes the session at the same time, this method reads the new value and calls
    /// `change` again. So `change` should have no side effects. If it leaves `None`, the key is removed.
    ///
    /// ```
    /// # use pg_sessions::Visit;
    /// # async fn example(visit: Visit) -> Result<(), tower_sessions::session::Error> {
    /// // If 20 requests count at once, all 20 are counted.
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
    /// - The database can't be reached.
    /// - The stored value is not a `T`.
    /// - Another request changes the session during each of 100 attempts.
    /// - The response has left already.
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
        for _ in 0..MAX_ATTEMPTS {
            let stored = match session.id() {
                Some(id) => self.0.store.read(&id).await?,
                None => None,
            };
            let Some((row, mut record)) = stored.and_then(|row| Some((row.data, row.record?)))
            else {
                // The session is new, so no other request can change it.
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
                self.apply_update(&session, key, after, data, record.data)
                    .await?;
                return Ok(result);
            }
        }
        Err(Error::Backend("the session changes too often".to_owned()).into())
    }

    /// Copies a stored change of one key into the request's session, if the request has read that.
    async fn apply_update(
        &self,
        session: &Session,
        key: &str,
        value: Option<Value>,
        row: Vec<u8>,
        data: HashMap<String, Value>,
    ) -> std::result::Result<(), session::Error> {
        {
            let mut state = self.state();
            let Some(snapshot) = &mut state.snapshot else {
                return Ok(());
            };
            (snapshot.row, snapshot.data) = (row, data);
            match value.clone() {
                Some(value) => snapshot.original.insert(key.to_owned(), value),
                None => snapshot.original.remove(key),
            };
        }
        match value {
            Some(value) => session.insert_value(key, value).await?,
            None => session.remove_value(key).await?,
        };
        Ok(())
    }

    /// Stores what the request has changed. Returns what the response does with the cookie.
    pub(crate) async fn settle(
        &self,
        session: &Session,
        status: StatusCode,
    ) -> Result<CookieAction> {
        let is_empty = session.is_empty().await;
        if is_empty && self.0.id.is_some() {
            let renewed_from = self.state().renewed_from.take();
            if let Some(old) = renewed_from {
                // The handler called `cycle_id` and then `flush`.
                self.end(&old).await?;
            }
        } else if session.is_modified() && !is_empty && !status.is_server_error() {
            session.save().await.map_err(|error| match error {
                session::Error::Store(error) => error,
                session::Error::SerdeJson(error) => Error::Encode(error.to_string()),
            })?;
        }
        let outcome = self.state().outcome;
        Ok(match (outcome, session.id()) {
            (Outcome::Ended, None) => CookieAction::Remove,
            (Outcome::Conflict, _) | (_, None) => CookieAction::Keep,
            (_, Some(id)) if session.is_modified() && !status.is_server_error() => {
                CookieAction::Set(id)
            }
            (_, Some(_)) => CookieAction::Keep,
        })
    }

    /// Makes the request move the idle end of the session, even if it loads no page and sends no form.
    pub fn count_as_use(&self) {
        self.0.counts_as_use.store(true, Ordering::Relaxed);
    }

    /// Moves the idle end of the session soon, if the request counts as use. Call it if
    /// [`needs_touch`](crate::StoredSession::needs_touch) is true.
    pub fn touch(&self) {
        if let Some(id) = self.0.id
            && self.0.counts_as_use.load(Ordering::Relaxed)
        {
            self.0.store.touch(id);
        }
    }

    /// Returns whether the request's session id is no longer valid. Its cookie must not be written again.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state().outcome, Outcome::Ended | Outcome::Conflict)
    }

    /// Returns the store of the session.
    pub fn sessions(&self) -> &dyn Sessions {
        &*self.0.store
    }

    /// Finishes the visit. The session holds the visit as its store, so this breaks a reference cycle.
    pub(crate) fn finish(&self) {
        drop(self.state().session.take());
    }

    async fn end(&self, id: &Id) -> Result<()> {
        self.0.store.end(id).await?;
        let mut state = self.state();
        state.outcome = Outcome::Ended;
        state.snapshot = None;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change that meets concurrent changes is tried this often.
const MAX_ATTEMPTS: u32 = 100;

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

/// The store of a visit's `Session`. tower-sessions calls it when a handler reads or saves.
#[derive(Debug)]
struct VisitStore(Visit);

impl VisitStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    fn store(&self) -> &dyn Sessions {
        self.0.sessions()
    }

    /// Takes a snapshot of a session that was just read or written.
    fn take_snapshot(&self, record: &Record, row: Vec<u8>) {
        self.state().snapshot = Some(Snapshot {
            id: record.id,
            original: record.data.clone(),
            row,
            data: record.data.clone(),
        });
    }
}

#[async_trait]
impl SessionStore for VisitStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let renewed_from = self.state().renewed_from.take();
        let is_same_session = {
            let state = self.state();
            let key = state
                .snapshot
                .as_ref()
                .and_then(|snapshot| SessionKey::in_data(&snapshot.original));
            key.is_some() && key == SessionKey::in_data(&record.data)
        };
        let row = match renewed_from {
            Some(old) if is_same_session => self.store().renew(record, &old).await?,
            Some(old) => {
                // The handler called `cycle_id`, then `clear`, and then stored new data.
                self.store().end(&old).await?;
                Some(self.store().insert(record).await?)
            }
            None => {
                if let Some(key) = self.state().unreadable.take() {
                    key.insert_if_absent(&mut record.data);
                }
                Some(self.store().insert(record).await?)
            }
        };
        match row {
            Some(row) => {
                self.take_snapshot(record, row);
                self.state().outcome = Outcome::Stored;
            }
            // Another request has renewed the id or ended the session before this one.
            None => self.state().outcome = Outcome::Conflict,
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let snapshot = self.state().snapshot.take();
        let Some(mut snapshot) = snapshot.filter(|snapshot| snapshot.id == record.id) else {
            // The handler cleared the session without reading it, so all its data are replaced.
            let data = encode(record)?;
            if self.store().replace(record, &data, None).await? {
                self.take_snapshot(record, data);
            } else {
                self.state().outcome = Outcome::Conflict;
            }
            return Ok(());
        };
        let changes = changes(&snapshot.original, &record.data);
        let mut saved = changes.is_empty();
        for _ in 0..MAX_ATTEMPTS {
            if saved {
                break;
            }
            let mut merged = record.clone();
            merged.data = snapshot.data.clone();
            for (key, value) in &changes {
                match value {
                    Some(value) => merged.data.insert(key.clone(), value.clone()),
                    None => merged.data.remove(key),
                };
            }
            let row = encode(&merged)?;
            saved = self
                .store()
                .replace(&merged, &row, Some(&snapshot.row))
                .await?;
            if saved {
                (snapshot.row, snapshot.data) = (row, merged.data);
                continue;
            }
            // Another request has changed the session, renewed its id or ended it.
            let current = self.store().read(&record.id).await?;
            let current = current.and_then(|stored| Some((stored.data, stored.record?)));
            match current {
                Some((row, current)) if row != snapshot.row => {
                    (snapshot.row, snapshot.data) = (row, current.data);
                }
                // The row is unchanged, so the session has another id by now; or there is no row.
                _ => break,
            }
        }
        let mut state = self.state();
        if saved {
            snapshot.original = record.data.clone();
        } else {
            state.outcome = Outcome::Conflict;
        }
        state.snapshot = Some(snapshot);
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
            Some(record) => self.take_snapshot(record, stored.data),
            None => self.state().unreadable = Some(stored.key),
        }
        Ok(stored.record)
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        {
            let mut state = self.state();
            // `Session::cycle_id` removes the id before it calls `delete`, `Session::flush` after that
            // (tower-sessions-core 0.14). `create` renews the id when the response leaves.
            let is_renewal = (state.session.as_ref()).is_some_and(|session| session.id().is_none());
            if is_renewal {
                if (state.snapshot.as_ref()).is_some_and(|snapshot| snapshot.id == *id) {
                    state.renewed_from.get_or_insert(*id);
                }
                return Ok(());
            }
        }
        self.0.end(id).await
    }
}

/// Returns the keys whose values differ, with their new values. A removed key has the value `None`.
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
