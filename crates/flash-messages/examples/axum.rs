//! A form and its flash messages, in memory: no database, no Node.js.
//!
//! `cargo run -p flash-messages --example axum --features server`, then open <http://localhost:3000>.

use axum::{
    Router,
    response::{Html, Redirect},
    routing::get,
};
use flash_messages::{
    Flash, FlashError, FlashLayer, FlashListener, FlashMessage, MemorySessions, MemoryStore,
    SessionLayer, with_connection,
};
use tokio::net::TcpListener;
use tower_sessions::cookie::Cookie;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let sessions = MemorySessions::default();
    let cookie = Cookie::build("sessionId").path("/").http_only(true).build();
    let app = Router::new()
        .route("/", get(page).post(save))
        .layer(FlashLayer::new(MemoryStore::new(&sessions)))
        .layer(SessionLayer::new(sessions, cookie));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://localhost:3000");
    axum::serve(FlashListener::new(listener), with_connection(app)).await
}

async fn page(flash: Flash) -> Html<String> {
    // Texts are plain: escape those that people write.
    let shown = flash
        .take()
        .into_iter()
        .map(|message| format!("<p>{}</p>", message.text));
    let form = "<form method=post><button>Save</button></form>";
    Html(format!(
        "<!DOCTYPE html><title>Flash</title>{}{form}",
        shown.collect::<String>()
    ))
}

async fn save(flash: Flash) -> Result<Redirect, FlashError> {
    flash.redirect("/", FlashMessage::success("Saved")).await
}
