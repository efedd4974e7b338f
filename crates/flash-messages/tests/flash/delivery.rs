//! Which page shows a message, and when it waits for the next one.

use std::time::Duration;

use flash_messages::FlashStore;
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Database, HTML, Place, Result, Server, Visitor, session_cookie};

on_each_store!(a_pushed_message_is_shown_on_the_next_page_and_never_again);
/// Scenario 1.
async fn a_pushed_message_is_shown_on_the_next_page_and_never_again(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let pushed = visitor.post("/push/success/hello").await?;
    assert_eq!(pushed.status(), 303);
    assert_eq!(visitor.follow(pushed).await?, ["hello"]);
    assert!(visitor.messages("/page").await?.is_empty());
    server.flash.flush().await;
    assert_eq!(server.stored().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_page_that_showed_a_message_is_not_stored_by_caches() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    let shown = visitor.get("/page").await?;
    assert_eq!(shown.headers()["cache-control"], "no-store");
    let without = visitor.get("/page").await?;
    assert!(!without.headers().contains_key("cache-control"));
    Ok(())
}

#[tokio::test]
async fn a_push_has_the_browser_drop_the_pages_that_it_loaded_ahead() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let pushed = visitor.post("/push/success/hello").await?;
    let dropped = "\"prefetchCache\", \"prerenderCache\"";
    assert_eq!(pushed.headers()["clear-site-data"], dropped);
    let page = visitor.get("/page").await?;
    assert!(!page.headers().contains_key("clear-site-data"));
    Ok(())
}

on_each_store!(requests_that_nobody_sees_leave_messages_alone);
/// Scenario 5.
async fn requests_that_nobody_sees_leave_messages_alone(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    visitor
        .request(Method::HEAD, "/page")
        .header(HTML.0, HTML.1)
        .send()
        .await?;
    let image = ("accept", "image/avif,image/webp,*/*;q=0.8");
    for (path, headers) in [
        ("/page", vec![HTML, ("sec-purpose", "prefetch")]),
        ("/page", vec![HTML, ("sec-purpose", "prefetch;prerender")]),
        ("/page", vec![HTML, ("sec-fetch-dest", "image")]),
        ("/page", vec![("accept", "application/json")]),
        ("/file.png", vec![image]),
        ("/favicon.ico", vec![image]),
        ("/missing.css", vec![("accept", "text/css,*/*;q=0.1")]),
    ] {
        let answer = visitor.get_with(path, &headers).await?.text().await?;
        assert!(!answer.contains("hello"), "{path} {headers:?}");
    }
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    Ok(())
}

on_each_store!(a_page_that_fails_or_shows_nothing_keeps_messages_for_the_next);
/// Scenario 7.
async fn a_page_that_fails_or_shows_nothing_keeps_messages_for_the_next(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("one").await?;
    visitor.push("two").await?;
    for path in ["/fails", "/silent", "/peeks", "/keeps"] {
        visitor.get(path).await?.text().await?;
    }
    assert_eq!(visitor.messages("/page").await?, ["one", "two"]);
    Ok(())
}

on_each_store!(a_page_that_is_not_found_shows_messages_too);
async fn a_page_that_is_not_found_shows_messages_too(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    let missing = visitor.get("/nowhere").await?;
    assert_eq!(missing.status(), 404);
    assert!(missing.text().await?.contains("hello"));
    assert!(visitor.messages("/page").await?.is_empty());
    Ok(())
}

on_each_store!(redirects_that_each_add_a_message_lose_none_and_keep_the_order);
/// Scenario 8.
async fn redirects_that_each_add_a_message_lose_none_and_keep_the_order(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let first = visitor.post("/push/info/start").await?;
    drop(first);
    let chain = visitor.get("/hop/1").await?;
    assert_eq!(
        visitor.follow(chain).await?,
        ["start", "hop 1", "hop 2", "hop 3"]
    );
    Ok(())
}

on_each_store!(a_message_pushed_while_the_page_streams_is_shown_by_the_next_page);
/// Scenario 10.
async fn a_message_pushed_while_the_page_streams_is_shown_by_the_next_page(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("before").await?;
    let page = visitor.get("/streams").await?.text().await?;
    assert!(page.contains("before") && page.contains("pushed"), "{page}");
    assert_eq!(visitor.messages("/page").await?, ["while streaming"]);
    Ok(())
}

on_each_store!(a_first_visit_that_pushes_while_the_page_streams_is_told_so);
/// Scenario 10: there is no way to give the browser a cookie any more.
async fn a_first_visit_that_pushes_while_the_page_streams_is_told_so(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let page = Visitor::new(server.address)
        .get("/streams")
        .await?
        .text()
        .await?;
    assert!(page.contains("refused"), "{page}");
    assert_eq!(server.stored().await?, 0);
    Ok(())
}

on_each_store!(a_connection_that_is_reset_loses_nothing);
/// Scenario 6, at once.
async fn a_connection_that_is_reset_loses_nothing(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    visitor.messages("/page").await?;
    let mut pushed = Vec::new();
    for round in 0..30 {
        pushed.push(format!("round-{round}"));
        visitor.push(&pushed[round]).await?;
        request_and_reset(&server, "/page", &cookie, Duration::ZERO).await?;
    }
    assert_eq!(shown_soon(&visitor, 30).await?, sorted(pushed));
    Ok(())
}

