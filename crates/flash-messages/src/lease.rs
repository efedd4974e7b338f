//! A lease: messages that no other request can take for now. Dropped, it gives them back.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use pg_sessions::SessionKey;
use time::OffsetDateTime;
use tokio::task::JoinHandle;

use crate::{error::FlashError, message::Scope, request::MAX_IDS};

/// What a lease asks of the store that it comes from.
#[async_trait]
pub trait Leases: fmt::Debug + Send + Sync {
    /// Makes leased messages wait again, ids and order unchanged. Those that another page has leased
    /// since are left alone.
    async fn give_back(&self, key: SessionKey, rows: &[Leased]) -> Result<(), FlashError>;

    /// Makes leases begin again. Returns those that no other page has taken meanwhile.
    async fn renew(&self, key: SessionKey, rows: &[Leased]) -> Result<Vec<Leased>, FlashError>;
}

/// Returns the fingerprint that the messages of a session carry.
pub fn scope_of(key: SessionKey) -> Scope {
    Scope::new(key.0.as_fields().0)
}

/// A message that no other request can take for now.
#[derive(Clone, Copy, Debug)]
pub struct Leased {
    /// The message's id.
    pub id: i64,
    /// When the lease runs out. Who knows it holds the lease.
    pub until: OffsetDateTime,
    /// How many pages have taken it, this one included.
    pub takes: i16,
}

/// A message that a page has shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The session that the message belongs to.
    pub key: SessionKey,
    /// The message's id.
    pub id: i64,
    /// When the lease of the page runs out.
    pub until: OffsetDateTime,
    /// Whether the message can be asked back for 3 minutes.
    pub undoable: bool,
}

/// Messages of one session that no other request can take for now. Dropped, it gives them back.
#[derive(Debug, Default)]
pub struct Lease {
    /// The store that they come from and the session, unless the lease never held a message.
    origin: Option<(Arc<dyn Leases>, SessionKey)>,
    rows: Vec<Leased>,
}

impl Lease {
    /// A lease of no message yet, of a session in this store.
    pub fn new(store: Arc<dyn Leases>, key: SessionKey) -> Self {
        Self {
            origin: Some((store, key)),
            rows: Vec::new(),
        }
    }

    /// Adds a message that the store has leased.
    pub fn push(&mut self, row: Leased) {
        self.rows.push(row);
    }

    /// Whether the browser's note has room for all of them.
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

    /// Takes over what `other` holds, which is of the same session and store.
    pub(crate) fn join(&mut self, mut other: Lease) {
        self.rows.append(&mut other.rows);
        if let Some(origin) = other.origin.take() {
            self.origin = Some(origin);
        }
    }

    /// The page was handed over. Returns what to delete.
    ///
    /// Where the browser `acknowledges`, what it shows for the first time is left to its note: the
    /// lease runs on, and a message that never arrived is shown again after that. The second time the
    /// hand-over counts: a browser may have stopped to run scripts.
    pub(crate) fn delivered(mut self, undoable: bool, acknowledges: bool) -> Vec<Shown> {
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
                // One that was asked back is shown for the second time at least.
                undoable: undoable || takes > 1,
            })
            .collect()
    }

    /// The browser says with a later request that it has them: the lease runs on until then.
    pub(crate) fn leave_to_client(mut self) {
        self.rows.clear();
    }

    /// Splits off the rows that `keep` rejects.
    pub(crate) fn split(&mut self, keep: impl Fn(i64) -> bool) -> Lease {
        let (kept, split) = (self.rows.drain(..)).partition(|row| keep(row.id));
        self.rows = kept;
        Lease {
            origin: self.origin.clone(),
            rows: split,
        }
    }

    /// Makes the lease begin again, after a request that took long. Rows that another page has taken
    /// meanwhile are not held any more.
    pub(crate) async fn renew(&mut self) -> Result<(), FlashError> {
        if let (Some((store, key)), false) = (&self.origin, self.rows.is_empty()) {
            self.rows = store.renew(*key, &self.rows).await?;
        }
        Ok(())
    }

    /// Nothing was shown: the messages wait again. In a task of its own, which a dropped request
    /// doesn't stop.
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
