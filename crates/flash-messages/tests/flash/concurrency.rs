//! Many requests at once, on one instance and on two.

use flash_messages::{FlashMessage, FlashStore, SessionKey};
use futures::{StreamExt, TryStreamExt, stream};
use sqlx::Executor;

use crate::support::{Database, Result, Server, Visitor, sessions_in};

/// Scenario 2.
#[tokio::test(flavor = "multi_thread")]
async fn of_200_concurrent_pushes_eight_concurrent_pages_show_each_once() -> Result {
    let server = Server::start().await?;
    push_then_show(&[&server]).await
}

/// Scenario 4.
#[tokio::test(flavor = "multi_thread")]
async fn of_200_concurrent_pushes_two_instances_show_each_once() -> Result {
    let database = Database::create().await?;
    let one = Server::start_at(&database, |store| store).await?;
    let two = Server::start_at(&database, |store| store).await?;
    push_then_show(&[&one, &two]).await?;
    push_and_show_at_once(&[&one, &two]).await
}

/// Scenario 3.
#[tokio::test(flavor = "multi_thread")]
async fn of_120_pushes_mixed_with_120_pages_each_is_shown_once() -> Result {
    let server = Server::start().await?;
    push_and_show_at_once(&[&server]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_pages_that_share_a_take_one_shows_a_message_and_all_what_is_sticky() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("once").await?;
    visitor.post("/sticky").await?;
    let pages = futures::future::try_join_all((0..20).map(|_| visitor.messages("/page")));
    let pages = server.held_up(pages).await?;
    let with = |shown: &[&str]| pages.iter().filter(|page| *page == shown).count();
    assert_eq!(with(&["once", "stays"]), 1, "{pages:?}");
    assert_eq!(with(&["stays"]), 19, "{pages:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_pushes_that_share_a_statement_one_that_fails_fails_alone() -> Result {
    let server = Server::start().await?;
    let visitors: Vec<_> = (0..20).map(|_| Visitor::new(server.address)).collect();
    for visitor in &visitors {
        visitor.push("first").await?;
    }
    sqlx::query("alter table flash_message add check (text <> 'push 7')")
        .execute(&server.pool)
        .await?;
    let pushes = visitors
        .iter()
        .enumerate()
        .map(|(number, visitor)| async move {
            let pushed = visitor.post(&format!("/push/info/push {number}")).await?;
            Ok(pushed.status().as_u16())
        });
    let answers = server
        .held_up(futures::future::try_join_all(pushes))
        .await?;
    for (number, visitor) in visitors.iter().enumerate() {
        let second = format!("push {number}");
        let (status, shown) = match number {
            7 => (503, vec!["first"]),
            _ => (303, vec!["first", &second]),
        };
        assert_eq!(answers[number], status);
        assert_eq!(visitor.messages("/page").await?, shown);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_waits_for_a_lock_does_not_hold_up_the_others() -> Result {
    let server = Server::start().await?;
    let (one, other) = (Visitor::new(server.address), Visitor::new(server.address));
    one.post("/keyed/first").await?;
    other.push("first").await?;
    let mut lock = server.pool.begin().await?;
    lock.execute("select from flash_message where key is not null for update")
        .await?;
    let waiting = tokio::spawn(async move { one.post("/keyed/second").await.map(|_| one) });
    // The push has begun when PostgreSQL says that it waits.
    while !server.somebody_waits_for_a_lock().await? {
        tokio::task::yield_now().await;
    }
    other.push("second").await?;
    assert_eq!(other.messages("/page").await?, ["first", "second"]);
    assert!(!waiting.is_finished());
    lock.rollback().await?;
    assert_eq!(waiting.await??.messages("/page").await?, ["second"]);
    Ok(())
}

#[tokio::test]
async fn of_pushes_with_one_key_that_share_a_statement_one_message_stays() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("begins the session").await?;
    visitor.messages("/page").await?;
    let paths: Vec<_> = (0..10).map(|number| format!("/keyed/{number}")).collect();
    let pushes = futures::future::try_join_all(paths.iter().map(|path| visitor.post(path)));
    for answer in server.held_up(pushes).await? {
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(visitor.messages("/page").await?.len(), 1);
    Ok(())
}

/// Each statement locks the rows that it replaces in the order of their keys.
#[tokio::test]
async fn pushes_with_two_keys_in_any_order_never_wait_for_each_other() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let key: SessionKey = visitor.get_with("/key", &[]).await?.json().await?;
    // Another instance: its pushes go in other statements.
    let other = FlashStore::new(sessions_in(server.pool.clone()));
    let push = |store: FlashStore, name: &'static str| async move {
        store.push(key, FlashMessage::info(name).key(name)).await
    };
    for _ in 0..200 {
        futures::try_join!(
            push(server.store.clone(), "a"),
            push(server.store.clone(), "b"),
            push(other.clone(), "b"),
            push(other.clone(), "a"),
        )?;
    }
    let deadlocks: i64 = sqlx::query_scalar(
        "select deadlocks from pg_stat_database where datname = current_database()",
    )
    .fetch_one(&server.pool)
    .await?;
    assert_eq!(deadlocks, 0);
    Ok(())
}

/// Scenario 17.
#[tokio::test(flavor = "multi_thread")]
async fn ten_instances_that_start_at_once_create_the_tables() -> Result {
    for _ in 0..3 {
        let database = Database::create().await?;
        let starts = (0..10).map(|_| Server::start_at(&database, |store| store));
        let servers: Vec<_> = futures::future::try_join_all(starts).await?;
        Visitor::new(servers[9].address).push("hello").await?;
        assert_eq!(servers[0].stored().await?, 1);
    }
    Ok(())
}

async fn push_then_show(servers: &[&Server]) -> Result {
    let visitor = Visitor::new(servers[0].address);
    visitor.push("0").await?;
    stream::iter(1..200)
        .map(|number| {
            let visitor = visitor.at(servers[number % servers.len()].address);
            async move { visitor.push(&number.to_string()).await }
        })
        .buffer_unordered(20)
        .try_collect::<()>()
        .await?;
    let shown: Vec<_> = stream::iter(0..8)
        .map(|number| {
            let visitor = visitor.at(servers[number % servers.len()].address);
            async move { visitor.messages("/page").await }
        })
        .buffer_unordered(8)
        .try_collect()
        .await?;
    each_once(shown.concat(), 200);
    Ok(())
}

async fn push_and_show_at_once(servers: &[&Server]) -> Result {
    let visitor = Visitor::new(servers[0].address);
    visitor.push("0").await?;
    let shown: Vec<_> = stream::iter(1..240)
        .map(|number| {
            let visitor = visitor.at(servers[number / 2 % servers.len()].address);
            async move {
                if number % 2 == 0 {
                    visitor.push(&(number / 2).to_string()).await?;
                    return Ok(Vec::new());
                }
                visitor.messages("/page").await
            }
        })
        .buffer_unordered(12)
        .try_collect()
        .await?;
    let mut shown = shown.concat();
    shown.extend(visitor.messages("/page").await?);
    each_once(shown, 120);
    Ok(())
}

fn each_once(shown: Vec<String>, pushed: usize) {
    let mut numbers: Vec<usize> = shown.iter().filter_map(|text| text.parse().ok()).collect();
    numbers.sort_unstable();
    let lost = (0..pushed)
        .filter(|number| !numbers.contains(number))
        .count();
    let before = numbers.len();
    numbers.dedup();
    let twice = before - numbers.len();
    assert_eq!((lost, twice), (0, 0), "lost and shown twice, of {pushed}");
    println!("{pushed} pushed: 0 lost, 0 shown twice");
}
