//! The helpers for tests of apps.

use axum::{body::Body, http::Request};
use flash_messages::{
    FlashMessage,
    testing::{assert_pushed, assert_shown, pushed, shown},
};
use tower::ServiceExt;

use crate::support::{HTML, Result, Server};

#[tokio::test]
async fn what_a_response_shows_is_asserted_in_one_line() -> Result {
    let server = Server::start().await?;
    let push = Request::post("/push/success/hello").body(Body::empty())?;
    let response = server.app.clone().oneshot(push).await?;
    assert_pushed(&response, [FlashMessage::success("hello")]);
    assert_shown(&response, []);

    let cookie = response.headers()["set-cookie"].clone();
    let page = Request::get("/page")
        .header("cookie", cookie)
        .header(HTML.0, HTML.1);
    let response = server
        .app
        .clone()
        .oneshot(page.body(Body::empty())?)
        .await?;
    assert_shown(&response, [FlashMessage::success("hello")]);
    assert!(pushed(&response).is_empty());
    assert!(shown(&response)[0].id > 0);
    Ok(())
}

#[tokio::test]
#[should_panic(expected = "messages shown")]
async fn a_message_that_is_not_shown_fails_the_assertion() {
    let server = Server::start().await.expect("a server");
    let page = Request::get("/page").header(HTML.0, HTML.1);
    let page = page.body(Body::empty()).expect("a request");
    let response = server.app.clone().oneshot(page).await.expect("a response");
    assert_shown(&response, [FlashMessage::success("hello")]);
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
