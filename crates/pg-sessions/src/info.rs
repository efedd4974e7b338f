//! When a session was born and when it ends, as its data tells.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use time::OffsetDateTime;
use tower_sessions::{session::Record, session_store};
use uuid::Uuid;

use crate::key::SessionKey;

/// Where the times of its birth and its latest end are, in seconds since 1970.
const CREATED: &str = "leptos-flash.created";
const ENDS: &str = "leptos-flash.ends";

/// Returns when a session was born; renewing its id doesn't change that. Sessions that the plain
/// `PostgresStore` wrote don't know it.
pub fn created(record: &Record) -> Option<OffsetDateTime> {
    seconds(record, CREATED)
}

/// Returns when a session ends at the latest, however busy it is. Without an
/// [idle expiry](crate::PostgresSessionStore::with_idle_expiry) there is no such time: the end moves
/// on with each change.
pub fn ends(record: &Record) -> Option<OffsetDateTime> {
    seconds(record, ENDS)
}

fn seconds(record: &Record, name: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(record.data.get(name)?.as_i64()?).ok()
}

/// Gives a session that is about to be stored its key, its birth and, if it has an idle expiry, its
/// latest end.
pub(crate) fn stamp(record: &mut Record, idle_expiry: Option<Duration>) -> SessionKey {
    let key = SessionKey(Uuid::new_v4()).insert_into(&mut record.data);
    let now = OffsetDateTime::now_utc().unix_timestamp();
    (record.data.entry(CREATED.into())).or_insert_with(|| now.into());
    if idle_expiry.is_some() {
        // A renewed id has the end of the session that it goes on with.
        let ends = ends(record).map_or(record.expiry_date, |end| end.min(record.expiry_date));
        (record.data).insert(ENDS.into(), ends.unix_timestamp().into());
        record.expiry_date = ends;
    }
    key
}

/// Returns a session as it is stored: in MessagePack, as tower-sessions-sqlx-store does.
pub(crate) fn encode(record: &Record) -> session_store::Result<Vec<u8>> {
    rmp_serde::to_vec(record).map_err(|error| session_store::Error::Encode(error.to_string()))
}

/// Returns a session as it is read from its data: with the end that its row has, and its key, which a
/// session that `PostgresStore` wrote has in the row alone. Returns `None` if the data can't be read.
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
    key.insert_into(&mut record.data);
    Some(record)
}
