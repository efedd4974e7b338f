//! What the layer asks of a store of messages, and the limits that all stores share.

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

/// A store of messages. [`FlashLayer`](crate::FlashLayer) and [`Flash`](crate::Flash) work with any.
#[async_trait]
pub trait MessageStore: fmt::Debug + Send + Sync {
    /// Returns the sessions that the messages belong to.
    fn sessions(&self) -> Arc<dyn Sessions>;

    /// Returns the limits of messages.
    fn limits(&self) -> &Limits;

    /// Stores a message that is [accepted](Limits::accept), and leases it where `leased`. Returns
    /// `None` when the session is gone.
    ///
    /// # Errors
    /// As many messages as allowed of a higher level wait; the store can't be reached.
    async fn store(
        &self,
        owner: Owner,
        message: &FlashMessage,
        leased: bool,
    ) -> Result<Option<Stored>, FlashError>;

    /// Leases what waits in a session, reads what is sticky, and deletes what the browser has noted as
    /// shown.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn take(&self, session: Id, notes: Vec<Note>) -> Result<Taken, FlashError>;

    /// Deletes messages that have been shown; marks those that may be asked back.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn delete_shown(&self, shown: &[Shown]) -> Result<(), FlashError>;

    /// Deletes messages that the browser has shown, as it says with a call.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn delete_acknowledged(&self, messages: &[Acknowledged]) -> Result<(), FlashError>;

    /// Deletes messages of a session, and makes others wait again that a page has shown.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn dismiss(
        &self,
        session: Id,
        dismissed: &[i64],
        asked_back: &[i64],
    ) -> Result<(), FlashError>;

    /// Deletes what has expired: messages that nobody saw, and sessions. Returns how many messages.
    ///
    /// # Errors
    /// The store can't be reached.
    async fn delete_expired(&self) -> Result<u64, FlashError>;
}

/// Whose message it is.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    /// The session that this id belongs to, when it is alive.
    Session(Id),
    /// The session of this key, which is not looked for.
    Key(SessionKey),
}

/// A message that was stored.
#[derive(Debug)]
pub struct Stored {
    /// The session that it belongs to.
    pub key: SessionKey,
    /// Its id.
    pub id: i64,
    /// Its lease, which is empty unless one was asked for.
    pub lease: Lease,
    /// Whether the session was looked for, and its idle end should move on.
    pub needs_touch: bool,
}

/// What waited in a session.
#[derive(Debug, Default)]
pub struct Taken {
    /// The messages, in the order of their pushes.
    pub messages: Vec<FlashMessage>,
    /// The lease of those that are not sticky.
    pub lease: Lease,
    /// Whether the idle end of the session should move on.
    pub needs_touch: bool,
}

/// A message that the browser has shown, as it says with a call.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// The session of the call.
    pub session: Id,
    /// The scope that the browser noted.
    pub scope: String,
    /// The message's id.
    pub id: i64,
}

/// The limits of messages.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Pushes below this level are dropped without an error. Default: none is.
    pub min_level: Option<Level>,
    /// The longest message in bytes: text, title, link and key together. Default: 2048.
    pub max_bytes: usize,
    /// How many messages of one session may wait. Default: 50.
    pub max_waiting: u32,
    /// How long a page may take from its request to its last byte. Default: 15 seconds.
    pub lease: Duration,
    /// How long a message waits to be seen. Default: 1 day.
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
    /// Returns whether to store the message: false below the minimum level.
    ///
    /// # Errors
    /// The message is empty, too long, contains a NUL character or a link to another site.
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
