//! What happens to messages when the session's id changes, or the session ends.

use flash_messages::{FlashStore, PostgresSessionStore};
use sqlx::{Executor, postgres::PgPoolOptions};

use crate::support::{Database, HTML, Place, Result, Server, Visitor, flash_layer, session_cookie};

on_each_store!(messages_survive_a_renewed_session_id);
/// Scenario 11.
async fn messages_survive_a_renewed_session_id(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.push("before").await?;
    let login = visitor.post("/login").await?;
    assert_eq!(visitor.follow(login).await?, ["before", "logged in"]);
    assert_eq!(
        visitor.get_with("/user", &[]).await?.text().await?,
        "runner"
    );
    Ok(())
}

/// Scenario 12.
#[tokio::test]
async fn a_goodbye_is_shown_in_a_new_session_and_nothing_of_the_old_one() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/login").await?;
    visitor.push("secret of the old session").await?;
    let old: Vec<String> = ids(&server).await?;
    let logout = visitor.post("/logout").await?;
    assert_eq!(visitor.follow(logout).await?, ["logged out"]);
    assert_eq!(visitor.get_with("/user", &[]).await?.text().await?, "");
    let new = ids(&server).await?;
    assert_eq!(new.len(), 1);
    assert_ne!(old, new, "the old id stays dead");
    Ok(())
}

/// Scenario 13.
#[tokio::test]
async fn a_logout_is_not_undone_by_a_request_that_still_writes() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/login").await?;
    let old = ids(&server).await?;
    let writer = visitor.clone();
    let writing = tokio::spawn(async move { writer.post("/slow-write").await.map(drop) });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    visitor.post("/logout").await?;
    writing.await??;
    assert!(ids(&server).await?.iter().all(|id| !old.contains(id)));
    Ok(())
}

/// Scenario 14.
#[tokio::test]
async fn reading_messages_without_a_session_creates_none() -> Result {
    let server = Server::start().await?;
    let page = Visitor::new(server.address).get("/page").await?;
    assert!(!page.headers().contains_key("set-cookie"));
    assert_eq!(server.sessions().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_push_with_the_cookie_of_a_dead_session_begins_a_new_one() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("lost with its session").await?;
    server
        .pool
        .execute("delete from tower_sessions.session")
        .await?;
    visitor.push("hello").await?;
    assert_eq!(visitor.messages("/page").await?, ["hello"]);
    Ok(())
}

on_each_store!(messages_never_cross_sessions);
async fn messages_never_cross_sessions(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let (one, two) = (Visitor::new(server.address), Visitor::new(server.address));
    one.push("for one").await?;
    two.push("for two").await?;
    assert_eq!(one.messages("/page").await?, ["for one"]);
    assert_eq!(two.messages("/page").await?, ["for two"]);
    Ok(())
}

/// Scenario 18.
#[tokio::test]
async fn the_time_zone_of_a_connection_has_no_effect() -> Result {
    let database = Database::create().await?;
    let server = Server::start_at(&database, |store| store).await?;
    // sqlx says UTC when it connects.
    let in_the_east = PgPoolOptions::new()
        .after_connect(|connection, _| {
            Box::pin(async {
                connection.execute("set timezone = 'Asia/Tokyo'").await?;
                Ok(())
            })
        })
        .connect(&database.url)
        .await?;
    let east = Server::start_on_pool(in_the_east, |store| store).await?;
    let zone: String = sqlx::query_scalar("show timezone")
        .fetch_one(&east.pool)
        .await?;
    assert_eq!(zone, "Asia/Tokyo");
    let visitor = Visitor::new(server.address);
    visitor.push("hello").await?;
    assert_eq!(visitor.at(east.address).messages("/page").await?, ["hello"]);
    visitor.at(east.address).push("again").await?;
    assert_eq!(visitor.messages("/page").await?, ["again"]);
    Ok(())
}

#[tokio::test]
async fn a_session_of_the_plain_postgres_store_gets_a_key_of_its_own() -> Result {
    let database = Database::create().await?;
    let pool = database.connect().await?;
    let plain = tower_sessions_sqlx_store::PostgresStore::new(pool.clone());
    plain.migrate().await?;
    let session = tower_sessions::Session::new(None, std::sync::Arc::new(plain), None);
    session.insert("user", "from before").await?;
    session.save().await?;
    let messages = FlashStore::new(PostgresSessionStore::new(pool.clone()));
    let server = Server::start_on(pool, messages, flash_layer).await?;

    let visitor = Visitor::new(server.address);
    let cookie = format!("sessionId={}", session.id().ok_or("an id")?);
    let with_cookie = |method, path: &'static str| {
        visitor
            .request(method, path)
            .header("cookie", cookie.clone())
            .header(HTML.0, HTML.1)
    };
    with_cookie(reqwest::Method::POST, "/push/info/hello")
        .send()
        .await?;
    let user = with_cookie(reqwest::Method::GET, "/user")
        .send()
        .await?
        .text()
        .await?;
    assert_eq!(user, "from before");
    let page = with_cookie(reqwest::Method::GET, "/page")
        .send()
        .await?
        .text()
        .await?;
    assert!(page.contains("hello"), "{page}");
    Ok(())
}

