//! The statements that change or delete rows of the table, outside of pushes and takes.

use std::sync::Arc;

use async_trait::async_trait;
use pg_sessions::{Layout, SessionKey, database::Database};
use sqlx::Row;
use time::OffsetDateTime;
use tower_sessions::session::Id;

use super::sql::Sql;
use crate::{
    error::FlashError,
    lease::{LeaseStore, Leased, Shown},
    store::{Acknowledged, Limits},
};

/// The statements on the table, and the values that all of them share.
#[derive(Clone, Debug)]
pub struct Rows {
    pub database: Database,
    pub layout: Layout,
    /// The idle expiry of the sessions, in seconds.
    pub idle_seconds: Option<f64>,
    pub limits: Limits,
    pub sql: Arc<Sql>,
}

impl Rows {
    /// Deletes messages that pages have shown, or marks them if they are undoable.
    pub async fn delete_shown(&self, shown: &[Shown]) -> sqlx::Result<()> {
        let of_shards = Layout::by_shard(shown, |shown| self.layout.shard_of_key(shown.key));
        let mut done = Ok(());
        for (shard, shown) in of_shards {
            let keys: Vec<_> = shown.iter().map(|shown| shown.key.0).collect();
            let ids: Vec<_> = shown.iter().map(|shown| shown.id).collect();
            let until: Vec<_> = shown.iter().map(|shown| shown.until).collect();
            let undoable: Vec<_> = shown.iter().map(|shown| shown.undoable).collect();
            let delete = || {
                sqlx::query(&self.sql.delete_shown)
                    .bind(&keys)
                    .bind(&ids)
                    .bind(&until)
                    .bind(&undoable)
                    .bind(shard)
            };
            // The caller tries again by itself. A shard that can't be reached blocks no other one.
            done = done.and(self.database.read(delete).await.map(drop));
        }
        done
    }

    /// Deletes messages that the browser has noted as shown.
    pub async fn delete_acknowledged(&self, messages: &[Acknowledged]) -> sqlx::Result<()> {
        let of_shards = Layout::by_shard(messages, |noted| self.layout.shard(&noted.session));
        let mut done = Ok(());
        for (shard, messages) in of_shards {
            let sessions: Vec<_> = (messages.iter())
                .map(|noted| noted.session.to_string())
                .collect();
            let scopes: Vec<_> = messages.iter().map(|noted| &*noted.scope).collect();
            let ids: Vec<_> = messages.iter().map(|noted| noted.id).collect();
            let delete = || {
                sqlx::query(&self.sql.delete_acknowledged)
                    .bind(&sessions)
                    .bind(&scopes)
                    .bind(&ids)
                    .bind(shard)
            };
            // The caller tries again by itself. A shard that can't be reached blocks no other one.
            done = done.and(self.database.read(delete).await.map(drop));
        }
        done
    }

    /// Deletes the dismissed messages of a session, and makes the others wait again.
    pub async fn dismiss(
        &self,
        session: Id,
        dismissed: &[i64],
        asked_back: &[i64],
    ) -> sqlx::Result<()> {
        let (shard, session) = (self.layout.shard(&session), session.to_string());
        let dismiss = || {
            sqlx::query(&self.sql.dismiss)
                .bind(shard)
                .bind(&session)
                .bind(self.limits.expiry.as_secs_f64())
                .bind(asked_back)
                .bind(dismissed)
        };
        self.database.write(dismiss).await?;
        Ok(())
    }
}

#[async_trait]
impl LeaseStore for Rows {
    async fn give_back(&self, key: SessionKey, rows: &[Leased]) -> Result<(), FlashError> {
        let (ids, until) = ids_and_ends(rows);
        let give_back = || {
            sqlx::query(&self.sql.give_back)
                .bind(&ids)
                .bind(&until)
                .bind(self.layout.shard_of_key(key))
                .bind(key.0)
        };
        self.database.write(give_back).await?;
        Ok(())
    }

    async fn renew(&self, key: SessionKey, rows: &[Leased]) -> Result<Vec<Leased>, FlashError> {
        let (ids, until) = ids_and_ends(rows);
        let renew = || {
            sqlx::query(&self.sql.renew_lease)
                .bind(self.limits.lease.as_secs_f64())
                .bind(&ids)
                .bind(&until)
                .bind(self.layout.shard_of_key(key))
                .bind(key.0)
        };
        let renewed = self.database.write(renew).await?.rows;
        (renewed.iter())
            .map(|row| {
                let id = row.try_get("id")?;
                let takes = rows
                    .iter()
                    .find(|row| row.id == id)
                    .map_or(1, |row| row.takes);
                let until = row.try_get("leased_until")?;
                Ok(Leased { id, until, takes })
            })
            .collect::<sqlx::Result<_>>()
            .map_err(FlashError::from)
    }
}

fn ids_and_ends(rows: &[Leased]) -> (Vec<i64>, Vec<OffsetDateTime>) {
    rows.iter().map(|row| (row.id, row.until)).unzip()
}