on_each_store!(a_connection_that_is_reset_while_the_page_is_rendered_loses_nothing);
/// Scenario 6: the page is rendered slowly, so that every reset comes before the hand-over.
async fn a_connection_that_is_reset_while_the_page_is_rendered_loses_nothing(
    place: Place,
) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    visitor.messages("/page").await?;
    let mut pushed = Vec::new();
    for round in 0..30 {
        pushed.push(format!("round-{round}"));
        visitor.push(&pushed[round]).await?;
        request_and_reset(&server, "/slow", &cookie, Duration::from_millis(2)).await?;
    }
    assert_eq!(shown_soon(&visitor, 30).await?, sorted(pushed));
    Ok(())
}

/// Scenario 6: dropping the future of a statement doesn't stop it in the database.
#[tokio::test]
async fn a_reset_while_the_take_waits_for_a_locked_table_loses_nothing() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    visitor.messages("/page").await?;
    visitor.push("kept").await?;
    for _ in 0..5 {
        let mut lock = server.pool.begin().await?;
        sqlx::query("lock table flash_message in access exclusive mode")
            .execute(&mut *lock)
            .await?;
        request_and_reset(&server, "/page", &cookie, Duration::from_millis(50)).await?;
        lock.commit().await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(shown_soon(&visitor, 1).await?, ["kept"]);
    Ok(())
}

on_each_store!(a_streaming_page_that_is_reset_half_way_gives_its_messages_back);
async fn a_streaming_page_that_is_reset_half_way_gives_its_messages_back(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    visitor.messages("/page").await?;
    visitor.push("kept").await?;
    request_and_reset(&server, "/streams", &cookie, Duration::from_millis(50)).await?;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let shown = visitor.messages("/page").await?;
    assert_eq!(shown.first().map(String::as_str), Some("kept"), "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn a_message_whose_process_was_killed_is_shown_when_the_lease_has_run_out() -> Result {
    let database = Database::create().await?;
    let lease = |store: FlashStore| store.with_lease(Duration::from_secs(1));
    let server = Server::start_at(&database, lease).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("kept").await?;
    // What a killed process leaves: a lease that nobody gives back.
    sqlx::query("update flash_message set leased_until = now() + interval '1 second'")
        .execute(&server.pool)
        .await?;
    assert!(visitor.messages("/page").await?.is_empty());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(visitor.messages("/page").await?, ["kept"]);
    Ok(())
}

#[tokio::test]
async fn a_sticky_message_stays_until_it_is_dismissed() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/sticky").await?;
    for _ in 0..3 {
        assert_eq!(visitor.messages("/page").await?, ["stays"]);
    }
    let id: i64 = sqlx::query_scalar("select id from flash_message")
        .fetch_one(&server.pool)
        .await?;
    Visitor::new(server.address)
        .post(&format!("/dismiss/{id}"))
        .await?;
    assert_eq!(
        visitor.messages("/page").await?,
        ["stays"],
        "nobody else can dismiss it"
    );
    visitor.post(&format!("/dismiss/{id}")).await?;
    assert!(visitor.messages("/page").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_job_pushes_with_the_key_of_a_session() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let key = visitor.get_with("/key", &[]).await?.json().await?;
    server
        .store
        .push(key, flash_messages::FlashMessage::success("exported"))
        .await?;
    assert_eq!(visitor.messages("/page").await?, ["exported"]);
    Ok(())
}

/// Sends a request for a page and resets the connection after a while.
async fn request_and_reset(server: &Server, path: &str, cookie: &str, after: Duration) -> Result {
    let mut stream = TcpStream::connect(server.address).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/html\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    if after > Duration::ZERO {
        // Whatever comes meanwhile is read, so that the end is a reset and nothing else.
        _ = tokio::time::timeout(after, async {
            while stream
                .read(&mut [0; 1024])
                .await
                .is_ok_and(|bytes| bytes > 0)
            {}
        })
        .await;
    }
    stream.set_zero_linger()?;
    drop(stream);
    Ok(())
}

/// What pages show until it is `expected` many, or two seconds have passed. Sorted: an abandoned
/// page may still hold a message while the next ones are shown.
async fn shown_soon(visitor: &Visitor, expected: usize) -> Result<Vec<String>> {
    let mut shown = Vec::new();
    for _ in 0..20 {
        shown.extend(visitor.messages("/page").await?);
        if shown.len() >= expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(sorted(shown))
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// `FlashLayer::serve`, from the first request to a stop.
#[tokio::test]
async fn what_was_shown_right_before_a_stop_is_deleted_when_the_server_ends() -> Result {
    let server = Server::start().await?;
    for round in 0..5 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let visitor = Visitor::new(listener.local_addr()?);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (flash, app) = (server.flash.clone(), server.app.clone());
        let serving = tokio::spawn(async move {
            let stopped = async { _ = stopped.await };
            flash.serve(listener, app, stopped).await
        });
        let text = format!("round {round}");
        visitor.post(&format!("/push/info/{text}")).await?;
        assert_eq!(visitor.messages("/page").await?, [text]);
        drop(visitor);
        drop(stop);
        serving.await??;
        assert_eq!(server.stored().await?, 0);
    }
    Ok(())
}
