//! Pushes that come at the same time, in one statement.

use std::sync::Arc;

use pg_sessions::SessionKey;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{batch::Query, rows::Rows};
use crate::{
    lease::{Lease, Leased},
    message::FlashMessage,
    store::{Owner, Stored},
};

/// Stores messages. If two of them have the same key, the statement fails, and the batch runs it for
/// each of them.
#[derive(Clone, Debug)]
pub struct PushQuery(pub Arc<Rows>);

/// A message that is to be stored.
pub struct NewMessage {
    pub owner: Owner,
    pub message: FlashMessage,
    /// From the start: it travels with the response.
    pub leased: bool,
    /// Tells the message when it may be there already.
    pub nonce: i64,
}

/// What became of a message.
pub enum PushOutcome {
    Stored(Stored),
    /// All that wait are of a higher level.
    Full,
    NoSession,
}

impl Query for PushQuery {
    type Request = NewMessage;
    type Reply = PushOutcome;

    async fn run(
        &self,
        connection: &mut PgConnection,
        pushing: &[NewMessage],
        again: bool,
    ) -> sqlx::Result<Vec<PushOutcome>> {
        fn all<'a, T>(pushing: &'a [NewMessage], value: impl Fn(&'a FlashMessage) -> T) -> Vec<T> {
            pushing.iter().map(|one| value(&one.message)).collect()
        }
        let (sessions, keys): (Vec<_>, Vec<_>) = (pushing.iter())
            .map(|one| match one.owner {
                Owner::Session(id) => (Some(id.to_string()), None),
                Owner::Key(key) => (None, Some(key.0)),
            })
            .unzip();
        let leased: Vec<_> = pushing.iter().map(|one| one.leased).collect();
        let nonces: Vec<_> = pushing.iter().map(|one| one.nonce).collect();
        let Rows {
            sql, limits, idle, ..
        } = &*self.0;
        let sql = if again { &sql.push_again } else { &sql.push };
        let rows = sqlx::query(sql)
            .bind(sessions)
            .bind(keys)
            .bind(all(pushing, |message| message.level.as_str()))
            .bind(all(pushing, |message| message.level.rank()))
            .bind(all(pushing, |message| &*message.text))
            .bind(all(pushing, |message| message.title.as_deref()))
            .bind(all(pushing, |message| Some(&*message.link.as_ref()?.href)))
            .bind(all(pushing, |message| Some(&*message.link.as_ref()?.text)))
            .bind(all(pushing, |message| message.key.as_deref()))
            .bind(all(pushing, |message| message.sticky))
            .bind(all(pushing, |message| message.auto_dismiss))
            .bind(leased)
            .bind(nonces)
            .bind(idle)
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
