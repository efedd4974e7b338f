//! The app without a network and without a database: statements fail at once.

use std::{sync::LazyLock, time::Duration};

use axum::{Router, body::Body, http::{Request, StatusCode}};
use http_body_util::BodyExt;
use race_bib::{application::Application, config::Config};
use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Runtime;
use tower::ServiceExt;

static APP: LazyLock<(Runtime, Router)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(async { app() });
    (runtime, app)
});

fn app() -> Router {
    let variable = |name: &str| match name {
        "DATABASE_URL" => Some("postgres://nobody@127.0.0.1:1/none".to_owned()),
        "SESSION_SECRET" => Some(format!("{},{}", "new secret ".repeat(8), "old secret ".repeat(8))),
        "LEPTOS_HASH_FILES" => Some("false".to_owned()),
        _ => None,
    };
    let config = Config::from_variables(variable).unwrap();
    let pool = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(1))
        .connect_lazy_with(config.database.clone());
    Application::build(config, pool).router
}

/// The status and the text of the answer, read to its end.
pub fn answer(request: Request<Body>) -> (StatusCode, String) {
    let (runtime, app) = &*APP;
    runtime.block_on(async {
        let answer = app.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    })
}
