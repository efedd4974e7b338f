//! The number of statements, as PostgreSQL counts them.

use std::{collections::BTreeMap, time::Duration};

use sqlx::Executor;

use crate::support::{Result, Server, Visitor, layout};

#[tokio::test]
async fn a_page_without_a_session_runs_no_statement() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(counted.server.address);
    visitor.messages("/page").await?;
    visitor.get_with("/file.png", &[]).await?;
    counted.ran(&[]).await
}

#[tokio::test]
async fn a_page_with_a_session_runs_one_statement() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(counted.server.address);
    visitor.push("x").await?;
    visitor.messages("/page").await?;
    counted.reset().await?;
    visitor.messages("/page").await?;
    visitor.get_with("/file.png", &[]).await?;
    counted.ran(&[("flash take", 1)]).await
}

#[tokio::test]
async fn pages_that_wait_for_the_database_share_a_take_and_a_delete() -> Result {
    let counted = Counted::start().await?;
    let visitors: Vec<_> = (0..40)
        .map(|_| Visitor::new(counted.server.address))
        .collect();
    for (number, visitor) in visitors.iter().enumerate() {
        visitor.push(&format!("for {number}")).await?;
    }
    counted.reset().await?;
    let pages =
        futures::future::try_join_all(visitors.iter().map(|visitor| visitor.messages("/page")));
    let pages = counted.server.held_up(pages).await?;
    for (number, page) in pages.iter().enumerate() {
        assert_eq!(*page, [format!("for {number}")]);
    }
    let ran = counted.count().await?;
    // At most two were under way; one of each shard was for all others.
    let shards = layout().shards().count() as i64;
    assert!((1..=2 + shards).contains(&ran["flash take"]), "{ran:?}");
    assert_eq!(ran["flash delete shown"], shards);
    Ok(())
}

#[tokio::test]
async fn a_push_with_a_session_runs_one_statement() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(counted.server.address);
    visitor.push("x").await?;
    counted.reset().await?;
    visitor.push("y").await?;
    counted.ran(&[("flash push", 1)]).await
}

#[tokio::test]
async fn pushes_that_wait_for_the_database_share_a_statement() -> Result {
    let counted = Counted::start().await?;
    let visitors: Vec<_> = (0..40)
        .map(|_| Visitor::new(counted.server.address))
        .collect();
    for visitor in &visitors {
        visitor.push("x").await?;
    }
    counted.reset().await?;
    let pushes = futures::future::try_join_all(visitors.iter().map(|visitor| visitor.push("y")));
    counted.server.held_up(pushes).await?;
    let ran = counted.count().await?;
    let shards = layout().shards().count() as i64;
    assert!((1..=2 + shards).contains(&ran["flash push"]), "{ran:?}");
    Ok(())
}

#[tokio::test]
async fn pushes_of_one_session_that_wait_for_the_database_share_a_statement() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(counted.server.address);
    visitor.push("0").await?;
    counted.reset().await?;
    let texts: Vec<_> = (1..=20).map(|number| number.to_string()).collect();
    let pushes = futures::future::try_join_all(texts.iter().map(|text| visitor.push(text)));
    counted.server.held_up(pushes).await?;
    let ran = counted.count().await?;
    let shards = layout().shards().count() as i64;
    assert!((1..=2 + shards).contains(&ran["flash push"]), "{ran:?}");
    let mut shown: Vec<u32> = (visitor.messages("/page").await?.iter())
        .map(|text| text.parse())
        .collect::<std::result::Result<_, _>>()?;
    shown.sort_unstable();
    assert_eq!(shown, (0..=20).collect::<Vec<_>>(), "each of them, once");
    Ok(())
}

#[tokio::test]
async fn a_page_and_a_push_read_no_messages_of_others_whatever_the_statistics_say() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(counted.server.address);
    visitor.push("mine").await?;
    // None of them is sticky, so the planner expects no sticky message, and they are so few that it
    // might read them all to find one.
    let others =
        "insert into flash_message (shard, flash_key, level, rank, text, sticky, expires_at)
        select shard, gen_random_uuid(), 'info', 0, 'of another', false, now() + interval '1 day'
        from generate_series(1, 900), unnest($1::int2[]) shard";
    let shards: Vec<i16> = layout().shards().collect();
    let others = sqlx::query(others).bind(shards);
    others.execute(&counted.server.pool).await?;
    counted.server.pool.execute("vacuum analyze").await?;
    let read = async || -> Result<i64> {
        // A connection reports what it has read once in a second at most, after a statement.
        tokio::time::sleep(Duration::from_millis(1100)).await;
        visitor.push("reports").await?;
        visitor.messages("/page").await?;
        let sql = "select sum(idx_tup_read)::int8 from pg_stat_user_indexes
            where relname like 'flash_message%'";
        Ok(sqlx::query_scalar(sql)
            .fetch_one(&counted.server.pool)
            .await?)
    };
    let before = read().await?;
    let entries = read().await? - before;
    assert!(
        entries < 100,
        "{entries} index entries were read for two visits"
    );
    Ok(())
}

#[tokio::test]
async fn the_push_of_a_first_visit_runs_two_statements() -> Result {
    let counted = Counted::start().await?;
    Visitor::new(counted.server.address).push("x").await?;
    counted
        .ran(&[("session create", 1), ("flash push", 1)])
        .await
}

#[tokio::test]
async fn a_page_that_redirects_gives_back_in_one_more_statement() -> Result {
    let counted = Counted::start().await?;
    let visitor = Visitor::new(counted.server.address);
    visitor.push("x").await?;
    counted.reset().await?;
    visitor.get("/fails").await?.text().await?;
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

    /// Asserts which statements ran, and how often.
    async fn ran(&self, expected: &[(&str, i64)]) -> Result {
        let expected = expected
            .iter()
            .map(|(name, calls)| ((*name).to_owned(), *calls));
        assert_eq!(self.count().await?, expected.collect());
        Ok(())
    }

    async fn count(&self) -> Result<BTreeMap<String, i64>> {
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
            *ran.entry(name(query).to_owned()).or_insert(0) += calls;
        }
        Ok(ran)
    }
}

/// The comment that each of the library's statements begins with.
fn name(query: &str) -> &str {
    let comment = query
        .strip_prefix("/* ")
        .and_then(|query| query.split_once(" */"));
    comment.map_or(query, |(name, _)| name)
}
