//! Which requests are page loads, and what the others leave alone.

use reqwest::Method;

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use flash_messages::SessionLayer;

use crate::support::{
    HTML, Place, Result, Server, Visitor, cookie, flash_layer, serve, session_cookie, sessions_in,
};

on_each_store!(previews_and_frames_leave_messages_alone);
async fn previews_and_frames_leave_messages_alone(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    for headers in [
        [HTML, ("x-purpose", "preview")],
        [HTML, ("sec-fetch-dest", "iframe")],
        [HTML, ("sec-fetch-dest", "frame")],
        [HTML, ("sec-fetch-dest", "embed")],
    ] {
        let page = visitor.get_with("/page", &headers).await?.text().await?;
        assert!(!page.contains("hello"), "{headers:?}");
    }
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    Ok(())
}

on_each_store!(navigations_that_look_unusual_show_messages);
/// A service worker that passes a navigation on (w3c/ServiceWorker#1803), and a client that accepts
/// anything.
async fn navigations_that_look_unusual_show_messages(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    for headers in [
        [("sec-fetch-dest", "empty"), ("sec-fetch-mode", "navigate")],
        [("sec-fetch-dest", "document"), ("accept", "*/*")],
    ] {
        visitor.push("hello").await?;
        let page = visitor.get_with("/page", &headers).await?.text().await?;
        assert!(page.contains("hello"), "{headers:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_app_can_decide_which_requests_are_page_loads() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    visitor.push("hello").await?;
    let flash = server.flash.clone().with_page_load(|method, headers| {
        headers.contains_key("x-kiosk") || flash_messages::is_page_load(method, headers)
    });
    async fn page(flash: flash_messages::Flash) -> String {
        flash.take().iter().map(|message| &*message.text).collect()
    }
    let app = axum::Router::new()
        .route("/", axum::routing::get(page))
        .layer(flash);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    let kiosk = reqwest::Client::new().get(url).header("cookie", cookie);
    let page = kiosk.header("x-kiosk", "1").send().await?.text().await?;
    assert_eq!(page, "cookiehello");
    Ok(())
}

on_each_store!(a_get_that_nobody_sees_can_know_it_and_push_nothing);
async fn a_get_that_nobody_sees_can_know_it_and_push_nothing(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    visitor.messages("/page").await?;
    let head = visitor.request(Method::HEAD, "/hop-if-page");
    head.header(HTML.0, HTML.1).send().await?;
    let prefetch = [HTML, ("sec-purpose", "prefetch")];
    visitor.get_with("/hop-if-page", &prefetch).await?;
    server.flash.flush().await;
    assert_eq!(server.stored().await?, 0);
    visitor.get("/hop-if-page").await?;
    assert_eq!(visitor.messages("/page").await?, ["hopped"]);
    Ok(())
}

on_each_store!(messages_taken_after_the_head_wait_for_the_next_page);
async fn messages_taken_after_the_head_wait_for_the_next_page(place: Place) -> Result {
    let log = Log::default();
    let _logging = log.start();
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    assert!(visitor.messages("/late-take").await?.is_empty());
    assert!(log.text().contains("Take them before rendering"));
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    Ok(())
}

/// What is logged on this thread, which runs the server too.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let lines = tracing_subscriber::fmt().with_ansi(false);
        tracing::subscriber::set_default(lines.with_writer(move || log.clone()).finish())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("one thread")).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("one thread").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_response_that_carries_messages_is_stored_by_no_cache() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    let headers = [("x-flash", "app")];
    let call = visitor.get_with("/public-call", &headers).await?;
    assert!(call.headers().contains_key("x-flash"));
    assert_eq!(call.headers()["cache-control"], "no-store");
    for name in ["cdn-cache-control", "surrogate-control"] {
        assert!(!call.headers().contains_key(name), "{name}");
    }
    Ok(())
}

/// The lease runs for a second, the call for one and a half; another tab loads a page after that.
#[tokio::test]
async fn a_call_that_is_slower_than_its_lease_shows_its_message_in_one_place() -> Result {
    let lease =
        |store: flash_messages::FlashStore| store.with_lease(std::time::Duration::from_secs(1));
    let server = Server::start_with(lease).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("0").await?;
    visitor.messages("/page").await?;
    let call = visitor.request(Method::POST, "/very-slow-call");
    let other_tab = async {
        tokio::time::sleep(std::time::Duration::from_millis(1200)).await;
        visitor.messages("/page").await
    };
    let call = async { Ok(call.header("x-flash", "app").send().await?) };
    let (call, page) = futures::try_join!(call, other_tab)?;
    assert_eq!(page, ["slow"], "the lease has run out by then");
    assert!(
        !call.headers().contains_key("x-flash"),
        "shown there already"
    );
    Ok(())
}

#[tokio::test]
async fn a_second_layer_changes_nothing() -> Result {
    let server = Server::start().await?;
    let second = flash_layer(server.store.clone());
    is_shown_once(server.app.clone().layer(second)).await
}

#[tokio::test]
async fn a_session_layer_around_it_changes_nothing_whatever_its_table() -> Result {
    let server = Server::start().await?;
    let sessions = sessions_in(server.pool.clone());
    for sessions in [sessions.clone(), sessions.with_table("other", "session")] {
        sessions.migrate().await?;
        let outer = SessionLayer::new(sessions, cookie());
        is_shown_once(server.app.clone().layer(outer)).await?;
    }
    Ok(())
}

async fn is_shown_once(app: axum::Router) -> Result {
    let (address, _) = serve(app).await?;
    let visitor = Visitor::new(address);
    let push = visitor.post("/push/info/hello").await?;
    let cookies = push.headers().get_all("set-cookie");
    assert_eq!(cookies.iter().count(), 1, "one session: {cookies:?}");
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    assert!(visitor.messages("/page").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_handler_can_go_without_the_layer_and_gets_the_id_of_what_it_pushes() -> Result {
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower::ServiceExt;

    async fn optional(flash: Option<flash_messages::Flash>) -> String {
        flash.is_some().to_string()
    }
    let bare: Router = Router::new().route("/", get(optional));
    let response = bare.oneshot(Request::get("/").body(Body::empty())?).await?;
    assert_eq!(
        axum::body::to_bytes(response.into_body(), 10).await?,
        "false"
    );
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let with = visitor.get_with("/optional", &[]).await?.text().await?;
    assert_eq!(with, "true");
    let id: i64 = visitor.post("/pushed-id").await?.text().await?.parse()?;
    let stored: i64 = sqlx::query_scalar("select id from flash_message")
        .fetch_one(&server.pool)
        .await?;
    assert_eq!(id, stored);
    Ok(())
}
