//! What browsers are told to refuse, on every response.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};

use crate::config::Config;

/// The headers, made once.
#[derive(Clone)]
pub struct SecurityHeaders(Arc<HeaderMap>);

impl SecurityHeaders {
    pub fn new(config: &Config) -> Self {
        let fixed = [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            (
                "permissions-policy",
                "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            ),
        ];
        let https = ("strict-transport-security", "max-age=63072000");
        let all = fixed
            .into_iter()
            .chain(config.is_production().then_some(https));
        let mut headers: HeaderMap = all
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        if let Ok(policy) = HeaderValue::try_from(policy(config)) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        Self(Arc::new(headers))
    }
}

/// Only what WASM needs beyond this site's own files (<https://www.w3.org/TR/CSP3/>). No script is
/// inline but that of `cargo leptos watch`, which has pages reload, by a socket.
fn policy(config: &Config) -> String {
    let (inline, socket) = if config.watched {
        let port = config.leptos.reload_port;
        let socket = format!(" ws://127.0.0.1:{port} ws://localhost:{port}");
        (" 'unsafe-inline'", socket)
    } else {
        ("", String::new())
    };
    format!(
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'{inline}; style-src 'self'; img-src 'self'; \
         connect-src 'self'{socket}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// Adds the headers to a response.
pub async fn add_security_headers(
    State(SecurityHeaders(rules)): State<SecurityHeaders>,
    mut response: Response,
) -> Response {
    let headers = response.headers_mut();
    headers.reserve(rules.len() + 1);
    for (name, value) in &*rules {
        headers.insert(name, value.clone());
    }
    // A page belongs to its visitor. One with messages is `no-store` already; that one does not come
    // back with the back button, the others may.
    let page = HeaderValue::from_static("private, no-cache");
    headers.entry(header::CACHE_CONTROL).or_insert(page);
    response
}
