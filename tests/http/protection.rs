//! What the app refuses, and what it tells browsers to refuse.

use reqwest::{Method, Response};
use sqlx::Executor;

use crate::app::{App, PUSH, Result};

async fn stored(app: &App) -> Result<(i64, i64)> {
    let sql = "select (select count(*) from flash_message), (select count(*) from tower_sessions.session)";
    Ok(sqlx::query_as(sql).fetch_one(&app.pool).await?)
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Scenario 21.
#[tokio::test]
async fn a_form_on_another_site_stores_nothing_and_sets_no_cookie() -> Result {
    let app = App::start().await?;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        let post = app.request(Method::POST, PUSH);
        let form = [("level", "info"), ("text", "forged")];
        let refused = post.header(name, value).form(&form).send().await?;
        assert_eq!(refused.status(), 403, "{name}: {value}");
        assert!(!refused.headers().contains_key("set-cookie"));
        assert!(refused.text().await?.contains("from another site"));
    }
    assert_eq!(stored(&app).await?, (0, 0));
    Ok(())
}

#[tokio::test]
async fn every_answer_tells_the_browser_what_to_refuse() -> Result {
    let app = App::start().await?;
    for path in [
        "/",
        "/race",
        "/nowhere",
        "/healthz",
        "/pkg/none.js",
        "/panics",
    ] {
        let answer = app.get(path).await?;
        let policy = header(&answer, "content-security-policy").to_owned();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"));
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "referrer-policy"), "same-origin");
        assert_eq!(header(&answer, "cross-origin-opener-policy"), "same-origin");
        assert!(header(&answer, "permissions-policy").contains("camera=()"));
        assert!(
            !answer.headers().contains_key("strict-transport-security"),
            "not on plain http"
        );
        assert_eq!(header(&answer, "x-request-id").len(), 32);
    }
    Ok(())
}

#[tokio::test]
async fn no_script_of_a_page_is_inline_and_its_policy_allows_none() -> Result {
    let app = App::start().await?;
    let mut policies = Vec::new();
    for path in ["/", "/messages", "/race", "/session", "/nowhere", "/panics"] {
        for has_message in [false, true] {
            if has_message {
                app.push("Hello").await?;
            }
            let page = app.get(path).await?;
            policies.push(header(&page, "content-security-policy").to_owned());
            let html = page.text().await?;
            assert!(html.ends_with("</html>"), "{path}: {html}");
            for script in html.split("<script").skip(1) {
                let (tag, rest) = script.split_once('>').ok_or("a tag")?;
                let is_ours = [" src=\"/start.", " src=\"/flash."].map(|src| tag.contains(src));
                assert!(is_ours.contains(&true), "{path}: {tag}");
                assert!(rest.starts_with("</script>"), "{path}: {rest}");
            }
            for word in [
                " onclick=",
                " onload=",
                " onerror=",
                "javascript:",
                "<style",
            ] {
                assert!(!html.contains(word), "{path}: {word}");
            }
        }
    }
    policies.dedup();
    let [policy] = &policies[..] else {
        return Err("each page has the same policy".into());
    };
    assert!(
        policy.contains("script-src 'self' 'wasm-unsafe-eval';"),
        "{policy}"
    );
    Ok(())
}

/// They start the app, note what was shown, and give the messages their look.
#[tokio::test]
async fn the_files_of_a_page_with_a_message_are_kept_for_ever() -> Result {
    let app = App::start().await?;
    app.push("Hello").await?;
    let html = app.page("/messages").await?;
    for (attribute, name, kind, part) in [
        ("src", "/start.", "text/javascript", "leptos-island"),
        ("src", "/flash.", "text/javascript", "noteShown()"),
        ("href", "/flash.", "text/css", ".flash-text"),
    ] {
        let before = format!("{attribute}=\"{name}");
        let (_, rest) = html.split_once(&before).ok_or(before)?;
        let (rest, _) = rest.split_once('"').ok_or("the end of a path")?;
        let path = format!("{name}{rest}");
        let file = app.get(&path).await?;
        assert_eq!(file.status(), 200, "{path}");
        assert!(header(&file, "content-type").starts_with(kind), "{path}");
        assert_eq!(
            header(&file, "cache-control"),
            "public, max-age=31536000, immutable"
        );
        let text = file.text().await?;
        assert!(text.contains(part), "{path}");
    }
    Ok(())
}

