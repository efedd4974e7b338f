//! A fresh database on the server of `DATABASE_URL`.

use std::{env, thread, time::Duration};

use reqwest::Url;
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::Result;

/// An empty database. It is deleted when it is dropped, whatever is connected to it.
pub struct Database {
    pub url: String,
    name: String,
    server: String,
}

impl Database {
    pub async fn create() -> Result<Self> {
        let server = env::var("DATABASE_URL").map_err(
            |_| "DATABASE_URL is not set: run `cargo xtask test unit`, which brings a PostgreSQL",
        )?;
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut url = Url::parse(&server)?;
        url.set_path(&name);
        execute(&server, &format!("create database {name}")).await?;
        Ok(Self {
            url: url.into(),
            name,
            server,
        })
    }

    /// Opens a pool of 10 connections. Two instances of an app have one each.
    pub async fn connect(&self) -> Result<PgPool> {
        Ok(PgPoolOptions::new()
            .max_connections(10)
            .acquire_timeout(Duration::from_secs(2))
            .test_before_acquire(false)
            .connect(&self.url)
            .await?)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("drop database {} with (force)", self.name);
        let server = self.server.clone();
        // The thread of a runtime can't wait for a future of another one.
        let deleting = thread::spawn(move || Runtime::new()?.block_on(execute(&server, &sql)));
        if !matches!(deleting.join(), Ok(Ok(()))) {
            eprintln!("the database {} is not deleted", self.name);
        }
    }
}

async fn execute(server: &str, sql: &str) -> Result {
    let mut connection = PgConnection::connect(server).await?;
    connection.execute(sql).await?;
    Ok(connection.close().await?)
}
