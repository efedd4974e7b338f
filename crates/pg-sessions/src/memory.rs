//! The session store in memory, for tests and first steps.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use time::OffsetDateTime;
use tower_sessions::{
    session::{Id, Record},
    session_store::Result,
};

use crate::{
    info::{decode, encode, prepare},
    key::SessionKey,
    sessions::{Sessions, StoredSession},
};

/// Keeps sessions in the memory of this process. They end with it. Concurrent requests are as safe as
/// with [`PostgresSessionStore`](crate::PostgresSessionStore).
///
/// ```
/// use pg_sessions::{MemorySessions, SessionLayer};
/// use tower_sessions::cookie::Cookie;
///
/// let layer = SessionLayer::new(MemorySessions::default(), Cookie::new("sessionId", ""));
/// ```
#[derive(Clone, Debug)]
pub struct MemorySessions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    idle_expiry: Option<Duration>,
    rows: Mutex<HashMap<Id, Row>>,
}

#[derive(Debug)]
struct Row {
    key: SessionKey,
    data: Vec<u8>,
    /// The time at which the session ends if no more requests use it.
    expires: OffsetDateTime,
    /// The latest time at which the session ends.
    ends: Option<OffsetDateTime>,
    /// Whether the session has another id by now.
    renewed: bool,
}

/// The idle end moves at most once in this time.
const TOUCH_PERIOD: Duration = Duration::from_secs(60);

/// The old id can still read for this time after a renewal.
const OLD_ID_LIFETIME: Duration = Duration::from_secs(10);

impl Default for MemorySessions {
    fn default() -> Self {
        Self::new(None)
    }
}

impl MemorySessions {
    /// Creates an empty store. A session ends after the idle expiry without a page load, a call or a
    /// form. Default: no idle expiry.
    pub fn new(idle_expiry: Option<Duration>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Shared {
            name: format!("memory {number}"),
            idle_expiry,
            rows: Mutex::default(),
        }))
    }

    /// Returns the key of a session, and whether its idle end should move. Returns `None` if the session
    /// has ended.
    pub fn find(&self, id: &Id) -> Option<(SessionKey, bool)> {
        let rows = self.rows();
        let row = rows.get(id).filter(|row| row.is_alive())?;
        Some((row.key, self.needs_touch(row)))
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<Id, Row>> {
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a session under a new id, and removes expired sessions.
    fn insert_row(
        &self,
        rows: &mut HashMap<Id, Row>,
        record: &mut Record,
        key: SessionKey,
    ) -> Result<Vec<u8>> {
        rows.retain(|_, row| row.is_alive());
        record.id = Id::default();
        let data = encode(record)?;
        let ends = self.0.idle_expiry.map(|_| record.expiry_date);
        let row = Row {
            key,
            data: data.clone(),
            expires: self.idle_end(record.expiry_date, ends),
            ends,
            renewed: false,
        };
        rows.insert(record.id, row);
        Ok(data)
    }

    /// Returns the idle end of a session that a request uses now.
    fn idle_end(&self, expiry: OffsetDateTime, ends: Option<OffsetDateTime>) -> OffsetDateTime {
        let idle_end = (self.0.idle_expiry).map(|idle| OffsetDateTime::now_utc() + idle);
        [idle_end, ends]
            .into_iter()
            .flatten()
            .fold(expiry, Ord::min)
    }

    fn needs_touch(&self, row: &Row) -> bool {
        let latest = row.ends.unwrap_or(row.expires);
        !row.renewed && row.expires < self.idle_end(latest, row.ends) - TOUCH_PERIOD
    }
}

impl Row {
    fn is_alive(&self) -> bool {
        self.expires > OffsetDateTime::now_utc()
    }
}

#[async_trait]
impl Sessions for MemorySessions {
    fn name(&self) -> &str {
        &self.0.name
    }

    async fn read(&self, id: &Id) -> Result<Option<StoredSession>> {
        let rows = self.rows();
        let Some(row) = rows.get(id).filter(|row| row.is_alive()) else {
            return Ok(None);
        };
        Ok(Some(StoredSession {
            key: row.key,
            data: row.data.clone(),
            needs_touch: self.needs_touch(row),
            record: decode(&row.data, row.key, row.expires),
        }))
    }

    async fn insert(&self, record: &mut Record) -> Result<Vec<u8>> {
        let key = prepare(record, self.0.idle_expiry);
        self.insert_row(&mut self.rows(), record, key)
    }

    async fn renew(&self, record: &mut Record, old: &Id) -> Result<Option<Vec<u8>>> {
        let key = prepare(record, self.0.idle_expiry);
        let mut rows = self.rows();
        let Some(row) = (rows.get_mut(old)).filter(|row| row.is_alive() && !row.renewed) else {
            return Ok(None);
        };
        row.renewed = true;
        row.expires = row.expires.min(OffsetDateTime::now_utc() + OLD_ID_LIFETIME);
        self.insert_row(&mut rows, record, key).map(Some)
    }

    async fn replace(&self, record: &Record, data: &[u8], expected: Option<&[u8]>) -> Result<bool> {
        let mut rows = self.rows();
        let is_expected = |row: &&mut Row| expected.is_none_or(|expected| row.data == expected);
        let row = (rows.get_mut(&record.id)).filter(|row| !row.renewed);
        let Some(row) = row.filter(is_expected) else {
            return Ok(false);
        };
        row.data = data.to_vec();
        row.ends = row.ends.map(|ends| ends.min(record.expiry_date));
        row.expires = self.idle_end(record.expiry_date, row.ends);
        row.key = SessionKey::in_data(&record.data).unwrap_or(row.key);
        Ok(true)
    }

    async fn end(&self, id: &Id) -> Result<()> {
        let mut rows = self.rows();
        if let Some(key) = rows.get(id).map(|row| row.key) {
            rows.retain(|_, row| row.key != key);
        }
        Ok(())
    }

    fn touch(&self, id: Id) {
        if let Some(row) = (self.rows().get_mut(&id)).filter(|row| row.is_alive() && !row.renewed) {
            row.expires = self.idle_end(row.ends.unwrap_or(row.expires), row.ends);
        }
    }
}