/// cargo-leptos tells open pages to reload, in an inline script.
#[tokio::test]
async fn inline_scripts_are_allowed_in_watch_mode_alone() -> Result {
    for (watch, is_allowed) in [("true", true), ("false", false)] {
        let app = App::start_with(&[("LEPTOS_WATCH", watch)]).await?;
        let page = app.get("/").await?;
        let policy = header(&page, "content-security-policy");
        assert_eq!(policy.contains("'unsafe-inline'"), is_allowed, "{policy}");
        assert_eq!(policy.contains("ws://"), is_allowed, "{policy}");
    }
    Ok(())
}

#[tokio::test]
async fn posts_over_the_limit_wait_and_pages_don_t() -> Result {
    let limit = [("POST_BURST", "3")];
    let app = App::start_with(&limit).await?;
    let message = [("level", "info"), ("text", "kept")];
    for _ in 0..3 {
        assert_eq!(app.post_form(PUSH, &message).await?.status(), 303);
    }
    let refused = app.post_form(PUSH, &message).await?;
    assert_eq!(refused.status(), 429);
    let seconds: u64 = header(&refused, "retry-after").parse()?;
    assert!((1..=2).contains(&seconds));
    assert!(refused.text().await?.contains("too much at once"));
    let page = app.page("/").await?;
    assert_eq!(page.matches("data-flash-id").count(), 3);
    Ok(())
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_ended_with_a_page() -> Result {
    let app = App::start_with(&[("REQUEST_TIMEOUT", "1s")]).await?;
    app.push("first").await?;
    let mut lock = app.pool.begin().await?;
    lock.execute("lock table flash_message in access exclusive mode")
        .await?;
    let late = app.post_message("late").await?;
    assert_eq!(late.status(), 503);
    assert!(late.text().await?.contains("took too long"));
    Ok(())
}

#[tokio::test]
async fn headers_that_no_browser_sends_are_refused() -> Result {
    let app = App::start().await?;
    let get = app
        .request(Method::GET, "/")
        .header("x-long", "x".repeat(40_000));
    assert_eq!(get.send().await?.status(), 431);
    Ok(())
}

#[tokio::test]
async fn a_panic_is_a_page_that_says_nothing_of_the_inside() -> Result {
    let app = App::start().await?;
    app.push("kept").await?;
    let failed = app.get("/panics").await?;
    assert_eq!(failed.status(), 500);
    let html = failed.text().await?;
    assert!(
        html.contains("on our side") && !html.contains("secret"),
        "{html}"
    );
    assert!(app.page("/").await?.contains("kept"));
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_database_says_nothing_of_the_inside() -> Result {
    let app = App::start().await?;
    // With a session each of these asks the database.
    app.push("first").await?;
    app.pool
        .execute("alter table flash_message rename to elsewhere")
        .await?;
    let failed = app.post_message("hello").await?;
    assert_eq!(failed.status(), 503);
    let html = failed.text().await?;
    assert!(
        !html.contains("relation") && !html.contains("flash_message"),
        "{html}"
    );
    app.pool
        .execute("alter table tower_sessions.session rename to elsewhere")
        .await?;
    for path in [
        "push_message",
        "push_by_fetch",
        "dismiss_flash",
        "start_race",
        "pass_checkpoint",
        "renew_session",
        "end_session",
    ] {
        for accept in ["text/html", "application/json"] {
            let post = app.request(Method::POST, &format!("/api/{path}"));
            let form = [
                ("level", "info"),
                ("text", "hello"),
                ("dismiss", "1"),
                ("name", "Ada"),
                ("checkpoint", "0"),
            ];
            let answer = post.header("accept", accept).form(&form).send().await?;
            let text = answer.text().await?;
            for word in ["relation", "flash_message", "tower_sessions", "exist"] {
                assert!(!text.contains(word), "{word} from {path}: {text}");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_session_that_can_not_be_saved_is_a_page_too() -> Result {
    let app = App::start().await?;
    app.pool
        .execute("alter table tower_sessions.session add column broken int not null")
        .await?;
    let failed = app.post_message("hello").await?;
    assert_eq!(failed.status(), 503);
    assert!(failed.text().await?.contains("Please try again"));
    Ok(())
}

/// Scenario 16.
#[tokio::test]
async fn in_production_the_cookie_is_secure_whatever_the_proxy_speaks() -> Result {
    let app = App::start_with(&[("LEPTOS_ENV", "PROD")]).await?;
    let pushed = app.post_message("hello").await?;
    let cookie = header(&pushed, "set-cookie");
    assert!(
        cookie.starts_with("__Host-sessionId=") && cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(header(&pushed, "strict-transport-security").contains("max-age="));
    let page = app.request(Method::GET, "/").header("accept", "text/html");
    let with_cookie = page.header("cookie", cookie.split(';').next().unwrap_or_default());
    assert!(with_cookie.send().await?.text().await?.contains("hello"));
    Ok(())
}

#[tokio::test]
async fn a_form_goes_back_to_its_page_on_this_site_alone() -> Result {
    let app = App::start().await?;
    for (referer, back) in [
        ("http://127.0.0.1/session?a=b", "/session?a=b#flashes"),
        ("https://evil.example/session", "/session#flashes"),
        ("https://evil.example//evil.example/x", "/"),
        ("javascript:alert(1)", "/#flashes"),
    ] {
        let post = app.request(Method::POST, "/api/dismiss_flash");
        let post = post
            .header("accept", "text/html")
            .header("referer", referer);
        let answer = post.form(&[("dismiss", "all")]).send().await?;
        assert_eq!(header(&answer, "location"), back, "{referer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_form_brings_back_no_more_messages_than_a_page_shows() -> Result {
    let app = App::start().await?;
    for (number, status) in [(500, 303), (501, 400)] {
        let shown: Vec<_> = (1..=number).map(|id| id.to_string()).collect();
        let form = [("shown", shown.join(",")), ("dismiss", "1".to_owned())];
        let post = app.request(Method::POST, "/api/dismiss_flash");
        let answer = post
            .header("accept", "text/html")
            .form(&form)
            .send()
            .await?;
        assert_eq!(answer.status().as_u16(), status, "{number} messages");
    }
    Ok(())
}

/// Whatever is sent, it is the sender's mistake or none.
#[tokio::test]
async fn no_form_makes_the_server_fail() -> Result {
    use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};

    let app = App::start().await?;
    let field = prop_oneof![
        Just("level".to_owned()),
        Just("text".to_owned()),
        Just("own_level".to_owned()),
        Just("sticky".to_owned()),
        Just("shown".to_owned()),
        Just("dismiss".to_owned()),
        "[a-z\\[\\]%]{0,8}",
    ];
    let pair = (
        field,
        "(info|true|all|7|[&=%\\PC]{0,40}|%[0-9a-fA-F]{2}){0,3}",
    );
    let form = vec(pair, 0..5).prop_map(|pairs| {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&").into_bytes()
    });
    let body = prop_oneof![form, vec(any::<u8>(), 0..200)];
    let paths = [
        "push_message",
        "dismiss_flash",
        "set_reading_time",
        "set_look",
        "pass_checkpoint",
        "start_race",
    ];
    let mut runner = TestRunner::deterministic();
    for number in 0..300 {
        let body = body.new_tree(&mut runner).expect("a form").current();
        let path = paths[number % paths.len()];
        let post = app.request(Method::POST, &format!("/api/{path}"));
        let post = post
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.clone());
        let status = post.send().await?.status();
        assert!(
            !status.is_server_error(),
            "{path}: {}",
            String::from_utf8_lossy(&body)
        );
    }
    Ok(())
}