on_each_store!(a_renewed_id_logs_nobody_out);
/// What a second tab sends while a login is under way comes with the old id.
async fn a_renewed_id_logs_nobody_out(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    let (login, tab) = (visitor.clone(), visitor.with_fixed_cookie(&cookie)?);
    let login = tokio::spawn(async move { login.post("/slow-login").await.map(drop) });
    tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    for path in ["/push/info/meanwhile", "/slow-write"] {
        let answer = tab.post(path).await?;
        assert!(!answer.headers().contains_key("set-cookie"), "{path}");
    }
    let user = tab.get("/user").await?;
    assert!(!user.headers().contains_key("set-cookie"));
    login.await??;
    assert_eq!(
        visitor.get_with("/user", &[]).await?.text().await?,
        "runner"
    );
    assert!(
        visitor
            .messages("/page")
            .await?
            .contains(&"meanwhile".to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn a_renewal_whose_answer_fails_changes_nothing() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/login").await?;
    visitor.push("kept").await?;
    assert_eq!(visitor.post("/failing-login").await?.status(), 500);
    assert_eq!(
        (server.sessions().await?, server.current_sessions().await?),
        (1, 1)
    );
    let user = visitor.get_with("/user", &[]).await?;
    assert_eq!(user.text().await?, "runner");
    assert!(
        visitor
            .messages("/page")
            .await?
            .contains(&"kept".to_owned())
    );
    Ok(())
}

on_each_store!(a_push_into_a_session_that_ended_meanwhile_starts_another);
async fn a_push_into_a_session_that_ended_meanwhile_starts_another(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/login").await?;
    let (late, tab) = (visitor.clone(), visitor.clone());
    let ends = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        tab.post("/leave").await
    };
    let (late, _) = futures::try_join!(late.post("/slow-push"), ends)?;
    assert!(late.headers().contains_key("set-cookie"));
    assert_eq!(visitor.messages("/page").await?, ["late"]);
    assert_eq!(visitor.get_with("/user", &[]).await?.text().await?, "");
    Ok(())
}

#[tokio::test]
async fn of_two_renewals_at_once_one_counts() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let cookie = session_cookie(&visitor).await?;
    let (one, two) = (
        visitor.with_fixed_cookie(&cookie)?,
        visitor.with_fixed_cookie(&cookie)?,
    );
    let (one, two) = futures::try_join!(one.post("/slow-login"), two.post("/slow-login"))?;
    let is_set = [&one, &two].map(|answer| answer.headers().contains_key("set-cookie"));
    assert_ne!(is_set[0], is_set[1]);
    assert_eq!(server.current_sessions().await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_unknown_session_is_no_reason_to_take_a_cookie_away() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.push("gone").await?;
    server
        .pool
        .execute("delete from tower_sessions.session")
        .await?;
    let user = visitor.get("/user").await?;
    assert!(!user.headers().contains_key("set-cookie"));
    Ok(())
}

#[tokio::test]
async fn a_logout_takes_the_cookie_away() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/login").await?;
    let answer = visitor.post("/leave").await?;
    let line = answer.headers()["set-cookie"].to_str()?;
    assert!(
        line.starts_with("sessionId=;") && line.contains("Max-Age=0"),
        "{line}"
    );
    assert_eq!(server.sessions().await?, 0);
    Ok(())
}

