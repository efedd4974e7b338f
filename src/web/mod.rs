//! The app and the web: what comes in, what goes out, and what browsers are told. No page is known
//! here.

mod error;

pub mod session;

pub mod forms;

pub mod origin;

pub mod limits;

pub mod files;

pub mod look;

pub mod page_cache;

pub mod security_headers;

/// Returns the headers of a request in a test.
#[cfg(test)]
fn headers(lines: &[(&'static str, &'static str)]) -> axum::http::HeaderMap {
    use axum::http::{HeaderName, HeaderValue};

    let line = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    lines.iter().map(line).collect()
}
