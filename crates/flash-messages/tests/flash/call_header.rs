//! Messages that hydrated code gets with the response of a server function. What the browser does
//! with them is in end2end/tests.

use std::time::Duration;

use flash_messages::{FlashMessage, FlashStore};

use crate::support::{HTML, Place, Result, Server, Visitor, call, note, session_cookie};

on_each_store!(a_call_brings_its_messages_in_a_header_whether_it_works_or_fails);
/// Scenarios 9 and 24.
async fn a_call_brings_its_messages_in_a_header_whether_it_works_or_fails(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    for status in ["200", "500"] {
        let query = format!("status={status}&text=Ziel%20%F0%9F%8F%81");
        let response = call(&visitor, &query, "app").await?;
        assert_eq!(messages(&response)?[0].text, "Ziel 🏁", "{status}");
        assert!(
            visitor.messages("/page").await?.is_empty(),
            "leased for the caller"
        );
    }
    Ok(())
}

on_each_store!(what_the_browser_says_it_has_shown_is_deleted_with_its_next_request);
async fn what_the_browser_says_it_has_shown_is_deleted_with_its_next_request(
    place: Place,
) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let session = session_cookie(&visitor).await?;
    visitor.messages("/page").await?;
    let response = call(&visitor, "text=hello", "app").await?;
    assert_eq!(messages(&response)?.len(), 1);
    server.flash.flush().await;
    assert_eq!(server.stored().await?, 1);
    let note = note(&server).await?;
    let next = visitor
        .request(reqwest::Method::GET, "/page")
        .header("cookie", format!("{session}; {note}"))
        .header(HTML.0, HTML.1)
        .send()
        .await?;
    // The browser alone writes its notes.
    assert!(!next.headers().contains_key("set-cookie"));
    next.text().await?;
    server.flash.flush().await;
    assert_eq!(server.stored().await?, 0);
    Ok(())
}

on_each_store!(one_visitor_can_not_delete_the_messages_of_another);
async fn one_visitor_can_not_delete_the_messages_of_another(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let (one, two) = (Visitor::new(server.address), Visitor::new(server.address));
    one.push("for one").await?;
    let note = note(&server).await?;
    let session = session_cookie(&two).await?;
    let cookies = format!("{session}; {note}");
    two.request(reqwest::Method::GET, "/silent")
        .header("cookie", cookies)
        .header(HTML.0, HTML.1)
        .send()
        .await?;
    assert_eq!(one.messages("/page").await?, ["for one"]);
    Ok(())
}

/// Scenario 24.
#[tokio::test]
async fn a_response_that_got_lost_is_made_up_for_by_a_later_page() -> Result {
    let lease = |store: FlashStore| store.with_lease(Duration::from_secs(1));
    let server = Server::start_with(lease).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("0").await?;
    visitor.messages("/page").await?;
    drop(call(&visitor, "text=hello", "app").await?);
    assert!(visitor.messages("/page").await?.is_empty());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    Ok(())
}

on_each_store!(a_redirect_in_an_app_with_islands_leaves_the_message_to_the_next_page);
async fn a_redirect_in_an_app_with_islands_leaves_the_message_to_the_next_page(
    place: Place,
) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let response = call(&visitor, "redirect=/page&text=hello", "islands").await?;
    assert!(!response.headers().contains_key("x-flash"));
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    Ok(())
}

on_each_store!(a_redirect_in_a_hydrated_app_carries_the_message);
async fn a_redirect_in_a_hydrated_app_carries_the_message(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let response = call(&visitor, "redirect=/page&text=hello", "app").await?;
    assert_eq!(messages(&response)?[0].text, "hello");
    Ok(())
}

on_each_store!(what_does_not_fit_into_the_header_is_fetched_once);
async fn what_does_not_fit_into_the_header_is_fetched_once(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let text = "x".repeat(700);
    let response = call(&visitor, &format!("times=10&text={text}"), "app").await?;
    assert_eq!(response.headers()["x-flash-more"], "1");
    let crossed = messages(&response)?;
    let rest: Vec<FlashMessage> = visitor
        .get_with("/page", &[("x-flash", "take")])
        .await?
        .json()
        .await?;
    let ids: Vec<_> = crossed
        .iter()
        .chain(&rest)
        .map(|message| message.id)
        .collect();
    assert_eq!(ids.len(), 10);
    assert!(
        ids.is_sorted() && crossed.len() < 10,
        "{} crossed",
        crossed.len()
    );
    assert!(visitor.messages("/page").await?.is_empty());
    Ok(())
}

on_each_store!(what_waits_is_not_kept_as_the_page_of_its_address);
/// A browser would show it when somebody goes back.
async fn what_waits_is_not_kept_as_the_page_of_its_address(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let nothing = visitor.get_with("/page", &[("x-flash", "take")]).await?;
    assert_eq!(nothing.headers()["cache-control"], "no-store");
    assert_eq!(nothing.text().await?, "[]");
    Ok(())
}

on_each_store!(a_call_whose_connection_ends_before_the_answer_gives_its_messages_back);
async fn a_call_whose_connection_ends_before_the_answer_gives_its_messages_back(
    place: Place,
) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("0").await?;
    visitor.messages("/page").await?;
    let slow = visitor
        .request(reqwest::Method::POST, "/slow-call")
        .header("x-flash", "app")
        .send();
    assert!(
        tokio::time::timeout(Duration::from_millis(100), slow)
            .await
            .is_err()
    );
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(visitor.messages("/page").await?, ["slow"]);
    Ok(())
}

fn messages(response: &reqwest::Response) -> Result<Vec<FlashMessage>> {
    let header = response.headers().get("x-flash").ok_or("no header")?;
    Ok(serde_json::from_slice(header.as_bytes())?)
}
