//! The session of a request, and its cookie.

use cookie::Cookie;
use leptos_flash::{FlashLayer, FlashStore, Visit};
use tower_sessions::Session;

use crate::{config::Config, error::AppError};

/// The sessions and messages of the requests. A session ends at the age of its cookie; its store ends
/// it earlier when it is not used.
pub fn flash_layer(config: &Config, messages: FlashStore) -> FlashLayer {
    FlashLayer::new(messages, cookie(config)).with_secrets(config.keys.clone())
}

/// The visit of the request, in a server function: for changes of the session that must not get lost.
pub async fn visit() -> Result<Visit, AppError> {
    leptos_axum::extract().await.map_err(|error| {
        tracing::error!("{error}");
        AppError::Internal
    })
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
