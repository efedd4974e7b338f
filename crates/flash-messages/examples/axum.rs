//! Shows a form and its flash messages. It keeps them in memory, so it needs no database.
//!
//! Run `cargo run -p flash-messages --example axum`, then open <http://localhost:3000>.

use axum::{
    Router,
    response::{Html, Redirect},
    routing::get,
};
use flash_messages::{Flash, FlashError, FlashLayer, FlashMessage, MemoryStore, cookie::Cookie};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let cookie = Cookie::build("sessionId").path("/").http_only(true).build();
    let flash = FlashLayer::new(MemoryStore::default(), cookie);
    let app = Router::new()
        .route("/", get(page).post(save))
        .layer(flash.clone());
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://localhost:3000");
    flash.serve(listener, app, std::future::pending()).await
}

async fn page(flash: Flash) -> Html<String> {
    // The texts are plain: a page must escape those that people write.
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
