//! Browsers that run our script say what they have shown; what they don't say was not seen.

use std::time::Duration;

use crate::support::{Place, Result, Server, Visitor, call, note, session_cookie, texts};

/// A server with a lease of a second, and a browser whose session has shown "first".
struct Browser {
    server: Server,
    visitor: Visitor,
    session: String,
    /// A note of the session that names none of the messages to come.
    note: String,
}

impl Browser {
    async fn start(place: Place) -> Result<Self> {
        let server = Server::start_with_lease(place, Duration::from_secs(1)).await?;
        let visitor = Visitor::new(server.address);
        let session = session_cookie(&visitor).await?;
        let note = note(&server).await?;
        visitor.messages("/page").await?;
        Ok(Self {
            server,
            visitor,
            session,
            note,
        })
    }

    /// Loads a page with these notes.
    async fn page(&self, path: &str, note: &str) -> Result<Vec<String>> {
        let cookies = format!("{}; {note}", self.session);
        let page = self.visitor.with_fixed_cookie(&cookies)?.get(path).await?;
        Ok(texts(&page.text().await?))
    }

    async fn lease_runs_out(&self) {
        self.server.flash.flush().await;
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
}

on_each_store!(what_a_noted_page_showed_is_not_shown_again);
async fn what_a_noted_page_showed_is_not_shown_again(place: Place) -> Result {
    let browser = Browser::start(place).await?;
    browser.visitor.push("hello").await?;
    assert_eq!(browser.page("/page", &browser.note).await?, ["hello"]);
    let note = note(&browser.server).await?;
    browser.lease_runs_out().await;
    assert!(browser.page("/page", &note).await?.is_empty());
    assert_eq!(browser.server.stored().await?, 0);
    Ok(())
}

on_each_store!(what_a_page_without_a_note_showed_is_shown_again_when_the_lease_has_run_out);
/// A proxy that buffers, a closed laptop: the page was written, and nobody saw it.
async fn what_a_page_without_a_note_showed_is_shown_again_when_the_lease_has_run_out(
    place: Place,
) -> Result {
    let browser = Browser::start(place).await?;
    browser.visitor.push("hello").await?;
    assert_eq!(browser.page("/page", &browser.note).await?, ["hello"]);
    assert!(browser.page("/page", &browser.note).await?.is_empty());
    browser.lease_runs_out().await;
    assert_eq!(browser.page("/page", &browser.note).await?, ["hello"]);
    Ok(())
}

on_each_store!(a_browser_that_stopped_to_note_sees_a_message_twice_at_most);
/// JavaScript was switched off, or the script does not load any more.
async fn a_browser_that_stopped_to_note_sees_a_message_twice_at_most(place: Place) -> Result {
    let browser = Browser::start(place).await?;
    browser.visitor.push("hello").await?;
    let mut shown = 0;
    for _ in 0..3 {
        shown += browser.page("/page", &browser.note).await?.len();
        browser.lease_runs_out().await;
    }
    assert_eq!(shown, 2);
    assert_eq!(browser.server.stored().await?, 0);
    Ok(())
}

on_each_store!(a_message_of_a_page_that_failed_does_not_count_as_shown);
async fn a_message_of_a_page_that_failed_does_not_count_as_shown(place: Place) -> Result {
    let browser = Browser::start(place).await?;
    browser.visitor.push("hello").await?;
    for _ in 0..3 {
        browser.page("/silent", &browser.note).await?;
    }
    assert_eq!(browser.page("/page", &browser.note).await?, ["hello"]);
    browser.lease_runs_out().await;
    assert_eq!(browser.page("/page", &browser.note).await?, ["hello"]);
    Ok(())
}

on_each_store!(the_note_of_another_session_or_table_deletes_nothing);
async fn the_note_of_another_session_or_table_deletes_nothing(place: Place) -> Result {
    let browser = Browser::start(place).await?;
    browser.visitor.push("hello").await?;
    let note = note(&browser.server).await?;
    let (_, entries) = note.split_once('=').ok_or("a note")?;
    let foreign = format!("flash-00000000={entries}");
    assert_eq!(browser.page("/page", &foreign).await?, ["hello"]);
    Ok(())
}

on_each_store!(a_call_deletes_what_is_noted_and_tells_the_browser);
async fn a_call_deletes_what_is_noted_and_tells_the_browser(place: Place) -> Result {
    let browser = Browser::start(place).await?;
    browser.visitor.push("hello").await?;
    browser.page("/page", &browser.note).await?;
    let note = note(&browser.server).await?;
    let cookies = format!("{}; {note}", browser.session);
    let noting = browser.visitor.with_fixed_cookie(&cookies)?;
    let noted = call(&noting, "text=called", "app").await?;
    assert_eq!(noted.headers()["x-flash-noted"], "1");
    browser.server.flash.flush().await;
    assert_eq!(browser.server.stored().await?, 1, "the call's own message");
    let without = call(&browser.visitor, "text=called", "app").await?;
    assert!(!without.headers().contains_key("x-flash-noted"));
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_asked_back_is_shown_though_it_was_noted() -> Result {
    let browser = Browser::start(Place::Postgres).await?;
    for text in ["a", "b"] {
        browser.visitor.push(text).await?;
    }
    assert_eq!(browser.page("/page", &browser.note).await?, ["a", "b"]);
    let note = note(&browser.server).await?;
    let ids: Vec<i64> = sqlx::query_scalar("select id from flash_message order by id")
        .fetch_all(&browser.server.pool)
        .await?;
    let form = format!(
        "/dismiss-form?dismiss={}&shown={},{}",
        ids[0], ids[0], ids[1]
    );
    let answer = browser
        .visitor
        .with_fixed_cookie(&format!("{}; {note}", browser.session))?
        .post(&form)
        .await?;
    let cookie = answer.headers()["set-cookie"].to_str()?;
    let rest = cookie.split(';').next().ok_or("a cookie")?;
    assert!(
        rest.starts_with("flash-") && rest.ends_with('='),
        "{cookie}"
    );
    assert_eq!(browser.page("/page", rest).await?, ["b"]);
    Ok(())
}

on_each_store!(eighty_notes_make_no_large_response);
/// nginx refuses response headers over 4 KB.
async fn eighty_notes_make_no_large_response(place: Place) -> Result {
    let browser = Browser::start(place).await?;
    browser.visitor.push("hello").await?;
    let entries: Vec<_> = (1..=80).map(|id| format!("{id}.mz5k")).collect();
    let (name, _) = browser.note.split_once('=').ok_or("a note")?;
    let old: Vec<_> = (1..=80).map(|id| format!("flash-{id}=")).collect();
    let cookies = format!(
        "{}; {name}={}; {}",
        browser.session,
        entries.join("-"),
        old.join("; ")
    );
    let visitor = browser.visitor.with_fixed_cookie(&cookies)?;
    let page = visitor.get("/page").await?;
    let bytes = |response: &reqwest::Response| -> usize {
        let lines = response.headers().iter();
        lines
            .map(|(name, value)| name.as_str().len() + value.len() + 4)
            .sum()
    };
    assert!(bytes(&page) < 3000, "{}", bytes(&page));
    let query = format!("times=20&text={}", "x".repeat(300));
    let called = call(&visitor, &query, "app").await?;
    assert!(bytes(&called) < 3000, "{}", bytes(&called));
    Ok(())
}

on_each_store!(of_more_messages_than_a_note_holds_none_is_shown_again);
/// The note holds 40 ids.
async fn of_more_messages_than_a_note_holds_none_is_shown_again(place: Place) -> Result {
    let browser = Browser::start(place).await?;
    for number in 0..45 {
        browser.visitor.push(&number.to_string()).await?;
    }
    assert_eq!(browser.page("/page", &browser.note).await?.len(), 45);
    // The response is read before the server's last flush has returned.
    tokio::time::sleep(Duration::from_millis(50)).await;
    browser.lease_runs_out().await;
    assert!(browser.page("/page", &browser.note).await?.is_empty());
    Ok(())
}
