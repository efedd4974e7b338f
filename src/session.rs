//! The session layer: cookie, signature, expiry.

use axum::{
    extract::Request,
    http::{StatusCode, header::CONTENT_TYPE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use cookie::{Cookie, Key};
use leptos_flash::{PostgresSessionStore, SessionCookieLayer};
use tower_sessions::{Expiry, Session, SessionManagerLayer, service::SignedCookie};

use crate::{config::Config, error::AppError};

/// The sessions of the requests. [`cookie_layer`] goes around it.
pub fn session_layer(
    config: &Config,
    store: PostgresSessionStore,
) -> SessionManagerLayer<PostgresSessionStore, SignedCookie> {
    let layer = SessionManagerLayer::new(store)
        // Once for each start; the layer would copy it for every request.
        .with_name(&*config.cookie.name.clone().leak())
        .with_secure(config.cookie.secure)
        .with_http_only(true)
        .with_same_site(config.cookie.same_site)
        .with_path("/")
        // The store ends it earlier when nobody uses it.
        .with_expiry(Expiry::OnInactivity(max_age(config)))
        .with_signed(config.keys.first().cloned().unwrap_or_else(Key::generate));
    match config.cookie.domain.clone() {
        Some(domain) => layer.with_domain(domain),
        None => layer,
    }
}

/// Several secrets, and answers that come too late to touch the cookie.
pub fn cookie_layer(config: &Config) -> SessionCookieLayer {
    SessionCookieLayer::new(cookie(config), config.keys.clone())
}

/// tower-sessions answers with 500 and nothing else when it could not save a session. It goes around
/// [`session_layer`].
pub async fn explain_lost_session(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let has_words = response.headers().contains_key(CONTENT_TYPE);
    match response.status() == StatusCode::INTERNAL_SERVER_ERROR && !has_words {
        true => AppError::Unavailable.into_response(),
        false => response,
    }
}

/// The session of the request, in a server function or while a page is rendered.
pub async fn session() -> Result<Session, AppError> {
    leptos_axum::extract().await.map_err(|error| {
        tracing::error!("{error}");
        AppError::Internal
    })
}

/// What a browser knows of the cookie, its value aside.
pub fn cookie_attributes(config: &Config) -> Vec<String> {
    let line = cookie(config).to_string().replacen('=', "", 1);
    line.split("; ").map(str::to_owned).collect()
}

fn cookie(config: &Config) -> Cookie<'static> {
    let mut cookie = Cookie::build((config.cookie.name.clone(), ""))
        .http_only(true)
        .same_site(config.cookie.same_site)
        .secure(config.cookie.secure)
        .path("/")
        .max_age(max_age(config))
        .build();
    if let Some(domain) = config.cookie.domain.clone() {
        cookie.set_domain(domain);
    }
    cookie
}

/// 400 days at most, so it fits.
fn max_age(config: &Config) -> time::Duration {
    config.max_age.try_into().unwrap_or(time::Duration::MAX)
}
