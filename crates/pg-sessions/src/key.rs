//! What of a session outlives its id: a key for rows that belong to the session.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_sessions::{Session, session};
use uuid::Uuid;

/// Where the key is in a session's data.
const DATA_KEY: &str = "leptos-flash.key";

/// Names a session for as long as it lives, under all its ids: the key stays when the id is renewed.
///
/// Rows of other tables that belong to a session are found by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionKey(pub Uuid);

impl SessionKey {
    /// Returns the key of a session, if the session has one yet.
    ///
    /// # Errors
    /// The session can't be read.
    pub async fn get(session: &Session) -> Result<Option<Self>, session::Error> {
        session.get(DATA_KEY).await
    }

    /// Returns the key of a session, and gives it one if it has none yet. A visitor without a session
    /// gets one then.
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

    /// Returns the key in a session's data, if there is one.
    pub fn in_data(data: &HashMap<String, Value>) -> Option<Self> {
        data.get(DATA_KEY)?.as_str()?.parse().ok().map(Self)
    }

    /// Puts the key into a session's data, unless there is one already. Returns the one that is there.
    pub(crate) fn insert_into(self, data: &mut HashMap<String, Value>) -> Self {
        let known = Self::in_data(data);
        let key = known.unwrap_or(self);
        if known.is_none() {
            data.insert(DATA_KEY.into(), key.0.to_string().into());
        }
        key
    }
}
