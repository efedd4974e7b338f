//! axum-login on these sessions: its `AuthManager` goes inside `FlashLayer`.

use std::{convert::Infallible, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    response::Redirect,
    routing::{Route, get, post},
};
use axum_login::{AuthManager, AuthSession, AuthUser, AuthnBackend};
use flash_messages::{Flash, FlashMessage, FlashStore};
use tower::layer::layer_fn;
use tower_sessions::Session;

use crate::support::{Database, Result, Visitor, cookie_of, flash_layer, serve, sessions_in};

#[derive(Clone, Debug)]
struct Runner(String);

impl AuthUser for Runner {
    type Id = String;

    fn id(&self) -> String {
        self.0.clone()
    }

    fn session_auth_hash(&self) -> &[u8] {
        b"the hash of a password"
    }
}

/// A backend that knows everybody.
#[derive(Clone)]
struct Runners;

impl AuthnBackend for Runners {
    type User = Runner;
    type Credentials = String;
    type Error = Infallible;

    async fn authenticate(&self, name: String) -> std::result::Result<Option<Runner>, Infallible> {
        Ok(Some(Runner(name)))
    }

    async fn get_user(&self, name: &String) -> std::result::Result<Option<Runner>, Infallible> {
        Ok(Some(Runner(name.clone())))
    }
}

type Auth = AuthSession<Runners>;
type Answer<T> = std::result::Result<T, (StatusCode, String)>;

fn failed(error: impl std::fmt::Debug) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"))
}

async fn push(flash: Flash) -> Answer<()> {
    flash.info("before").await.map(drop).map_err(failed)
}

async fn login(mut auth: Auth, flash: Flash) -> Answer<Redirect> {
    let user = auth.authenticate("Ada".to_owned()).await.map_err(failed)?;
    let user = user.ok_or_else(|| failed("nobody"))?;
    auth.login(&user).await.map_err(failed)?;
    let message = FlashMessage::success("logged in");
    flash.redirect("/page", message).await.map_err(failed)
}

async fn logout(mut auth: Auth, flash: Flash) -> Answer<Redirect> {
    auth.logout().await.map_err(failed)?;
    let message = FlashMessage::success("logged out");
    flash.redirect("/page", message).await.map_err(failed)
}

async fn user(auth: Auth) -> String {
    auth.user.map(|user| user.0).unwrap_or_default()
}

/// Reads the session, waits, and writes it.
async fn slow_write(session: Session) -> Answer<()> {
    session.insert("note", "begin").await.map_err(failed)?;
    tokio::time::sleep(Duration::from_millis(400)).await;
    session.insert("note", "end").await.map_err(failed)
}

async fn page(flash: Flash) -> axum::response::Html<String> {
    let item = |message: FlashMessage| format!("<p class=\"flash-text\">{}</p>", message.text);
    axum::response::Html(flash.take().into_iter().map(item).collect())
}

/// A visitor of an app with axum-login, which lives as long as its database.
async fn start() -> Result<(Visitor, Database)> {
    let database = Database::create().await?;
    let sessions = sessions_in(database.connect().await?);
    let messages = FlashStore::new(sessions);
    messages.migrate().await?;
    let app = Router::new()
        .route("/push", post(push))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .route("/user", get(user))
        .route("/slow-write", post(slow_write))
        .route("/page", get(page))
        .layer(layer_fn(|inner: Route| {
            AuthManager::new(inner, Runners, "axum-login.data")
        }))
        .layer(flash_layer(messages));
    let (address, _) = serve(app).await?;
    Ok((Visitor::new(address), database))
}

#[tokio::test]
async fn a_login_renews_the_id_and_keeps_the_messages() -> Result {
    let (visitor, _database) = start().await?;
    let before = cookie_of(&visitor.post("/push").await?)?;
    let login = visitor.post("/login").await?;
    assert_eq!(login.status(), 303);
    assert_ne!(cookie_of(&login)?, before, "the id is renewed");
    assert_eq!(visitor.follow(login).await?, ["before", "logged in"]);
    assert_eq!(visitor.get_with("/user", &[]).await?.text().await?, "Ada");
    let old = visitor.with_fixed_cookie(&before)?;
    assert_ne!(
        old.get_with("/user", &[]).await?.text().await?,
        "Ada",
        "who fixed the id before the login is not logged in"
    );
    Ok(())
}

#[tokio::test]
async fn a_logout_is_final_and_its_message_is_shown() -> Result {
    let (visitor, _database) = start().await?;
    let login = visitor.post("/login").await?;
    let logged_in = cookie_of(&login)?;
    visitor.follow(login).await?;
    let tab = visitor.with_fixed_cookie(&logged_in)?;
    let write = tab.post("/slow-write");
    let logout = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        visitor.post("/logout").await
    };
    let (_, logout) = futures::try_join!(write, logout)?;
    assert_eq!(visitor.follow(logout).await?, ["logged out"]);
    assert_eq!(visitor.get_with("/user", &[]).await?.text().await?, "");
    let user = tab.get_with("/user", &[]).await?.text().await?;
    assert_eq!(
        user, "",
        "the old cookie is of no use, whatever was in flight"
    );
    Ok(())
}
