//! The query that stores the messages of concurrent pushes.

use std::{sync::Arc, time::Duration};

use pg_sessions::{SessionKey, database::WRITE_TIMEOUT};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{batch::Query, rows::Rows};
use crate::{
    lease::{Lease, Leased},
    message::FlashMessage,
    store::{Owner, Stored},
};

/// Stores messages. If two of them have the same session and key, the statement fails. Then the batcher
/// runs it for each message.
#[derive(Clone, Debug)]
pub struct PushQuery(pub Arc<Rows>);

/// A message to store.
pub struct NewMessage {
    pub owner: Owner,
    pub message: FlashMessage,
    /// Whether the message is leased at once, because the response's header may have it.
    pub leased: bool,
    /// A random number, by which a second attempt finds the message that the first one has stored.
    pub nonce: i64,
}

/// The outcome of a push.
pub enum PushOutcome {
    Stored(Stored),
    /// The maximum number of messages wait, all of a higher level.
    Full,
    /// The session has ended.
    NoSession,
}

impl Query for PushQuery {
    type Request = NewMessage;
    type Reply = PushOutcome;

    const TIMEOUT: Duration = WRITE_TIMEOUT;

    fn shard(&self, new: &NewMessage) -> i16 {
        let layout = self.0.layout;
        match new.owner {
            Owner::Session(id) => layout.shard(&id),
            Owner::Key(key) => layout.shard_of_key(key),
        }
    }

    async fn run(
        &self,
        connection: &mut PgConnection,
        messages: &[NewMessage],
        again: bool,
    ) -> sqlx::Result<Vec<PushOutcome>> {
        fn all<'a, T>(messages: &'a [NewMessage], value: impl Fn(&'a FlashMessage) -> T) -> Vec<T> {
            messages.iter().map(|new| value(&new.message)).collect()
        }
        let (sessions, keys): (Vec<_>, Vec<_>) = (messages.iter())
            .map(|new| match new.owner {
                Owner::Session(id) => (Some(id.to_string()), None),
                Owner::Key(key) => (None, Some(key.0)),
            })
            .unzip();
        let leased: Vec<_> = messages.iter().map(|new| new.leased).collect();
        let nonces: Vec<_> = messages.iter().map(|new| new.nonce).collect();
        let Rows {
            sql,
            limits,
            idle_seconds,
            ..
        } = &*self.0;
        let sql = if again { &sql.push_again } else { &sql.push };
        let rows = sqlx::query(sql)
            .bind(sessions)
            .bind(keys)
            .bind(all(messages, |message| message.level.as_str()))
            .bind(all(messages, |message| message.level.rank()))
            .bind(all(messages, |message| &*message.text))
            .bind(all(messages, |message| message.title.as_deref()))
            .bind(all(messages, |message| Some(&*message.link.as_ref()?.href)))
            .bind(all(messages, |message| Some(&*message.link.as_ref()?.text)))
            .bind(all(messages, |message| message.key.as_deref()))
            .bind(all(messages, |message| message.sticky))
            .bind(all(messages, |message| message.auto_dismiss))
            .bind(leased)
            .bind(nonces)
            .bind(idle_seconds)
            .bind(messages.first().map(|new| self.shard(new)))
            .bind(i64::from(limits.max_waiting))
            .bind(limits.expiry.as_secs_f64())
            .bind(limits.lease.as_secs_f64())
            .fetch_all(connection)
            .await?;
        (rows.iter())
            .map(|row| {
                let Some(key) = row.try_get::<Option<Uuid>, _>("flash_key")?.map(SessionKey) else {
                    return Ok(PushOutcome::NoSession);
                };
                let Some(id) = row.try_get("id")? else {
                    return Ok(PushOutcome::Full);
                };
                let mut lease = Lease::new(self.0.clone(), key);
                if let Some(until) = row.try_get("leased_until")? {
                    let takes = 0;
                    lease.push(Leased { id, until, takes });
                }
                Ok(PushOutcome::Stored(Stored {
                    key,
                    id,
                    lease,
                    needs_touch: row.try_get("needs_touch")?,
                }))
            })
            .collect()
    }
}
