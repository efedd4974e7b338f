//! The data of a session that several requests change at once, or that can't be read.

use sqlx::Executor;

use crate::support::{Place, Result, Server, Visitor};

on_each_store!(requests_at_once_that_change_different_keys_lose_none);
async fn requests_at_once_that_change_different_keys_lose_none(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("begin").await?;
    let writes = ["a", "b", "c", "d"].map(|key| {
        let visitor = visitor.clone();
        async move { visitor.post(&format!("/write/{key}")).await }
    });
    futures::future::try_join_all(writes).await?;
    let keys = visitor.get_with("/keys", &[]).await?;
    assert_eq!(keys.text().await?, "a b c d");
    Ok(())
}

on_each_store!(of_20_updates_of_one_key_at_once_none_is_lost);
async fn of_20_updates_of_one_key_at_once_none_is_lost(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("begin").await?;
    let counts = (0..20).map(|_| visitor.post("/count"));
    let mut counted = Vec::new();
    for count in futures::future::try_join_all(counts).await? {
        counted.push(count.text().await?.parse::<u32>()?);
    }
    counted.sort_unstable();
    assert_eq!(counted, (1..=20).collect::<Vec<_>>());
    Ok(())
}

on_each_store!(an_update_and_a_slow_write_of_another_key_both_survive);
async fn an_update_and_a_slow_write_of_another_key_both_survive(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("begin").await?;
    let quick = async {
        tokio::time::sleep(std::time::Duration::from_millis(80)).await;
        visitor.post("/count").await
    };
    futures::try_join!(visitor.post("/write/a"), quick)?;
    let keys = visitor.get_with("/keys", &[]).await?;
    assert_eq!(keys.text().await?, "a count");
    Ok(())
}

on_each_store!(an_update_begins_a_session_on_a_first_visit);
async fn an_update_begins_a_session_on_a_first_visit(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    for expected in ["1", "2"] {
        assert_eq!(visitor.post("/count").await?.text().await?, expected);
    }
    Ok(())
}

#[tokio::test]
async fn data_that_can_not_be_read_counts_as_no_session_and_loses_no_message() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/login").await?;
    visitor.messages("/page").await?;
    visitor.push("kept").await?;
    server
        .pool
        .execute("update tower_sessions.session set data = '\\xc1'")
        .await?;
    let user = visitor.get_with("/user", &[]).await?;
    assert_eq!((user.status().as_u16(), &*user.text().await?), (200, ""));
    visitor.post("/write/a").await?;
    let keys = visitor.get_with("/keys", &[]).await?;
    assert_eq!(keys.text().await?, "a", "a new session");
    assert_eq!(visitor.messages("/page").await?, ["kept"]);
    Ok(())
}
