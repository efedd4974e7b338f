//! The race: data in the session that several requests change at once.

use futures::future::try_join_all;
use sqlx::PgPool;

use crate::visitor::{Result, Visitor};

/// Somebody presses twenty times; each answer tells what became of it.
#[sqlx::test(migrations = false)]
async fn of_20_posts_at_once_of_a_checkpoint_one_is_noted(pool: PgPool) -> Result {
    let visitor = Visitor::start(pool).await?;
    let post = |path: &str, form: &[(&'static str, &str)]| {
        let post = visitor.client.post(format!("{}{path}", visitor.base));
        post.header("accept", "text/html").form(form).send()
    };
    post("/api/start_race", &[("name", "Runner")]).await?;
    visitor.page("/race").await?.text().await?;
    let posts = (0..20).map(|_| post("/api/pass_checkpoint", &[("checkpoint", "0")]));
    for answer in try_join_all(posts).await? {
        assert_eq!(answer.status(), 303);
    }
    let html = visitor.page("/race").await?.text().await?;
    let count = |text: &str| html.matches(text).count();
    // A message is in the page twice: for the eye, and as data.
    assert_eq!(count("<p class=\"flash-text\">The bridge: noted at"), 1);
    assert_eq!(
        count("<p class=\"flash-text\">The bridge was noted before"),
        19
    );
    Ok(())
}

/// The message that a race began is true.
#[sqlx::test(migrations = false)]
async fn a_race_whose_session_can_not_be_stored_is_not_said_to_be_on(pool: PgPool) -> Result {
    let visitor = Visitor::start(pool.clone()).await?;
    visitor
        .push(&[("level", "info"), ("text", "before")])
        .await?;
    sqlx::raw_sql(
        "create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'no'; end $$;
         create trigger refuse before update of data on tower_sessions.session
            for each row execute function refuse()",
    )
    .execute(&pool)
    .await?;
    let start = visitor
        .client
        .post(format!("{}/api/start_race", visitor.base));
    let start = start
        .header("accept", "text/html")
        .form(&[("name", "Runner")]);
    assert_eq!(start.send().await?.status(), 503);
    let html = visitor.page("/messages").await?.text().await?;
    assert!(html.contains("before") && !html.contains("The race is on"));
    Ok(())
}
