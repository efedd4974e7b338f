//! The race: data in the session that several requests change at once.

use futures::future::try_join_all;
use reqwest::Method;

use crate::app::{App, Result};

/// Somebody presses twenty times; each answer tells what became of it.
#[tokio::test]
async fn of_20_posts_at_once_of_a_checkpoint_one_is_noted() -> Result {
    let app = App::start().await?;
    let post = |path: &str, form: &[(&'static str, &str)]| {
        let post = app.request(Method::POST, path);
        post.header("accept", "text/html").form(form).send()
    };
    post("/api/start_race", &[("name", "Runner")]).await?;
    app.page("/race").await?;
    let posts = (0..20).map(|_| post("/api/pass_checkpoint", &[("checkpoint", "0")]));
    for answer in try_join_all(posts).await? {
        assert_eq!(answer.status(), 303);
    }
    let html = app.page("/race").await?;
    let count = |text: &str| html.matches(text).count();
    // The text is also in the name of the button.
    assert_eq!(count("class=\"flash-text\">The bridge: noted at"), 1);
    assert_eq!(
        count("class=\"flash-text\">The bridge was noted before"),
        19
    );
    Ok(())
}

/// The message that a race began is true.
#[tokio::test]
async fn a_race_whose_session_can_not_be_stored_is_not_said_to_be_on() -> Result {
    let app = App::start().await?;
    app.push("before").await?;
    sqlx::raw_sql(
        "create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'no'; end $$;
         create trigger refuse before update of data on tower_sessions.session
            for each row execute function refuse()",
    )
    .execute(&app.pool)
    .await?;
    let start = app.request(Method::POST, "/api/start_race");
    let start = start
        .header("accept", "text/html")
        .form(&[("name", "Runner")]);
    assert_eq!(start.send().await?.status(), 503);
    let html = app.page("/messages").await?;
    assert!(html.contains("before") && !html.contains("The race is on"));
    Ok(())
}
