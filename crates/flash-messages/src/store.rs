//! The trait of a message store, and the limits that all stores share.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use pg_sessions::{SessionKey, Sessions};
use tower_sessions::session::Id;

use crate::{
    error::FlashError,
    lease::{Lease, Shown},
    level::Level,
    message::FlashMessage,
    redirect::is_local,
};

pub use crate::request::Note;

/// A message store. [`FlashLayer`](crate::FlashLayer) and [`Flash`](crate::Flash) work with any store.
#[async_trait]
pub trait MessageStore: fmt::Debug + Send + Sync {
    /// Returns the sessions that the messages belong to.
    fn sessions(&self) -> Arc<dyn Sessions>;

    /// Returns the limits of the messages.
    fn limits(&self) -> &Limits;

    /// Stores a message that [`Limits::accept`] has accepted. If `leased`, no page can take it for the
    /// time of a lease. Returns `None` if the session has ended.
    ///
    /// # Errors
    /// - The maximum number of messages wait, all of a higher level.
    /// - The store can't be reached.
    async fn store(
        &self,
        owner: Owner,
        message: &FlashMessage,
        leased: bool,
    ) -> Result<Option<Stored>, FlashError>;

    /// Takes the messages of a session for a page. It leases the waiting messages, reads the sticky ones,
    /// and deletes those that the browser has noted as shown.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn take(&self, session: Id, notes: Vec<Note>) -> Result<Taken, FlashError>;

    /// Deletes messages that pages have shown. It keeps an [undoable](Shown::undoable) message for 3
    /// minutes, marked as shown.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn delete_shown(&self, shown: &[Shown]) -> Result<(), FlashError>;

    /// Deletes messages that the browser has noted as shown.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn delete_acknowledged(&self, messages: &[Acknowledged]) -> Result<(), FlashError>;

    /// Deletes the `dismissed` messages of a session. Makes the `asked_back` messages wait again, which a
    /// page has shown.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn dismiss(
        &self,
        session: Id,
        dismissed: &[i64],
        asked_back: &[i64],
    ) -> Result<(), FlashError>;

    /// Deletes expired messages and expired sessions. Returns the number of deleted messages.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn delete_expired(&self) -> Result<u64, FlashError>;
}

/// The session that a new message belongs to.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    /// The session with this id, if it has not ended.
    Session(Id),
    /// The session with this key. The store doesn't check that it exists.
    Key(SessionKey),
}

/// A stored message.
#[derive(Debug)]
pub struct Stored {
    /// The key of its session.
    pub key: SessionKey,
    /// The message's id.
    pub id: i64,
    /// The lease of the message. It is empty if the message was stored without a lease.
    pub lease: Lease,
    /// Whether the idle end of the session should move. It is false for [`Owner::Key`].
    pub needs_touch: bool,
}

/// The messages that a page has taken.
#[derive(Debug, Default)]
pub struct Taken {
    /// The messages, in the order of their pushes.
    pub messages: Vec<FlashMessage>,
    /// The lease of the messages that are not sticky.
    pub lease: Lease,
    /// Whether the idle end of the session should move.
    pub needs_touch: bool,
}

/// A message that the browser has noted as shown, in the cookie of a call.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// The session that made the call.
    pub session: Id,
    /// The scope in the note, 8 hexadecimal digits.
    pub scope: String,
    /// The message's id.
    pub id: i64,
}

/// The limits of the messages in a store.
///
/// ```
/// use flash_messages::store::Limits;
///
/// let limits = Limits { max_waiting: 10, ..Limits::default() };
/// assert_eq!(limits.max_bytes, 2048);
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    /// A push below this level is dropped without an error. Default: none, so all levels are stored.
    pub min_level: Option<Level>,
    /// Maximum bytes of text, title, link and key together. Default: 2048.
    pub max_bytes: usize,
    /// Maximum number of waiting messages in a session. Default: 50.
    pub max_waiting: u32,
    /// Maximum time from the request of a page to its last byte. Default: 15 seconds.
    pub lease: Duration,
    /// An unseen message is deleted after this time. Default: 1 day.
    pub expiry: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            min_level: None,
            max_bytes: 2048,
            max_waiting: 50,
            lease: Duration::from_secs(15),
            expiry: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl Limits {
    /// Returns whether the message should be stored. It should not if it is below the minimum level.
    ///
    /// # Errors
    /// - [`FlashError::EmptyText`]: the text is empty or blank.
    /// - [`FlashError::NulCharacter`]: a part contains a NUL character.
    /// - [`FlashError::TooLong`]: text, title, link and key are longer than `max_bytes`.
    /// - [`FlashError::NotLocal`]: the link leaves this site.
    pub fn accept(&self, message: &FlashMessage) -> Result<bool, FlashError> {
        let link = (message.link.as_ref()).map(|link| [&link.href, &link.text]);
        let parts = || {
            [
                Some(&message.text),
                message.title.as_ref(),
                message.key.as_ref(),
            ]
            .into_iter()
            .flatten()
            .chain(link.into_iter().flatten())
        };
        if message.text.trim().is_empty() {
            return Err(FlashError::EmptyText);
        }
        if parts().any(|part| part.contains('\0')) {
            return Err(FlashError::NulCharacter);
        }
        let bytes = parts().map(|part| part.len()).sum();
        if bytes > self.max_bytes {
            let limit = self.max_bytes;
            return Err(FlashError::TooLong { bytes, limit });
        }
        if message
            .link
            .as_ref()
            .is_some_and(|link| !is_local(&link.href))
        {
            return Err(FlashError::NotLocal);
        }
        Ok((self.min_level.as_ref()).is_none_or(|min| message.level.rank() >= min.rank()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_shown_is_refused_with_its_reason() {
        let limits = Limits {
            max_bytes: 10,
            ..Limits::default()
        };
        let refused = |message: FlashMessage| limits.accept(&message).expect_err("refused");
        assert!(matches!(
            refused(FlashMessage::info(" ")),
            FlashError::EmptyText
        ));
        assert!(matches!(
            refused(FlashMessage::info("a\0")),
            FlashError::NulCharacter
        ));
        assert!(matches!(
            refused(FlashMessage::info("0123456789").title("x")),
            FlashError::TooLong {
                bytes: 11,
                limit: 10
            }
        ));
        assert!(matches!(
            refused(FlashMessage::info("a").link("//b.c", "d")),
            FlashError::NotLocal
        ));
    }

    #[test]
    fn messages_below_the_minimum_level_are_dropped() {
        let limits = Limits {
            min_level: Some(Level::Warning),
            ..Limits::default()
        };
        assert!(!limits.accept(&FlashMessage::success("a")).expect("valid"));
        assert!(limits.accept(&FlashMessage::warning("a")).expect("valid"));
    }
}
