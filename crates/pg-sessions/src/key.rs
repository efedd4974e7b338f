//! The key of a session, which stays when the session gets a new id.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_sessions::{
    Session,
    session::{self, Id},
};
use uuid::Uuid;

/// The session's data have its key under this name.
const DATA_KEY: &str = "leptos-flash.key";

/// Names a session for its whole life. A session may have several ids, but only one key.
///
/// Rows of other tables refer to a session by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionKey(pub Uuid);

impl SessionKey {
    /// Returns the key of a session, or `None` if the session has none yet.
    ///
    /// # Errors
    /// The session can't be read.
    pub async fn get(session: &Session) -> Result<Option<Self>, session::Error> {
        session.get(DATA_KEY).await
    }

    /// Returns the key of a session. A session without a key gets one, and so does a visitor without a
    /// session.
    ///
    /// # Errors
    /// The session can't be read.
    pub async fn get_or_insert(session: &Session) -> Result<Self, session::Error> {
        if let Some(key) = Self::get(session).await? {
            return Ok(key);
        }
        let key = Self(Uuid::new_v4());
        session.insert(DATA_KEY, key).await?;
        Ok(key)
    }

    /// Returns the key in a session's data, or `None` if there is none.
    pub fn in_data(data: &HashMap<String, Value>) -> Option<Self> {
        data.get(DATA_KEY)?.as_str()?.parse().ok().map(Self)
    }

    /// Returns a new id for the session. It ends with the same byte as the key, so that both name the
    /// same [shard](crate::Layout).
    pub(crate) fn new_id(self) -> Id {
        Id((Id::default().0 & !0xff) | i128::from(self.last_byte()))
    }

    pub(crate) fn last_byte(self) -> u8 {
        self.0.as_bytes()[15]
    }

    /// Adds this key to a session's data if they have none. Returns the key that they have then.
    pub(crate) fn insert_if_absent(self, data: &mut HashMap<String, Value>) -> Self {
        let known = Self::in_data(data);
        let key = known.unwrap_or(self);
        if known.is_none() {
            data.insert(DATA_KEY.into(), key.0.to_string().into());
        }
        key
    }
}
