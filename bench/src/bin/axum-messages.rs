//! The peer in Rust: axum-messages on tower-sessions with its PostgreSQL store, and the page of the
//! other peers.

use std::env;

use anyhow::Result;
use axum::{
    Form, Router,
    response::{Html, Redirect},
    routing::{get, post},
};
use axum_messages::{Messages, MessagesManagerLayer};
use serde::Deserialize;
use sqlx::postgres::PgPoolOptions;
use tokio::net::TcpListener;
use tower_sessions::{
    Expiry, SessionManagerLayer,
    cookie::{Key, SameSite, time::Duration},
};
use tower_sessions_sqlx_store::PostgresStore;

#[derive(Deserialize)]
struct Posted {
    level: String,
    text: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(16)
        .connect(&env::var("DATABASE_URL")?)
        .await?;
    let store = PostgresStore::new(pool);
    store.migrate().await?;
    let sessions = SessionManagerLayer::new(store)
        .with_name("sessionId")
        .with_secure(false)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(Duration::days(14)))
        .with_signed(Key::from(env::var("SESSION_SECRET")?.as_bytes()));
    let app = Router::new()
        .route("/", get(page))
        .route("/messages", post(push))
        .layer(MessagesManagerLayer)
        .layer(sessions);
    let listener = TcpListener::bind(format!("127.0.0.1:{}", env::var("PORT")?)).await?;
    Ok(axum::serve(listener, app).await?)
}

async fn push(messages: Messages, Form(posted): Form<Posted>) -> Redirect {
    let messages = match posted.level.as_str() {
        "success" => messages.success(posted.text),
        "warning" => messages.warning(posted.text),
        "error" => messages.error(posted.text),
        _ => messages.info(posted.text),
    };
    drop(messages);
    Redirect::to("/")
}

async fn page(messages: Messages) -> Html<String> {
    let items: String = messages
        .into_iter()
        .map(|message| {
            let text = message
                .to_string()
                .replace('&', "&amp;")
                .replace('<', "&lt;");
            format!(
                "<li class=\"{}\">{text}</li>",
                message.level.to_string().to_lowercase()
            )
        })
        .collect();
    let messages = match items.is_empty() {
        true => String::new(),
        false => format!("<div id=\"messages\"><ul>{items}</ul></div>"),
    };
    Html(PAGE.replace("{messages}", &messages))
}

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>A session is a race</title>
  <meta name="description" content="Flash messages and sessions, told with a race.">
</head>
<body>
  <header>
    <nav aria-label="Pages">
      <a href="/">Start</a>
      <a href="/race">Race</a>
      <a href="/messages">Messages</a>
      <a href="/session">Session</a>
    </nav>
  </header>
{messages}
  <main>
    <h1>A session is a race</h1>
    <p>At the start you get a bib with a number. At each checkpoint an official notes that number, and what they note belongs to you for as long as the race lasts.</p>
    <p>The bib is the cookie: a number and a signature, nothing else. The notes are rows in PostgreSQL, found by the number on the bib.</p>
    <p>A message is a note from one request to the next page. It is shown once, and then it is gone.</p>
  </main>
</body>
</html>
"#;
