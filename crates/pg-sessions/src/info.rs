//! Encodes and decodes sessions, with their times and their key.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use time::OffsetDateTime;
use tower_sessions::{session::Record, session_store};
use uuid::Uuid;

use crate::key::SessionKey;

/// The session's data have its creation time under this key, in seconds since 1970.
const CREATED: &str = "leptos-flash.created";

/// The session's data have its latest end under this key, in seconds since 1970.
const ENDS: &str = "leptos-flash.ends";

/// The times of a session.
///
/// ```
/// use pg_sessions::SessionInfo;
/// use tower_sessions::session::Record;
///
/// fn summary(record: &Record) -> String {
///     let info = SessionInfo::from(record);
///     match info.ends {
///         Some(ends) => format!("until {}, at the latest until {ends}", info.idle_until),
///         None => format!("until {}", info.idle_until),
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The time at which the session was created. A new id doesn't change it. It is `None` for a
    /// session that tower-sessions-sqlx-store's `PostgresStore` wrote.
    pub created: Option<OffsetDateTime>,
    /// The time at which the session ends if no more requests use it.
    pub idle_until: OffsetDateTime,
    /// The latest time at which the session ends, however many requests use it. It is `None` without an
    /// [idle expiry](crate::PostgresSessionStore::with_idle_expiry): then each change moves the end.
    pub ends: Option<OffsetDateTime>,
}

impl From<&Record> for SessionInfo {
    fn from(record: &Record) -> Self {
        let time = |key: &str| {
            let seconds = record.data.get(key)?.as_i64()?;
            OffsetDateTime::from_unix_timestamp(seconds).ok()
        };
        Self {
            created: time(CREATED),
            idle_until: record.expiry_date,
            ends: time(ENDS),
        }
    }
}

/// Prepares a session for its first row, or for the row of a new id. It adds a key and a creation time
/// if they are missing, and the latest end if the session has an idle expiry. Returns the key.
pub(crate) fn prepare(record: &mut Record, idle_expiry: Option<Duration>) -> SessionKey {
    let key = SessionKey(Uuid::new_v4()).insert_if_absent(&mut record.data);
    let now = OffsetDateTime::now_utc().unix_timestamp();
    (record.data.entry(CREATED.into())).or_insert_with(|| now.into());
    if idle_expiry.is_some() {
        // A new id doesn't prolong the session.
        let known = SessionInfo::from(&*record).ends;
        let ends = known.map_or(record.expiry_date, |end| end.min(record.expiry_date));
        (record.data).insert(ENDS.into(), ends.unix_timestamp().into());
        record.expiry_date = ends;
    }
    key
}

/// Returns a session as its row has it: in MessagePack, as in tower-sessions-sqlx-store.
pub(crate) fn encode(record: &Record) -> session_store::Result<Vec<u8>> {
    rmp_serde::to_vec(record).map_err(|error| session_store::Error::Encode(error.to_string()))
}

/// Returns a session from its row. `expiry` and `key` are columns of the row; a session that
/// `PostgresStore` wrote has no key in its data. Returns `None` if the data can't be read.
pub(crate) fn decode(data: &[u8], key: SessionKey, expiry: OffsetDateTime) -> Option<Record> {
    let Ok(mut record) = rmp_serde::from_slice::<Record>(data) else {
        static LOGGED: AtomicBool = AtomicBool::new(false);
        if !LOGGED.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "the data of a session can't be read; it counts as no session. Was it written by \
                 another version? This is logged once"
            );
        }
        return None;
    };
    record.expiry_date = expiry;
    key.insert_if_absent(&mut record.data);
    Some(record)
}
