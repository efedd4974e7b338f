//! The trait of a session store, as [`SessionLayer`](crate::SessionLayer) uses it.

use std::fmt;

use async_trait::async_trait;
use tower_sessions::{
    session::{Id, Record},
    session_store::Result,
};

use crate::key::SessionKey;

/// A session store that concurrent requests can't break.
///
/// It is stricter than tower-sessions' `SessionStore`: only [`insert`](Self::insert) creates a session.
/// Each other change says what it expects in the store. All methods fail if the store can't be reached.
#[async_trait]
pub trait Sessions: fmt::Debug + Send + Sync {
    /// Returns a name that no other store in the process has, such as that of the table.
    fn name(&self) -> &str;

    /// Returns a session, or `None` if it doesn't exist or has ended.
    async fn read(&self, id: &Id) -> Result<Option<StoredSession>>;

    /// Stores a new session under a new id. Returns its encoded data.
    async fn insert(&self, record: &mut Record) -> Result<Vec<u8>>;

    /// Stores a session under a new id, in place of the id `old`. Returns its encoded data. Returns
    /// `None` and stores nothing if the session has ended or already has another id.
    async fn renew(&self, record: &mut Record, old: &Id) -> Result<Option<Vec<u8>>>;

    /// Replaces the encoded data of a session. With `expected`, it does so only if the stored data are
    /// equal to that. Returns whether it replaced them: not if the session has ended.
    async fn replace(&self, record: &Record, data: &[u8], expected: Option<&[u8]>) -> Result<bool>;

    /// Ends a session, with all its ids.
    async fn end(&self, id: &Id) -> Result<()>;

    /// Moves the idle end of a session soon. Call it if a request uses the session and
    /// [`needs_touch`](StoredSession::needs_touch) is true.
    fn touch(&self, id: Id);
}

/// A session as it is stored.
#[derive(Debug)]
pub struct StoredSession {
    /// The key of the session.
    pub key: SessionKey,
    /// The encoded data.
    pub data: Vec<u8>,
    /// Whether its idle end should move if a request uses it.
    pub needs_touch: bool,
    /// The decoded data, or `None` if they can't be read.
    pub record: Option<Record>,
}
