//! The app, called without a network, a browser or a database.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use leptos::config::LeptosOptions;
use leptos_flash::{
    FlashLayer, FlashMessage, MemoryStore,
    cookie::Cookie,
    testing::{Browser, assert_pushed, assert_shown},
};
use sqlx::postgres::PgPoolOptions;
use tower::ServiceExt;

use {{crate_name}}::{app::router, store::Store};

fn browser() -> Browser {
    browser_of(Store::default())
}

fn browser_of(store: Store) -> Browser {
    let options = LeptosOptions::builder()
        .output_name(env!("CARGO_PKG_NAME"))
        .build();
    let flash = FlashLayer::new(MemoryStore::default(), Cookie::new("sessionId", ""));
    Browser::new(router(options, flash, store))
}

async fn registered() -> Browser {
    let mut browser = browser();
    let ada = [("name", "Ada"), ("password", "a long password")];
    let response = browser.post("/api/register", &ada).await;
    assert_shown(
        &browser.follow(&response).await,
        [FlashMessage::success("Welcome, Ada.")],
    );
    browser
}

#[tokio::test]
async fn a_note_is_saved_and_the_next_page_says_so_once() {
    let mut browser = registered().await;
    let response = browser
        .post("/api/add_note", &[("text", "Buy <bread>")])
        .await;
    assert_pushed(&response, [FlashMessage::success("Your note is saved.")]);
    let page = browser.follow(&response).await;
    assert_shown(&page, [FlashMessage::success("Your note is saved.")]);
    assert!(page.body().contains("Buy &lt;bread&gt;"));
    assert_shown(&browser.get("/").await, []);
}

#[tokio::test]
async fn a_form_that_is_rejected_comes_back_once_with_what_was_typed() {
    let mut browser = registered().await;
    let long = "a".repeat(201);
    let response = browser.post("/api/add_note", &[("text", &long)]).await;
    let page = browser.follow(&response).await.into_body();
    assert!(page.contains(&long) && page.contains("Shorten it to 200 characters."));
    assert!(!browser.get("/").await.body().contains(&long));
}

#[tokio::test]
async fn a_wrong_password_is_said_and_never_sent_back() {
    let mut browser = browser();
    let typed = [("name", "Ada"), ("password", "not the password")];
    let response = browser.post("/api/sign_in", &typed).await;
    let page = browser.follow(&response).await.into_body();
    assert!(page.contains("The name or the password is wrong.") && page.contains("Ada"));
    assert!(!page.contains("not the password"));
}

#[tokio::test]
async fn a_name_with_spaces_around_it_is_rejected() {
    let mut browser = browser();
    let typed = [("name", "Ada "), ("password", "a long password")];
    let response = browser.post("/api/register", &typed).await;
    let page = browser.follow(&response).await.into_body();
    assert!(page.contains("without spaces around it") && page.contains("Ada "));
}

#[tokio::test]
async fn a_form_on_another_site_changes_nothing() {
    let options = LeptosOptions::builder().output_name("app").build();
    let flash = FlashLayer::new(MemoryStore::default(), Cookie::new("sessionId", ""));
    let app = router(options, flash, Store::default());
    let post = Request::post("/api/sign_out").header("sec-fetch-site", "cross-site");
    let response = app
        .oneshot(post.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(
        response.expect("a response").status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn whoever_has_not_signed_in_is_asked_to() {
    let mut browser = browser();
    let response = browser.post("/api/add_note", &[("text", "mine")]).await;
    let message = "Sign in first. Your note was not saved.";
    assert_shown(
        &browser.follow(&response).await,
        [FlashMessage::error(message)],
    );
}

#[tokio::test]
async fn signing_out_ends_the_session_and_in_again_finds_the_notes() {
    let mut browser = registered().await;
    browser
        .post("/api/add_note", &[("text", "Buy bread")])
        .await;
    let response = browser.post("/api/sign_out", &[]).await;
    let page = browser.follow(&response).await.into_body();
    assert!(page.contains("You are signed out.") && !page.contains("Buy bread"));
    let ada = [("name", "Ada"), ("password", "a long password")];
    let response = browser.post("/api/sign_in", &ada).await;
    let page = browser.follow(&response).await.into_body();
    assert!(page.contains("Good to see you, Ada.") && page.contains("Buy bread"));
}

#[tokio::test]
async fn a_database_that_is_away_is_said_without_its_words() {
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(100));
    let pool = pool.connect_lazy("postgres://localhost:1/none");
    let mut browser = browser_of(Store::Postgres(pool.expect("an address")));
    browser.get("/register").await;
    let response = browser
        .post(
            "/api/register",
            &[("name", "Ada"), ("password", "a long password")],
        )
        .await;
    let page = browser.follow(&response).await.into_body();
    assert!(page.contains("That did not work. Please try again in a moment."));
    assert!(!page.contains("pool") && !page.contains("timed out"));
}
