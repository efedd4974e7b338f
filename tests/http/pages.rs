//! What the pages answer.

use sqlx::PgPool;

use crate::visitor::{Result, Visitor};

#[sqlx::test(migrations = false)]
async fn a_form_post_is_answered_with_a_redirect_to_a_page_that_shows_the_message(
    pool: PgPool,
) -> Result {
    let visitor = Visitor::start(pool).await?;
    let pushed = visitor
        .push(&[("level", "success"), ("text", "Well run")])
        .await?;
    assert_eq!(pushed.status(), 303);
    assert_eq!(pushed.headers()["location"], "/messages");
    let page = visitor.page("/messages").await?;
    assert_eq!(page.headers()["cache-control"], "no-store");
    let html = page.text().await?;
    assert!(html.contains("class=\"flash flash-success\"") && html.contains("Well run"));
    assert!(
        !visitor
            .page("/messages")
            .await?
            .text()
            .await?
            .contains("Well run")
    );
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn a_page_that_is_rendered_once_shows_messages_all_the_same(pool: PgPool) -> Result {
    let visitor = Visitor::start(pool).await?;
    let first = visitor.page("/").await?.text().await?;
    let stranger = visitor.page("/").await?;
    assert!(!stranger.headers().contains_key("set-cookie"));
    assert_eq!(stranger.text().await?.len(), first.len());
    for round in 0..3 {
        let text = format!("round {round}");
        visitor.push(&[("level", "info"), ("text", &text)]).await?;
        assert!(visitor.page("/").await?.text().await?.contains(&text));
        let after = visitor.page("/").await?;
        assert_eq!(after.headers()["content-type"], "text/html; charset=utf-8");
        assert_eq!(after.headers()["cache-control"], "private, no-cache");
        assert_eq!(after.text().await?.len(), first.len());
    }
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn only_a_page_that_comes_to_life_brings_the_app(pool: PgPool) -> Result {
    let visitor = Visitor::start(pool).await?;
    let brings = async |path| {
        Ok::<_, Box<dyn std::error::Error>>(
            visitor.page(path).await?.text().await?.contains(".wasm"),
        )
    };
    for path in ["/", "/race", "/session", "/nowhere"] {
        assert!(!brings(path).await?, "{path}");
        visitor
            .push(&[("level", "info"), ("text", "Hello")])
            .await?;
        assert!(brings(path).await?, "{path} with a message");
    }
    assert!(
        brings("/messages").await?,
        "a message may come without a page load"
    );
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn bad_input_gets_a_page_that_says_what_is_wrong_and_keeps_messages(pool: PgPool) -> Result {
    let visitor = Visitor::start(pool).await?;
    visitor.push(&[("level", "info"), ("text", "kept")]).await?;
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
        let refused = visitor.push(&form).await?;
        assert_eq!(refused.status(), status, "{form:?}");
        let html = refused.text().await?;
        assert!(
            html.contains(reason) && html.contains("<h1"),
            "{reason}: {html}"
        );
    }
    assert!(visitor.page("/").await?.text().await?.contains("kept"));
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn a_page_that_is_not_there_says_so_with_404(pool: PgPool) -> Result {
    let visitor = Visitor::start(pool).await?;
    let missing = visitor.page("/nowhere").await?;
    assert_eq!(missing.status(), 404);
    assert!(missing.text().await?.contains("Off the course"));
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn reading_sets_no_cookie(pool: PgPool) -> Result {
    let visitor = Visitor::start(pool).await?;
    for path in ["/", "/messages", "/nowhere", "/healthz", "/readyz"] {
        assert!(
            !visitor
                .page(path)
                .await?
                .headers()
                .contains_key("set-cookie"),
            "{path}"
        );
    }
    Ok(())
}

#[sqlx::test(migrations = false)]
async fn health_is_told_apart_from_readiness(pool: PgPool) -> Result {
    let visitor = Visitor::start(pool.clone()).await?;
    assert_eq!(visitor.page("/readyz").await?.status(), 200);
    pool.close().await;
    assert_eq!(visitor.page("/healthz").await?.status(), 200);
    assert_eq!(visitor.page("/readyz").await?.status(), 503);
    assert_eq!(
        visitor.page("/").await?.status(),
        200,
        "a page needs no database"
    );
    Ok(())
}
