//! The lease: while a request holds it, no other request can take its messages.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use pg_sessions::SessionKey;
use time::OffsetDateTime;
use tokio::task::JoinHandle;

use crate::{error::FlashError, message::Scope, request::MAX_IDS};

/// The part of a message store that a lease needs.
#[async_trait]
pub trait LeaseStore: fmt::Debug + Send + Sync {
    /// Makes leased messages wait again, with the same ids in the same order. A message stays as it is if
    /// another page has leased it since.
    ///
    /// # Errors
    /// The store can't be reached. Then the messages wait again when the lease runs out.
    async fn give_back(&self, key: SessionKey, rows: &[Leased]) -> Result<(), FlashError>;

    /// Makes leases begin again. Returns the leased messages that no other page has taken meanwhile.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn renew(&self, key: SessionKey, rows: &[Leased]) -> Result<Vec<Leased>, FlashError>;
}

/// Returns the scope of a session's messages.
pub fn scope_of(key: SessionKey) -> Scope {
    Scope::new(key.0.as_fields().0)
}

/// A leased message.
#[derive(Clone, Copy, Debug)]
pub struct Leased {
    /// The message's id.
    pub id: i64,
    /// The time at which the lease runs out. It also identifies the lease: a later lease of the same
    /// message has another time.
    pub until: OffsetDateTime,
    /// The number of pages that have taken the message, including this one.
    pub takes: i16,
}

/// A message that a page has shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The session that the message belongs to.
    pub key: SessionKey,
    /// The message's id.
    pub id: i64,
    /// The time at which the lease of the page runs out.
    pub until: OffsetDateTime,
    /// Whether a form without JavaScript can ask the message back for 3 minutes.
    pub undoable: bool,
}

/// Leased messages of one session. While the lease exists, no other request can take them. When it is
/// dropped, they wait again.
#[derive(Debug, Default)]
pub struct Lease {
    /// The store and the session. They are `None` in a default lease, which has no messages.
    origin: Option<(Arc<dyn LeaseStore>, SessionKey)>,
    rows: Vec<Leased>,
}

impl Lease {
    /// Creates a lease without messages, for a session in this store.
    pub fn new(store: Arc<dyn LeaseStore>, key: SessionKey) -> Self {
        Self {
            origin: Some((store, key)),
            rows: Vec::new(),
        }
    }

    /// Adds a message that the store has leased.
    pub fn push(&mut self, row: Leased) {
        self.rows.push(row);
    }

    /// Returns whether the browser's note has room for all messages.
    pub(crate) fn fits_a_note(&self) -> bool {
        self.rows.len() <= MAX_IDS
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn scope(&self) -> Option<Scope> {
        (self.origin.as_ref()).map(|(_, key)| scope_of(*key))
    }

    pub(crate) fn holds(&self, id: i64) -> bool {
        self.rows.iter().any(|row| row.id == id)
    }

    /// Adds the messages of `other`, a lease of the same session in the same store.
    pub(crate) fn join(&mut self, mut other: Lease) {
        self.rows.append(&mut other.rows);
        if let Some(origin) = other.origin.take() {
            self.origin = Some(origin);
        }
    }

    /// Ends the lease of a page that was written to the network. Returns the messages to delete.
    ///
    /// If the browser acknowledges, a message that was taken once is not among them. The browser's note
    /// deletes it, or its lease runs out and another page shows it. A message that was taken twice is
    /// deleted: the browser may no longer run our script.
    pub(crate) fn into_shown(mut self, undoable: bool, acknowledges: bool) -> Vec<Shown> {
        let rows = std::mem::take(&mut self.rows);
        let Some((_, key)) = self.origin else {
            return Vec::new();
        };
        (rows.into_iter())
            .filter(|row| !acknowledges || row.takes > 1)
            .map(|Leased { id, until, takes }| Shown {
                key,
                id,
                until,
                // A message that was taken twice may have been asked back, and can be again.
                undoable: undoable || takes > 1,
            })
            .collect()
    }

    /// Keeps the messages leased. The browser notes in a later request that it has shown them; if it does
    /// not, the lease runs out.
    pub(crate) fn leave_to_browser(mut self) {
        self.rows.clear();
    }

    /// Moves the messages that `keep` rejects into another lease, and returns that.
    pub(crate) fn split(&mut self, keep: impl Fn(i64) -> bool) -> Lease {
        let (kept, split) = (self.rows.drain(..)).partition(|row| keep(row.id));
        self.rows = kept;
        Lease {
            origin: self.origin.clone(),
            rows: split,
        }
    }

    /// Makes the lease begin again. Removes the messages that another page has taken meanwhile.
    pub(crate) async fn renew(&mut self) -> Result<(), FlashError> {
        if let Some((store, key)) = &self.origin
            && !self.rows.is_empty()
        {
            self.rows = store.renew(*key, &self.rows).await?;
        }
        Ok(())
    }

    /// Makes the messages wait again, because no page has shown them. It runs in its own task, so it
    /// also finishes if the request is dropped.
    pub(crate) async fn give_back(mut self) {
        if let Some(task) = self.spawn_give_back() {
            _ = task.await;
        }
    }

    fn spawn_give_back(&mut self) -> Option<JoinHandle<()>> {
        let rows = std::mem::take(&mut self.rows);
        let (store, key) = self.origin.clone()?;
        if rows.is_empty() {
            return None;
        }
        metrics::counter!("flash_given_back_total").increment(rows.len() as u64);
        // Without a runtime the program is at its end, and the lease runs out.
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(runtime.spawn(async move {
            if let Err(error) = store.give_back(key, &rows).await {
                tracing::warn!(
                    %error,
                    "{} flash messages wait until their lease runs out",
                    rows.len()
                );
            }
        }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.spawn_give_back();
    }
}
