//! The number of statements, as PostgreSQL counts them.

use std::collections::BTreeMap;

use sqlx::Executor;

use crate::support::{HTML, Result, Server, Visitor};

#[tokio::test]
async fn a_page_without_a_session_runs_no_statement() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(&counted.server);
    visitor.page("/page").await?;
    visitor.get_with("/file.png", &[]).await?;
    counted.ran(&[]).await
}

#[tokio::test]
async fn a_page_with_a_session_runs_one_statement() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(&counted.server);
    visitor.push("x").await?;
    visitor.page("/page").await?;
    counted.reset().await?;
    visitor.page("/page").await?;
    visitor.get_with("/file.png", &[]).await?;
    counted.ran(&[("flash take", 1)]).await
}

#[tokio::test]
async fn pages_that_showed_messages_share_a_delete() -> Result {
    let counted = Counted::start().await?;
    let visitors: Vec<_> = (0..5).map(|_| Visitor::new(&counted.server)).collect();
    for visitor in &visitors {
        visitor.push("x").await?;
    }
    counted.reset().await?;
    futures::future::try_join_all(visitors.iter().map(|visitor| visitor.page("/page"))).await?;
    counted
        .ran(&[("flash delete shown", 1), ("flash take", 5)])
        .await
}

#[tokio::test]
async fn a_push_with_a_session_runs_one_statement() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(&counted.server);
    visitor.push("x").await?;
    counted.reset().await?;
    visitor.push("y").await?;
    counted.ran(&[("flash push", 1)]).await
}

#[tokio::test]
async fn the_push_of_a_first_visit_runs_two_statements() -> Result {
    let counted = Counted::start().await?;
    Visitor::new(&counted.server).push("x").await?;
    counted
        .ran(&[("session create", 1), ("flash push", 1)])
        .await
}

#[tokio::test]
async fn a_page_that_redirects_gives_back_in_one_more_statement() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(&counted.server);
    visitor.push("x").await?;
    counted.reset().await?;
    visitor.get_with("/fails", &[HTML]).await?.text().await?;
    counted
        .ran(&[("flash give back", 1), ("flash take", 1)])
        .await
}

/// A server whose statements are counted by pg_stat_statements.
struct Counted {
    server: Server,
}

impl Counted {
    async fn start() -> Result<Self> {
        let server = Server::start().await?;
        server
            .pool
            .execute("create extension if not exists pg_stat_statements")
            .await?;
        let counted = Self { server };
        counted.reset().await?;
        Ok(counted)
    }

    async fn reset(&self) -> Result {
        self.server.flash.flush().await;
        self.server
            .pool
            .execute("select pg_stat_statements_reset(0, (select oid from pg_database where datname = current_database()), 0)")
            .await?;
        Ok(())
    }

    /// Asserts which statements of the library ran, and how often.
    async fn ran(&self, expected: &[(&str, i64)]) -> Result {
        self.server.flash.flush().await;
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select query, calls from pg_stat_statements
             where dbid = (select oid from pg_database where datname = current_database())
               and query not like '%pg_stat_statements%'",
        )
        .fetch_all(&self.server.pool)
        .await?;
        let mut ran = BTreeMap::new();
        for (query, calls) in &rows {
            *ran.entry(name(query)).or_insert(0) += calls;
        }
        let expected: BTreeMap<_, _> = expected.iter().copied().collect();
        assert_eq!(ran, expected, "{rows:#?}");
        Ok(())
    }
}

/// The comment that each of the library's statements begins with.
fn name(query: &str) -> &str {
    let comment = query
        .strip_prefix("/* ")
        .and_then(|query| query.split_once(" */"));
    comment.map_or(query, |(name, _)| name)
}
