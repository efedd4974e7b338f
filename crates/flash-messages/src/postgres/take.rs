//! The query that takes the messages of concurrent page loads.

use std::{sync::Arc, time::Duration};

use pg_sessions::{
    SessionKey,
    database::{READ_TIMEOUT, describe},
};
use sqlx::{PgConnection, Row, postgres::PgRow};
use tower_sessions::session::Id;
use uuid::Uuid;

use super::{batch::Query, rows::Rows};
use crate::{
    lease::{Lease, Leased, scope_of},
    level::Level,
    message::{FlashMessage, Link},
    request::Note,
    store::Taken,
};

/// Leases the waiting messages, reads the sticky ones, and deletes the noted ones.
#[derive(Clone, Debug)]
pub struct TakeQuery(pub Arc<Rows>);

/// A page load, which shows the messages of a session.
pub struct PageLoad {
    pub session: Id,
    /// The browser's notes of the messages that it has shown.
    pub notes: Vec<Note>,
}

impl Query for TakeQuery {
    type Request = PageLoad;
    type Reply = Taken;

    const TIMEOUT: Duration = READ_TIMEOUT;

    fn shard(&self, page: &PageLoad) -> i16 {
        self.0.layout.shard(&page.session)
    }

    async fn run(
        &self,
        connection: &mut PgConnection,
        pages: &[PageLoad],
        _: bool,
    ) -> sqlx::Result<Vec<Taken>> {
        let Rows {
            sql,
            limits,
            idle_seconds,
            ..
        } = &*self.0;
        let ids: Vec<_> = pages.iter().map(|page| page.session.to_string()).collect();
        // Positions begin at 1, as those of `with ordinality`.
        let noted = || {
            (1_i64..).zip(pages).flat_map(|(position, page)| {
                (page.notes.iter())
                    .flat_map(move |note| note.ids().map(move |id| (position, &*note.scope, id)))
            })
        };
        let positions: Vec<_> = noted().map(|(position, _, _)| position).collect();
        let scopes: Vec<_> = noted().map(|(_, scope, _)| scope).collect();
        let noted: Vec<_> = noted().map(|(_, _, id)| id).collect();
        let shard = pages.first().map(|page| self.shard(page));
        let take = if noted.is_empty() {
            (sqlx::query(&sql.take).bind(ids).bind(idle_seconds)).bind(shard)
        } else {
            (sqlx::query(&sql.take_noted).bind(ids).bind(idle_seconds))
                .bind(shard)
                .bind(positions)
                .bind(scopes)
                .bind(noted)
        };
        let rows = take
            .bind(limits.lease.as_secs_f64())
            .fetch_all(connection)
            .await?;
        let mut all: Vec<_> = pages.iter().map(|_| Taken::default()).collect();
        for row in &rows {
            let position: i64 = row.try_get("position")?;
            let Some(taken) = all.get_mut(position as usize - 1) else {
                continue;
            };
            taken.needs_touch = row.try_get("needs_touch")?;
            let Some(key) = row.try_get::<Option<Uuid>, _>("flash_key")?.map(SessionKey) else {
                continue;
            };
            let id: i64 = row.try_get("id")?;
            let message = match message_of(row) {
                Ok(message) => FlashMessage {
                    scope: scope_of(key),
                    ..message
                },
                Err(error) => {
                    // It is deleted, because each page of the session would log this error.
                    tracing::error!(
                        id,
                        error = describe(&error),
                        "a flash message can't be read"
                    );
                    delete_unreadable(&self.0, pages[position as usize - 1].session, id);
                    continue;
                }
            };
            if !message.sticky {
                let leased = Leased {
                    id,
                    until: row.try_get("leased_until")?,
                    takes: row.try_get("takes")?,
                };
                if taken.lease.is_empty() {
                    taken.lease = Lease::new(self.0.clone(), key);
                }
                taken.lease.push(leased);
                if row.try_get("ran_out")? {
                    metrics::counter!("flash_leases_run_out_total").increment(1);
                }
            }
            taken.messages.push(message);
        }
        Ok(all)
    }
}

/// Deletes a message that can't be read, in its own task.
fn delete_unreadable(rows: &Arc<Rows>, session: Id, id: i64) {
    let rows = rows.clone();
    tokio::spawn(async move {
        if let Err(error) = rows.dismiss(session, &[id], &[]).await {
            tracing::warn!(id, error = describe(&error), "the message stays for now");
        }
    });
}

fn message_of(row: &PgRow) -> sqlx::Result<FlashMessage> {
    let link = |href: Option<String>, text: Option<String>| {
        let (href, text) = (href?, text?);
        Some(Link { href, text })
    };
    let level: String = row.try_get("level")?;
    let level = (level.parse::<Level>()).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let mut message = FlashMessage::new(level, row.try_get::<String, _>("text")?);
    message.id = row.try_get("id")?;
    message.title = row.try_get("title")?;
    message.link = link(row.try_get("link_href")?, row.try_get("link_text")?);
    message.key = row.try_get("key")?;
    message.sticky = row.try_get("sticky")?;
    message.auto_dismiss = row.try_get("auto_dismiss")?;
    Ok(message)
}
