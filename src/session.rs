//! The session layer: cookie, signature, expiry.

use leptos_flash::PostgresSessionStore;
use time::Duration;
use tower_sessions::{
    Expiry, Session, SessionManagerLayer,
    cookie::{Key, SameSite},
    service::SignedCookie,
};

use crate::{config::Config, error::AppError};

const COOKIE: &str = "sessionId";

/// A browser takes it only with `Secure`, without a domain, from the root path: nobody but this
/// host can have set it (<https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes>).
const HOST_COOKIE: &str = "__Host-sessionId";

pub fn session_layer(
    config: &Config,
    store: PostgresSessionStore,
) -> SessionManagerLayer<PostgresSessionStore, SignedCookie> {
    let secure = config.is_production();
    SessionManagerLayer::new(store)
        .with_name(cookie_name(config))
        .with_secure(secure)
        .with_http_only(true)
        // Strict would lose the session when somebody comes in by a link from another site.
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(Duration::weeks(2)))
        .with_signed(Key::derive_from(config.secret.as_bytes()))
}

/// The session of the request, in a server function or while a page is rendered.
pub async fn session() -> Result<Session, AppError> {
    leptos_axum::extract().await.map_err(|error| {
        tracing::error!("{error}");
        AppError::Internal
    })
}

/// What a browser knows of the cookie, its value aside.
pub fn cookie_attributes(config: &Config) -> Vec<&'static str> {
    let secure = config.is_production().then_some("Secure");
    let fixed = ["HttpOnly", "SameSite=Lax", "Path=/"];
    [cookie_name(config)]
        .into_iter()
        .chain(fixed)
        .chain(secure)
        .collect()
}

fn cookie_name(config: &Config) -> &'static str {
    if config.is_production() {
        HOST_COOKIE
    } else {
        COOKIE
    }
}
