//! The message store in memory, for tests and first steps.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use pg_sessions::{MemorySessions, SessionKey, Sessions};
use time::OffsetDateTime;
use tower_sessions::session::Id;

use crate::{
    error::FlashError,
    lease::{Lease, LeaseStore, Leased, Shown, scope_of},
    message::FlashMessage,
    store::{Acknowledged, Limits, MessageStore, Note, Owner, Stored, Taken},
};

/// Keeps messages in the memory of this process. They end with it. Otherwise it works as
/// [`FlashStore`](crate::FlashStore) does.
///
/// ```
/// use flash_messages::{FlashLayer, MemoryStore, cookie::Cookie};
///
/// let flash = FlashLayer::new(MemoryStore::default(), Cookie::new("sessionId", ""));
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    sessions: MemorySessions,
    table: Arc<Table>,
}

#[derive(Debug, Default)]
struct Table {
    limits: Limits,
    rows: Mutex<Rows>,
}

#[derive(Clone, Debug, Default)]
struct Rows {
    last_id: i64,
    /// The rows of each session, in the order of their pushes.
    by_session: HashMap<SessionKey, Vec<Row>>,
}

#[derive(Clone, Debug)]
struct Row {
    message: FlashMessage,
    state: State,
    expires: OffsetDateTime,
    /// The number of pages that have taken the message.
    takes: i16,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waiting,
    LeasedUntil(OffsetDateTime),
    /// A page has shown the message. A form without JavaScript can ask it back.
    Shown,
}

/// A form without JavaScript can ask a message back for this time.
const UNDO_TIME: Duration = Duration::from_secs(3 * 60);

impl MemoryStore {
    /// Creates an empty store for these sessions, with the default [`Limits`].
    pub fn new(sessions: MemorySessions) -> Self {
        let table = Arc::default();
        Self { sessions, table }
    }

    /// Sets the limits, and removes all messages.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        let rows = Mutex::default();
        self.table = Arc::new(Table { limits, rows });
        self
    }

    /// Pushes a message without a request, for example from a job. Returns the message's id, or `None` if
    /// it is below the minimum level.
    ///
    /// # Errors
    /// Those of [`Flash::push`](crate::Flash::push).
    pub async fn push(
        &self,
        key: SessionKey,
        message: FlashMessage,
    ) -> Result<Option<i64>, FlashError> {
        if !self.limits().accept(&message)? {
            return Ok(None);
        }
        let stored = self.store(Owner::Key(key), &message, false).await?;
        Ok(stored.map(|stored| stored.id))
    }

    /// Returns the messages of all sessions that no page has shown yet, and the sticky ones.
    pub fn messages(&self) -> Vec<FlashMessage> {
        let rows = self.table.rows();
        let mut messages: Vec<_> = (rows.by_session.iter())
            .flat_map(|(key, rows)| rows.iter().map(move |row| (*key, row)))
            .filter(|(_, row)| row.is_alive() && row.state != State::Shown)
            .map(|(key, row)| row.message_of(key))
            .collect();
        messages.sort_by_key(|message| message.id);
        messages
    }

    /// Returns the key of the owner, and whether the idle end of its session should move. Returns `None`
    /// if the session has ended.
    fn owner(&self, owner: Owner) -> Option<(SessionKey, bool)> {
        match owner {
            Owner::Session(id) => self.sessions.find(&id),
            Owner::Key(key) => Some((key, false)),
        }
    }
}

impl Table {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lease_end(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + self.limits.lease
    }
}

impl Rows {
    /// Returns the rows of a session, and removes the expired ones.
    fn alive(&mut self, key: SessionKey) -> &mut Vec<Row> {
        let rows = self.by_session.entry(key).or_default();
        rows.retain(Row::is_alive);
        rows
    }

    /// Returns a row if the lease that runs out at `until` still holds it.
    fn leased(&mut self, key: SessionKey, id: i64, until: OffsetDateTime) -> Option<&mut Row> {
        let is_leased =
            |row: &&mut Row| row.message.id == id && row.state == State::LeasedUntil(until);
        self.by_session.get_mut(&key)?.iter_mut().find(is_leased)
    }
}

impl Row {
    fn is_alive(&self) -> bool {
        self.expires > OffsetDateTime::now_utc()
    }

    /// Returns whether a page can take the message.
    fn waits(&self) -> bool {
        match self.state {
            State::Waiting => true,
            State::LeasedUntil(until) => until < OffsetDateTime::now_utc(),
            State::Shown => false,
        }
    }

    fn message_of(&self, key: SessionKey) -> FlashMessage {
        FlashMessage {
            scope: scope_of(key),
            ..self.message.clone()
        }
    }
}

#[async_trait]
impl MessageStore for MemoryStore {
    fn sessions(&self) -> Arc<dyn Sessions> {
        Arc::new(self.sessions.clone())
    }

    fn limits(&self) -> &Limits {
        &self.table.limits
    }

