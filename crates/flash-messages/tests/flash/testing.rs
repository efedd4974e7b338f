//! The helpers for tests of apps.

use axum::body::Body;
use flash_messages::{
    FlashMessage,
    testing::{Browser, assert_pushed, assert_shown, pushed, shown},
};
use http::{Request, Response};
use tower::ServiceExt;

use crate::support::{HTML, Result, Server};

#[tokio::test]
async fn a_browser_sends_forms_follows_redirects_and_keeps_cookies() -> Result {
    let server = Server::start().await?;
    let mut browser = Browser::new(server.app.clone());
    let response = browser.post("/push/success/hello", &[("a", "b")]).await;
    assert_pushed(&response, [FlashMessage::success("hello")]);
    assert_shown(&response, []);
    let page = browser.get("/page?query").await;
    assert_shown(&page, [FlashMessage::success("hello")]);
    assert!(pushed(&page).is_empty());
    assert!(shown(&page)[0].id > 0);
    assert!(page.body().contains("hello"));
    assert_shown(&browser.get("/page").await, []);
    Ok(())
}

#[tokio::test]
async fn a_seed_waits_for_the_next_page_of_this_browser_alone() -> Result {
    let server = Server::start().await?;
    let mut browser = Browser::new(server.app.clone());
    let mut other = browser.clone();
    let messages = [FlashMessage::info("one"), FlashMessage::error("two")];
    browser.seed(&server.flash, messages.clone()).await;
    browser
        .seed(&server.flash, [FlashMessage::info("three")])
        .await;
    other
        .seed(&server.flash, [FlashMessage::info("other")])
        .await;
    let [one, two] = messages;
    let page = browser.get("/page").await;
    assert_shown(&page, [one, two, FlashMessage::info("three")]);
    Ok(())
}

#[tokio::test]
async fn a_browser_forgets_the_cookie_that_a_logout_removes() -> Result {
    let server = Server::start().await?;
    let mut browser = Browser::new(server.app.clone());
    browser
        .seed(&server.flash, [FlashMessage::info("hello")])
        .await;
    browser.post("/leave", &[]).await;
    assert_shown(&browser.get("/page").await, []);
    Ok(())
}

/// Returns the words of the panic of an assertion that fails.
fn complaint(response: &Response<String>) -> String {
    let assertion = || assert_shown(response, [FlashMessage::success("hello")]);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(assertion));
    *panic.expect_err("a panic").downcast().expect("its words")
}

#[tokio::test]
async fn an_assertion_that_fails_names_the_cause() -> Result {
    let server = Server::start().await?;
    let mut browser = Browser::new(server.app.clone());
    let page = browser.get("/page").await;
    assert!(complaint(&page).contains("the request has no session"));
    browser
        .seed(&server.flash, [FlashMessage::info("other")])
        .await;
    let response = browser.post("/push/info/more", &[]).await;
    assert!(complaint(&response).contains("the request loads no page"));
    let page = browser.get("/fails").await;
    assert!(complaint(&page).contains("the response redirects or fails"));
    let page = browser.get("/peeks").await;
    assert!(complaint(&page).contains("messages wait, but the page shows none"));
    let page = browser.get("/page").await;
    assert!(complaint(&page).contains("other messages are shown"));
    let page = browser.get("/page").await;
    assert!(complaint(&page).contains("no message waits in the session"));
    Ok(())
}

/// A test that calls the router keeps what it reads.
#[tokio::test]
async fn the_body_of_a_page_can_be_read_without_a_network() -> Result {
    let server = Server::start().await?;
    let push = Request::post("/push/success/hello").body(Body::empty())?;
    let response = server.app.clone().oneshot(push).await?;
    let cookie = response.headers()["set-cookie"].clone();
    for path in ["/large", "/large-stream"] {
        let page = Request::get(path).header("cookie", &cookie);
        let page = page.header(HTML.0, HTML.1).body(Body::empty())?;
        let response = server.app.clone().oneshot(page).await?;
        let body = axum::body::to_bytes(response.into_body(), 1 << 20);
        tokio::time::timeout(std::time::Duration::from_secs(5), body).await??;
    }
    server.flash.flush().await;
    assert_eq!(server.stored().await?, 0);
    Ok(())
}
