//! The session layer: cookie, signature, expiry.

use leptos_flash::PostgresSessionStore;
use time::Duration;
use tower_sessions::{
    Expiry, SessionManagerLayer,
    cookie::{Key, SameSite},
    service::SignedCookie,
};

use crate::config::Config;

pub const COOKIE: &str = "sessionId";

/// A browser takes it only with `Secure`, without a domain, from the root path: nobody but this
/// host can have set it (<https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes>).
pub const HOST_COOKIE: &str = "__Host-sessionId";

pub fn session_layer(
    config: &Config,
    store: PostgresSessionStore,
) -> SessionManagerLayer<PostgresSessionStore, SignedCookie> {
    let secure = config.is_production();
    SessionManagerLayer::new(store)
        .with_name(if secure { HOST_COOKIE } else { COOKIE })
        .with_secure(secure)
        .with_http_only(true)
        // Strict would lose the session when somebody comes in by a link from another site.
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(Duration::weeks(2)))
        .with_signed(Key::derive_from(config.secrets[0].as_bytes()))
}
