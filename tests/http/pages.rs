//! What the pages answer.

use reqwest::Method;

use crate::app::{App, PUSH, Result};

#[tokio::test]
async fn a_form_post_is_answered_with_a_redirect_to_a_page_that_shows_the_message() -> Result {
    let app = App::start().await?;
    let pushed = app
        .post_form(PUSH, &[("level", "success"), ("text", "Well run")])
        .await?;
    assert_eq!(pushed.status(), 303);
    assert_eq!(pushed.headers()["location"], "/messages");
    let page = app.get("/messages").await?;
    assert_eq!(page.headers()["cache-control"], "no-store");
    let html = page.text().await?;
    assert!(html.contains("class=\"flash flash-success\"") && html.contains("Well run"));
    assert!(!app.page("/messages").await?.contains("Well run"));
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_rendered_once_shows_messages_all_the_same() -> Result {
    let app = App::start().await?;
    let first = app.page("/").await?;
    let stranger = app.get("/").await?;
    assert!(!stranger.headers().contains_key("set-cookie"));
    assert_eq!(stranger.text().await?.len(), first.len());
    for round in 0..3 {
        let text = format!("round {round}");
        app.push(&text).await?;
        assert!(app.page("/").await?.contains(&text));
        let after = app.get("/").await?;
        assert_eq!(after.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(after.headers()["cache-control"], "private, no-cache");
        assert_eq!(after.text().await?.len(), first.len());
    }
    Ok(())
}

#[tokio::test]
async fn only_a_page_that_comes_to_life_brings_the_app() -> Result {
    let app = App::start().await?;
    let brings = async |path| Result::Ok(app.get(path).await?.text().await?.contains(".wasm"));
    for path in ["/", "/race", "/session", "/nowhere"] {
        assert!(!brings(path).await?, "{path}");
        app.push("Hello").await?;
        assert!(brings(path).await?, "{path} with a message");
    }
    assert!(
        brings("/messages").await?,
        "a message may come without a page load"
    );
    Ok(())
}

#[tokio::test]
async fn bad_input_gets_a_page_that_says_what_is_wrong_and_keeps_messages() -> Result {
    let app = App::start().await?;
    app.push("kept").await?;
    let long = "x".repeat(3000);
    let huge = "x".repeat(5_000_000);
    for (form, status, reason) in [
        (vec![("level", "info"), ("text", "")], 422, "no text"),
        (vec![("level", "info"), ("text", "a\0b")], 422, "NUL"),
        (
            vec![("level", "x\" onmouseover=\"y"), ("text", "a")],
            422,
            "CSS class",
        ),
        (vec![("level", "info"), ("text", &long)], 413, "too long"),
        (vec![("level", "info"), ("text", &huge)], 413, "256 KiB"),
        (vec![("level", "info")], 400, "text"),
        (
            vec![("level", "info"), ("text", "a"), ("text", "b")],
            400,
            "text",
        ),
    ] {
        let refused = app.post_form(PUSH, &form).await?;
        assert_eq!(refused.status(), status, "{form:?}");
        let html = refused.text().await?;
        assert!(
            html.contains(reason) && html.contains("<h1"),
            "{reason}: {html}"
        );
    }
    assert!(app.page("/").await?.contains("kept"));
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_not_there_says_so_with_404() -> Result {
    let app = App::start().await?;
    let missing = app.get("/nowhere").await?;
    assert_eq!(missing.status(), 404);
    assert!(missing.text().await?.contains("Off the course"));
    Ok(())
}

#[tokio::test]
async fn a_page_s_address_with_a_slash_at_its_end_leads_to_the_page() -> Result {
    let app = App::start().await?;
    for (path, page) in [
        ("/messages/", "/messages"),
        ("/race/?from=a%20b&c", "/race?from=a%20b&c"),
        ("/session/?", "/session?"),
    ] {
        let answer = app.get(path).await?;
        assert_eq!(answer.status(), 308, "{path}");
        assert_eq!(answer.headers()["location"], page);
    }
    Ok(())
}

#[tokio::test]
async fn no_other_address_with_a_slash_leads_anywhere() -> Result {
    let app = App::start().await?;
    for path in [
        "//evil.example/",
        "//messages",
        "/messages//",
        "//messages/",
        "/nowhere/",
        "/%6dessages/",
    ] {
        let answer = app.get(path).await?;
        assert_eq!(answer.status(), 404, "{path}");
        let html = answer.text().await?;
        assert!(html.contains("Off the course"), "{path}: {html}");
    }
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_no_page_or_takes_no_form_says_so_on_a_page() -> Result {
    let app = App::start().await?;
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    for (method, path, status, allow, words) in [
        (&get, "/api/push_message", 405, "POST", "Forms are sent"),
        (&get, "/api/start_race", 405, "POST", "Forms are sent"),
        (&get, "/api/dismiss_flash", 405, "POST", "Forms are sent"),
        (&post, "/messages", 405, "GET,HEAD", "is a page"),
        (&post, "/", 405, "GET,HEAD", "is a page"),
        (&post, "/race/", 405, "GET,HEAD", "is a page"),
        (&put, "/session", 405, "GET,HEAD", "is a page"),
        (&get, "/messages/hop/x", 400, "", "can't be read"),
        (&get, "/messages/hop/300", 400, "", "can't be read"),
        (&get, "/messages/hop/%ff", 400, "", "can't be read"),
        (&get, "/api/nothing", 404, "", "no page"),
    ] {
        let ask = |accept| {
            let ask = app.request(method.clone(), path);
            ask.header("accept", accept).send()
        };
        let answer = ask("text/html").await?;
        let case = format!("{method} {path}");
        assert_eq!(answer.status(), status, "{case}");
        let headers = answer.headers();
        let allowed = headers.get("allow").map(|allow| allow.as_bytes());
        assert_eq!(allowed.unwrap_or_default(), allow.as_bytes(), "{case}");
        assert_eq!(
            headers["content-type"], "text/html; charset=utf-8",
            "{case}"
        );
        let html = answer.text().await?;
        assert!(
            html.contains("<h1") && html.contains(words),
            "{case}: {html}"
        );
        if status != 404 {
            let answer = ask("application/json").await?;
            assert_eq!(answer.status(), status, "{case}");
            assert_eq!(
                answer.headers()["content-type"],
                "application/json",
                "{case}"
            );
        }
    }
    let reopened = app.get(PUSH).await?.text().await?;
    assert!(
        reopened.contains("href=\"/messages\" class=\"button\">Back to the form"),
        "{reopened}"
    );
    Ok(())
}

/// A `HEAD`, a prefetch or a picture is no visit.
#[tokio::test]
async fn only_a_page_load_pushes_on_its_way() -> Result {
    let app = App::start().await?;
    app.push("first").await?;
    let stored = async || {
        let count = sqlx::query_scalar::<_, i64>("select count(*) from flash_message");
        count.fetch_one(&app.pool).await
    };
    let hop = |method: Method, accept: &'static str| {
        app.request(method, "/messages/hop/2")
            .header("accept", accept)
    };
    let page = || hop(Method::GET, "text/html");
    for look in [
        page().header("sec-purpose", "prefetch"),
        page().header("sec-purpose", "prefetch;prerender"),
        page().header("purpose", "prefetch"),
        page().header("x-purpose", "preview"),
        page().header("x-moz", "prefetch"),
        page().header("sec-fetch-dest", "image"),
        page().header("sec-fetch-dest", "empty"),
        hop(Method::GET, "application/json"),
        hop(Method::HEAD, "text/html"),
    ] {
        let case = format!("{look:?}");
        assert_eq!(look.send().await?.status(), 303, "{case}");
        assert_eq!(stored().await?, 1, "{case}");
    }
    page().send().await?;
    assert_eq!(stored().await?, 2);
    Ok(())
}

#[tokio::test]
async fn reading_sets_no_cookie() -> Result {
    let app = App::start().await?;
    for path in ["/", "/messages", "/nowhere", "/healthz", "/readyz"] {
        assert!(
            !app.get(path).await?.headers().contains_key("set-cookie"),
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn health_is_told_apart_from_readiness() -> Result {
    let app = App::start().await?;
    assert_eq!(app.get("/readyz").await?.status(), 200);
    app.pool.close().await;
    assert_eq!(app.get("/healthz").await?.status(), 200);
    assert_eq!(app.get("/readyz").await?.status(), 503);
    assert_eq!(
        app.get("/").await?.status(),
        200,
        "a page needs no database"
    );
    Ok(())
}