    async fn store(
        &self,
        owner: Owner,
        message: &FlashMessage,
        leased: bool,
    ) -> Result<Option<Stored>, FlashError> {
        let Some((key, needs_touch)) = self.owner(owner) else {
            return Ok(None);
        };
        let limits = &self.table.limits;
        let mut all = self.table.rows();
        // Removes the sessions without messages.
        all.by_session
            .retain(|_, rows| rows.iter().any(Row::is_alive));
        let rows = all.alive(key);
        let replaces = |row: &Row| message.key.is_some() && row.message.key == message.key;
        let waiting = rows.iter().filter(|row| row.waits() && !replaces(row));
        let surplus = (waiting.clone().count() + 1).saturating_sub(limits.max_waiting as usize);
        // The oldest messages of the lowest level are removed.
        let mut lesser: Vec<_> = waiting
            .filter(|row| row.message.level.rank() <= message.level.rank())
            .map(|row| (row.message.level.rank(), row.message.id))
            .collect();
        if lesser.len() < surplus {
            let limit = limits.max_waiting;
            return Err(FlashError::Full { limit });
        }
        lesser.sort();
        lesser.truncate(surplus);
        rows.retain(|row| !replaces(row) && lesser.iter().all(|(_, id)| *id != row.message.id));
        all.last_id += 1;
        let id = all.last_id;
        let mut lease = Lease::new(self.table.clone(), key);
        let mut state = State::Waiting;
        if leased {
            let until = self.table.lease_end();
            state = State::LeasedUntil(until);
            lease.push(Leased {
                id,
                until,
                takes: 0,
            });
        }
        let message = FlashMessage {
            id,
            ..message.clone()
        };
        all.alive(key).push(Row {
            message,
            state,
            expires: OffsetDateTime::now_utc() + limits.expiry,
            takes: 0,
        });
        Ok(Some(Stored {
            key,
            id,
            lease,
            needs_touch,
        }))
    }

    async fn take(&self, session: Id, notes: Vec<Note>) -> Result<Taken, FlashError> {
        let Some((key, needs_touch)) = self.sessions.find(&session) else {
            return Ok(Taken::default());
        };
        let scope = scope_of(key).to_string();
        let ours = notes.iter().filter(|note| note.scope == scope);
        let noted: Vec<_> = ours.flat_map(|note| note.ids()).collect();
        let mut all = self.table.rows();
        let rows = all.alive(key);
        rows.retain(|row| row.message.sticky || !noted.contains(&row.message.id));
        let mut taken = Taken {
            messages: Vec::new(),
            lease: Lease::new(self.table.clone(), key),
            needs_touch,
        };
        for row in rows.iter_mut() {
            if !row.message.sticky {
                if !row.waits() {
                    continue;
                }
                let until = self.table.lease_end();
                row.state = State::LeasedUntil(until);
                row.takes += 1;
                let (id, takes) = (row.message.id, row.takes);
                taken.lease.push(Leased { id, until, takes });
            }
            taken.messages.push(row.message_of(key));
        }
        Ok(taken)
    }

    async fn delete_shown(&self, shown: &[Shown]) -> Result<(), FlashError> {
        let mut all = self.table.rows();
        for shown in shown {
            if let Some(row) = all.leased(shown.key, shown.id, shown.until) {
                row.state = State::Shown;
                let now = OffsetDateTime::now_utc();
                row.expires = if shown.undoable {
                    row.expires.min(now + UNDO_TIME)
                } else {
                    now
                };
            }
        }
        Ok(())
    }

    async fn delete_acknowledged(&self, messages: &[Acknowledged]) -> Result<(), FlashError> {
        let mut all = self.table.rows();
        for noted in messages {
            if let Some((key, _)) = self.sessions.find(&noted.session)
                && scope_of(key).to_string() == noted.scope
            {
                (all.alive(key)).retain(|row| row.message.sticky || row.message.id != noted.id);
            }
        }
        Ok(())
    }

    async fn dismiss(
        &self,
        session: Id,
        dismissed: &[i64],
        asked_back: &[i64],
    ) -> Result<(), FlashError> {
        let Some((key, _)) = self.sessions.find(&session) else {
            return Ok(());
        };
        let mut all = self.table.rows();
        let rows = all.alive(key);
        rows.retain(|row| !dismissed.contains(&row.message.id));
        for row in rows.iter_mut() {
            if asked_back.contains(&row.message.id) {
                if row.state == State::Shown {
                    row.expires = OffsetDateTime::now_utc() + self.table.limits.expiry;
                }
                row.state = State::Waiting;
            }
        }
        Ok(())
    }

    /// Deletes nothing: `store` removes expired messages, and so do the sessions.
    async fn delete_expired(&self) -> Result<u64, FlashError> {
        Ok(0)
    }
}

#[async_trait]
impl LeaseStore for Table {
    async fn give_back(&self, key: SessionKey, rows: &[Leased]) -> Result<(), FlashError> {
        let mut all = self.rows();
        for held in rows {
            if let Some(row) = all.leased(key, held.id, held.until) {
                row.state = State::Waiting;
                row.takes = (row.takes - 1).max(0);
            }
        }
        Ok(())
    }

    async fn renew(&self, key: SessionKey, rows: &[Leased]) -> Result<Vec<Leased>, FlashError> {
        let mut all = self.rows();
        let mut renewed = Vec::new();
        for held in rows {
            if let Some(row) = all.leased(key, held.id, held.until) {
                let until = self.lease_end();
                row.state = State::LeasedUntil(until);
                renewed.push(Leased { until, ..*held });
            }
        }
        Ok(renewed)
    }
}
