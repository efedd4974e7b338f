//! What [`SessionLayer`](crate::SessionLayer) asks of a store of sessions.

use std::fmt;

use async_trait::async_trait;
use tower_sessions::{
    session::{Id, Record},
    session_store::Result,
};

use crate::key::SessionKey;

/// A store whose sessions concurrent requests can't break.
///
/// It is stricter than tower-sessions' `SessionStore`: only [`insert`](Self::insert) begins a session,
/// and every other change says what it expects to find.
#[async_trait]
pub trait Sessions: fmt::Debug + Send + Sync {
    /// Returns what tells these sessions from those of another store: the name of their table.
    fn name(&self) -> &str;

    /// Reads a session.
    async fn read(&self, id: &Id) -> Result<Option<StoredSession>>;

    /// Stores a new session under a new id. Returns its data as it was stored.
    async fn insert(&self, record: &mut Record) -> Result<Vec<u8>>;

    /// Stores a session under a new id in place of `old`. Returns its data as it was stored, or `None`
    /// if the session has ended or got another id meanwhile: then nothing is stored.
    async fn renew(&self, record: &mut Record, old: &Id) -> Result<Option<Vec<u8>>>;

    /// Replaces the data of a session; where `expected` is given, only if the stored data are these.
    /// Returns false if they aren't, or if the session has ended.
    async fn replace(&self, record: &Record, data: &[u8], expected: Option<&[u8]>) -> Result<bool>;

    /// Ends a session under all its ids.
    async fn end(&self, id: &Id) -> Result<()>;

    /// Moves the idle end of a session on, soon. It is in use, and this is [due](StoredSession::needs_touch).
    fn touch(&self, id: Id);
}

/// A session as it is stored.
#[derive(Debug)]
pub struct StoredSession {
    /// The key of the session.
    pub key: SessionKey,
    /// Its data as they are stored.
    pub data: Vec<u8>,
    /// Whether its idle end should move on if it is in use.
    pub needs_touch: bool,
    /// Its data as they are read; `None` if they can't be read.
    pub record: Option<Record>,
}
