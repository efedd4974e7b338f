//! A form that is refused comes back with what was typed, and with the reason beside its field.

use race_bib::{pages::messages::MAX_TEXT, race::MAX_NAME};
use reqwest::{Method, RequestBuilder, Response};
use sqlx::Executor;

use crate::app::{App, PUSH, Result, Visitor};

/// All that a person can fill in on `/messages`.
const TYPED: [(&str, &str); 5] = [
    ("level", "warning"),
    ("own_level", "check-in"),
    ("text", "Well \"run\" & <b>far</b>"),
    ("sticky", "true"),
    ("link", "true"),
];

fn typed_but(field: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let other = TYPED.into_iter().filter(|(name, _)| *name != field);
    other.chain([(field, value)]).collect()
}

fn post(visitor: &Visitor, path: &str) -> RequestBuilder {
    let post = visitor.request(Method::POST, &format!("/api/{path}"));
    post.header("accept", "text/html")
}

/// Asserts that it is the page of the form, with all of [`TYPED`] but one field.
async fn assert_kept(refused: Response, but: &str) -> Result<String> {
    let html = refused.text().await?;
    for (field, kept) in [
        ("level", "value=\"warning\" checked"),
        ("own_level", "name=\"own_level\" value=\"check-in\""),
        ("text", "Well \"run\" &amp; &lt;b>far&lt;/b></textarea>"),
        ("sticky", "name=\"sticky\" value=\"true\" checked"),
        ("link", "name=\"link\" value=\"true\" checked"),
    ] {
        assert!(field == but || html.contains(kept), "{kept} in {html}");
    }
    for part in [
        "<title>Error: Messages",
        "There is a problem",
        "action=\"/api/push_message\"",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert!(!html.contains("name=\"auto_dismiss\" value=\"true\" checked"));
    Ok(html)
}

fn assert_reason(html: &str, field: &str, reason: &str) {
    let said = html.split_once(&format!("id=\"{field}-error\""));
    let said = said.and_then(|(_, rest)| rest.split_once("</p>"));
    let (said, _) = said.unwrap_or_else(|| panic!("a reason at {field} in {html}"));
    assert!(said.contains(reason), "{reason} in {said}");
    for part in [
        format!("href=\"#{field}\""),
        format!("id=\"{field}\""),
        format!("aria-describedby=\"{field}-error"),
        "aria-invalid=\"true\"".to_owned(),
    ] {
        assert!(html.contains(&part), "{part} in {html}");
    }
}

#[tokio::test]
async fn a_refused_message_keeps_what_was_typed_and_says_why_beside_the_field() -> Result {
    let app = App::start().await?;
    for (field, value, status, reason) in [
        ("text", " ", 422, "no text"),
        ("text", "a\0b", 422, "NUL"),
        ("own_level", "1st", 422, "CSS class"),
    ] {
        let refused = app.post_form(PUSH, &typed_but(field, value)).await?;
        assert_eq!(refused.status(), status, "{field}: {value:?}");
        let html = assert_kept(refused, field).await?;
        assert_reason(&html, field, reason);
    }
    let wrong_level = [("level", "<i>"), ("text", "kept"), ("own_level", "")];
    let html = app.post_form(PUSH, &wrong_level).await?.text().await?;
    assert_reason(&html, "level", "CSS class");
    assert!(html.contains("\nkept</textarea>"));
    Ok(())
}

#[tokio::test]
async fn a_form_that_no_browser_sends_keeps_what_can_be_read_of_it() -> Result {
    let app = App::start().await?;
    for (form, field, reason) in [
        (&b"level=info&own_level=mine"[..], "text", "missing"),
        (b"own_level=mine&text=a", "level", "missing"),
        (
            b"level=info&own_level=mine&text=a&text=b",
            "text",
            "more than once",
        ),
        (b"level=info&own_level=mine&text=a\xff", "text", "UTF-8"),
    ] {
        let kind = "application/x-www-form-urlencoded";
        let post = post(&app, "push_message").header("content-type", kind);
        let refused = post.body(form).send().await?;
        assert_eq!(refused.status(), 400, "{reason}");
        let html = refused.text().await?;
        assert_reason(&html, field, reason);
        assert!(html.contains("name=\"own_level\" value=\"mine\""), "{html}");
    }
    Ok(())
}

#[tokio::test]
async fn a_name_that_is_refused_stays_in_the_form() -> Result {
    let app = App::start().await?;
    let long = "\"Ada\" & <Grace> ".repeat(4);
    for name in ["   ", &long, &"🏃".repeat(MAX_NAME / 2 + 1)] {
        let refused = post(&app, "start_race")
            .form(&[("name", name)])
            .send()
            .await?;
        assert_eq!(refused.status(), 422, "{name}");
        let html = refused.text().await?;
        assert_reason(&html, "name", "1 to 40 characters");
        let kept = name.replace('&', "&amp;").replace('"', "&quot;");
        let kept = kept.replace('<', "&lt;").replace('>', "&gt;");
        assert!(
            html.contains(&format!("value=\"{kept}\"")),
            "{kept} in {html}"
        );
        assert!(html.contains("<title>Error: The race"), "{html}");
    }
    let name = "🏃".repeat(MAX_NAME / 2);
    let begun = post(&app, "start_race")
        .form(&[("name", name)])
        .send()
        .await?;
    assert_eq!(begun.status(), 303);
    Ok(())
}

#[tokio::test]
async fn a_form_that_is_refused_before_it_is_looked_at_keeps_what_was_typed() -> Result {
    let limit = [("POST_BURST", "1")];
    let app = App::start_with(&limit).await?;
    let from_elsewhere = post(&app, "push_message").header("sec-fetch-site", "cross-site");
    let refused = from_elsewhere.form(&TYPED).send().await?;
    assert_eq!(refused.status(), 403);
    let html = assert_kept(refused, "").await?;
    assert!(html.contains("from another site"));

    assert_eq!(app.post_form(PUSH, &TYPED).await?.status(), 303);
    let refused = app.post_form(PUSH, &TYPED).await?;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let html = assert_kept(refused, "").await?;
    assert!(html.contains("too much at once") && html.contains("still in the form"));
    Ok(())
}

#[tokio::test]
async fn a_form_keeps_what_was_typed_when_the_database_is_slow_or_away() -> Result {
    let app = App::start_with(&[("REQUEST_TIMEOUT", "1s")]).await?;
    app.push("first").await?;
    let mut lock = app.pool.begin().await?;
    lock.execute("lock table flash_message in access exclusive mode")
        .await?;
    let refused = app.post_form(PUSH, &TYPED).await?;
    assert_eq!(refused.status(), 503);
    let html = assert_kept(refused, "").await?;
    assert!(html.contains("took too long"), "{html}");
    lock.rollback().await?;

    app.pool
        .execute("alter table flash_message rename to elsewhere")
        .await?;
    let refused = app.post_form(PUSH, &TYPED).await?;
    assert_eq!(refused.status(), 503);
    let html = assert_kept(refused, "").await?;
    assert!(html.contains("Please try again"), "{html}");
    Ok(())
}

#[tokio::test]
async fn a_text_that_the_browser_allows_is_taken_and_one_more_character_is_not() -> Result {
    let app = App::start().await?;
    let push = async |text: &str| app.post_message(text).await;
    for (longest, more) in [
        ("я".repeat(MAX_TEXT), "я"),
        ("走".repeat(MAX_TEXT), "走"),
        ("🏃".repeat(MAX_TEXT / 2), "a"),
        // A line break counts once, though the form sends two bytes.
        ("a\r\n".repeat(MAX_TEXT / 2 - 1) + "ab", "c"),
    ] {
        assert_eq!(push(&longest).await?.status(), 303, "{more}");
        let page = app.page("/messages").await?;
        let stored = longest.replace("\r\n", "\n");
        assert!(page.contains(&stored), "stored with LF, and whole: {more}");
        let refused = push(&(longest.clone() + more)).await?;
        assert_eq!(refused.status(), 413, "{more}");
        let html = refused.text().await?;
        assert_reason(&html, "text", "too long");
        assert!(
            html.contains(&format!("{longest}{more}</textarea>")),
            "{more}"
        );
        assert!(html.contains(&format!("maxlength=\"{MAX_TEXT}\"")));
    }
    Ok(())
}

#[tokio::test]
async fn of_a_form_that_is_too_large_the_beginning_comes_back() -> Result {
    let app = App::start().await?;
    let text = "x".repeat(5_000_000);
    let refused = app
        .post_form(PUSH, &[("level", "error"), ("text", &text)])
        .await?;
    assert_eq!(refused.status(), 413);
    let html = refused.text().await?;
    assert_reason(&html, "text", "256 KiB");
    assert_reason(&html, "text", "cut off");
    assert!(html.contains("value=\"error\" checked"));
    assert!(html.contains(&format!("{}</textarea>", "x".repeat(200_000))));
    assert!(html.len() < 300_000, "{} bytes", html.len());
    Ok(())
}

#[tokio::test]
async fn what_was_typed_is_text_on_the_refused_page() -> Result {
    let app = App::start().await?;
    let attack = "</textarea></title>\"'><script>alert(1)</script>&lt;b&gt;";
    let form = [("level", attack), ("own_level", attack), ("text", attack)];
    let html = app.post_form(PUSH, &form).await?.text().await?;
    assert!(!html.contains("<script>alert"), "{html}");
    let text = "&lt;/textarea>&lt;/title>\"'>&lt;script>alert(1)&lt;/script>&amp;lt;b&amp;gt;";
    assert!(html.contains(&format!("\n{text}</textarea>")), "{html}");
    // A browser drops the first line break of a textarea.
    let form = [
        ("level", "info"),
        ("own_level", "1"),
        ("text", "\r\n\r\nlines"),
    ];
    let html = app.post_form(PUSH, &form).await?.text().await?;
    assert!(html.contains(">\n\r\n\r\nlines</textarea>"), "{html}");
    Ok(())
}

#[tokio::test]
async fn a_script_gets_json_for_a_refused_form() -> Result {
    let limit = [("POST_BURST", "2")];
    let app = App::start_with(&limit).await?;
    let json = "application/json";
    let send = async |origin: &'static str, text: &str| {
        let post = app.request(Method::POST, PUSH).header("accept", json);
        let form = [("level", "info"), ("text", text)];
        post.header("sec-fetch-site", origin)
            .form(&form)
            .send()
            .await
    };
    let huge = "x".repeat(300_000);
    for (origin, text, status) in [
        ("cross-site", "a", 403),
        ("same-origin", &huge, 413),
        ("same-origin", " ", 500), // The status that Leptos gives a call.
        ("same-origin", "a", 429),
    ] {
        let refused = send(origin, text).await?;
        assert_eq!(refused.status(), status);
        let body = refused.text().await?;
        assert!(
            serde_json::from_str::<serde_json::Value>(&body).is_ok(),
            "{body}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_refused_form_without_fields_says_why_and_links_to_its_page() -> Result {
    let app = App::start().await?;
    for (path, page) in [("push_five", "/messages"), ("end_session", "/session")] {
        let from_elsewhere = post(&app, path).header("sec-fetch-site", "cross-site");
        let refused = from_elsewhere.send().await?;
        assert_eq!(refused.status(), 403);
        let html = refused.text().await?;
        assert!(html.contains("from another site"), "{html}");
        assert!(
            html.contains(&format!(
                "href=\"{page}\" class=\"button\">Back to the form"
            )),
            "{html}"
        );
    }
    Ok(())
}

/// Its address is that of the server function, where there is no page.
#[tokio::test]
async fn a_form_on_a_refused_form_s_page_goes_back_to_the_page() -> Result {
    let app = App::start().await?;
    for (path, back) in [
        ("push_by_fetch", "/messages"),
        ("dismiss_flash", "/messages#flashes"),
    ] {
        let referer = format!("http://{}{PUSH}", app.address);
        let post = post(&app, path).header("referer", referer);
        let answer = post.form(&[("dismiss", "all")]).send().await?;
        assert_eq!(answer.headers()["location"], back, "{path}");
    }
    Ok(())
}
