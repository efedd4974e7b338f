//! Dismissal without JavaScript: the form brings ids, and the page comes back with the others.

use sqlx::Executor;

use crate::support::{Place, Result, Server, Visitor};

/// What a page showed: the texts, and the ids as the form has them.
async fn page(visitor: &Visitor) -> Result<(Vec<String>, Vec<i64>)> {
    let html = visitor.get("/page").await?.text().await?;
    let ids = html.split("data-flash-id=\"").skip(1);
    let ids = ids.filter_map(|id| id.split('"').next()?.parse().ok());
    Ok((crate::support::texts(&html), ids.collect()))
}

fn form(dismiss: i64, shown: &[i64]) -> String {
    let shown: Vec<_> = shown.iter().map(i64::to_string).collect();
    format!("/dismiss-form?dismiss={dismiss}&shown={}", shown.join(","))
}

async fn pushed(server: &Server, texts: &[&str]) -> Result<(Visitor, Vec<i64>)> {
    let visitor = Visitor::new(server.address);
    for text in texts {
        visitor.push(text).await?;
    }
    let (shown, ids) = page(&visitor).await?;
    assert_eq!(shown, texts);
    Ok((visitor, ids))
}

on_each_store!(a_form_sent_twice_brings_the_others_back_once);
async fn a_form_sent_twice_brings_the_others_back_once(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let (visitor, ids) = pushed(&server, &["a", "b"]).await?;
    for _ in 0..2 {
        visitor.post(&form(ids[0], &ids)).await?;
    }
    assert_eq!(visitor.messages("/page").await?, ["b"]);
    assert!(visitor.messages("/page").await?.is_empty());
    Ok(())
}

on_each_store!(a_second_click_after_the_next_page_was_sent_brings_the_others_back_too);
/// The browser has begun to load the page that the first click leads to.
async fn a_second_click_after_the_next_page_was_sent_brings_the_others_back_too(
    place: Place,
) -> Result {
    let server = Server::start_in(place).await?;
    let (visitor, ids) = pushed(&server, &["a", "b"]).await?;
    for _ in 0..3 {
        visitor.post(&form(ids[0], &ids)).await?;
        assert_eq!(visitor.messages("/page").await?, ["b"]);
        server.flash.flush().await;
    }
    assert!(visitor.messages("/page").await?.is_empty());
    Ok(())
}

on_each_store!(forms_of_two_tabs_bring_each_tabs_messages_back);
async fn forms_of_two_tabs_bring_each_tabs_messages_back(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let (visitor, one) = pushed(&server, &["a", "b"]).await?;
    for text in ["c", "d"] {
        visitor.push(text).await?;
    }
    let (_, two) = page(&visitor).await?;
    server.flash.flush().await;
    let posts = [form(one[0], &one), form(two[0], &two)];
    futures::try_join!(visitor.post(&posts[0]), visitor.post(&posts[1]))?;
    assert_eq!(visitor.messages("/page").await?, ["b", "d"]);
    Ok(())
}

#[tokio::test]
async fn of_500_messages_the_dismissed_one_leaves_and_499_come_back() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let key = visitor.get_with("/key", &[]).await?.json().await?;
    let long = "я".repeat(900);
    for number in 0..500 {
        let message = flash_messages::FlashMessage::info(format!("{number} {long}"));
        server.store.push(key, message).await?;
    }
    let (texts, ids) = page(&visitor).await?;
    assert_eq!(texts.len(), 500);
    server.flash.flush().await;
    assert_eq!(visitor.post(&form(ids[7], &ids)).await?.status(), 303);
    let (back, _) = page(&visitor).await?;
    assert_eq!(back.len(), 499);
    assert!(back.iter().all(|text| !text.starts_with("7 ")));
    Ok(())
}

on_each_store!(a_message_that_a_newer_one_with_its_key_replaced_stays_replaced);
async fn a_message_that_a_newer_one_with_its_key_replaced_stays_replaced(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("a").await?;
    visitor.post("/keyed/older").await?;
    let (shown, ids) = page(&visitor).await?;
    assert_eq!(shown, ["a", "older"]);
    server.flash.flush().await;
    visitor.post("/keyed/newer").await?;
    visitor.post(&form(ids[0], &ids)).await?;
    assert_eq!(visitor.messages("/page").await?, ["newer"]);
    Ok(())
}

on_each_store!(nobody_brings_back_the_messages_of_another);
async fn nobody_brings_back_the_messages_of_another(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let (visitor, ids) = pushed(&server, &["a", "b"]).await?;
    server.flash.flush().await;
    let other = Visitor::new(server.address);
    other.push("of another").await?;
    other.post(&form(ids[0], &ids)).await?;
    assert_eq!(other.messages("/page").await?, ["of another"]);
    assert!(visitor.messages("/page").await?.is_empty());
    Ok(())
}

on_each_store!(a_dismissed_sticky_message_leaves_and_the_page_keeps_the_others);
async fn a_dismissed_sticky_message_leaves_and_the_page_keeps_the_others(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/sticky").await?;
    visitor.push("a").await?;
    let (shown, ids) = page(&visitor).await?;
    assert_eq!(shown, ["stays", "a"]);
    server.flash.flush().await;
    visitor.post(&form(ids[0], &ids)).await?;
    assert_eq!(visitor.messages("/page").await?, ["a"]);
    Ok(())
}

#[tokio::test]
async fn a_failed_dismissal_loses_nothing() -> Result {
    let server = Server::start().await?;
    let (visitor, ids) = pushed(&server, &["a", "b"]).await?;
    server.flash.flush().await;
    let rename = |from: &str, to: &str| format!("alter table {from} rename to {to}");
    server
        .pool
        .execute(&*rename("flash_message", "away"))
        .await?;
    assert_eq!(visitor.post(&form(ids[0], &ids)).await?.status(), 503);
    server
        .pool
        .execute(&*rename("away", "flash_message"))
        .await?;
    visitor.post(&form(ids[0], &ids)).await?;
    assert_eq!(visitor.messages("/page").await?, ["b"]);
    Ok(())
}

#[tokio::test]
async fn what_can_be_asked_back_is_deleted_after_some_minutes() -> Result {
    let server = Server::start().await?;
    let (_, ids) = pushed(&server, &["a", "b"]).await?;
    server.flash.flush().await;
    let left: Vec<i64> = sqlx::query_scalar(
        "select extract(epoch from expires_at - now())::int8 from flash_message",
    )
    .fetch_all(&server.pool)
    .await?;
    assert_eq!(left.len(), ids.len());
    assert!(
        left.iter().all(|seconds| (170..=180).contains(seconds)),
        "{left:?}"
    );
    Ok(())
}