/// A second tab, within the 10 seconds that the old id is good for.
#[tokio::test]
async fn a_logout_with_the_old_id_ends_the_renewed_session_too() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let tab = visitor.with_fixed_cookie(&session_cookie(&visitor).await?)?;
    visitor.post("/login").await?;
    let user = visitor.get_with("/user", &[]).await?;
    assert_eq!(user.text().await?, "runner");
    tab.post("/leave").await?;
    assert_eq!(visitor.get_with("/user", &[]).await?.text().await?, "");
    assert_eq!(server.sessions().await?, 0);
    Ok(())
}

on_each_store!(a_logout_with_the_new_id_ends_the_old_one_too);
async fn a_logout_with_the_new_id_ends_the_old_one_too(place: Place) -> Result {
    let server = Server::start_in(place).await?;
    let visitor = Visitor::new(server.address);
    let tab = visitor.with_fixed_cookie(&session_cookie(&visitor).await?)?;
    visitor.post("/write/a").await?;
    visitor.post("/login").await?;
    assert_eq!(tab.get_with("/keys", &[]).await?.text().await?, "a");
    visitor.post("/leave").await?;
    assert_eq!(tab.get_with("/keys", &[]).await?.text().await?, "");
    Ok(())
}

#[tokio::test]
async fn a_renewal_of_a_session_that_ended_meanwhile_stores_nothing() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let tab = visitor.with_fixed_cookie(&session_cookie(&visitor).await?)?;
    let leaves = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        tab.post("/leave").await
    };
    let (late, _) = futures::try_join!(visitor.post("/late-login"), leaves)?;
    assert!(!late.headers().contains_key("set-cookie"));
    assert_eq!(server.sessions().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_renewed_and_then_ended_is_over() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let tab = visitor.with_fixed_cookie(&session_cookie(&visitor).await?)?;
    visitor.post("/write/a").await?;
    let answer = visitor.post("/login-and-leave").await?;
    let line = answer.headers()["set-cookie"].to_str()?;
    assert!(line.starts_with("sessionId=;"), "{line}");
    assert_eq!(server.sessions().await?, 0);
    assert_eq!(tab.get_with("/keys", &[]).await?.text().await?, "");
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_renewed_ended_and_begun_anew_has_nothing_of_the_old_one() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    let tab = visitor.with_fixed_cookie(&session_cookie(&visitor).await?)?;
    visitor.post("/write/a").await?;
    visitor.post("/login-and-goodbye").await?;
    assert_eq!(visitor.messages("/page").await?, ["goodbye"]);
    assert_eq!(visitor.get_with("/keys", &[]).await?.text().await?, "");
    assert_eq!(tab.get_with("/keys", &[]).await?.text().await?, "");
    assert_eq!(server.sessions().await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_login_on_a_first_visit_begins_a_session() -> Result {
    let server = Server::start().await?;
    let visitor = Visitor::new(server.address);
    visitor.post("/login").await?;
    let user = visitor.get_with("/user", &[]).await?;
    assert_eq!(user.text().await?, "runner");
    assert_eq!(server.sessions().await?, 1);
    Ok(())
}

async fn ids(server: &Server) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar("select id from tower_sessions.session")
        .fetch_all(&server.pool)
        .await?)
}
