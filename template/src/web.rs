//! Layers around pages and server functions.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Rejects posts from other sites by `Sec-Fetch-Site`, which all browsers since 2023 send
/// (<https://web.dev/articles/fetch-metadata>). In older ones, the cookie's `SameSite` protects.
pub async fn reject_cross_site(request: Request, next: Next) -> Response {
    let site = request.headers().get("sec-fetch-site");
    let is_own = site.is_none_or(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    if is_own || request.method().is_safe() {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "This form comes from another site.").into_response()
    }
}

/// Keeps a person's pages out of shared caches, and gives a failure without a body a sentence.
pub async fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let is_empty = !headers.contains_key(header::CONTENT_TYPE);
    let private = HeaderValue::from_static("private, no-cache");
    headers.entry(header::CACHE_CONTROL).or_insert(private);
    if response.status().is_server_error() && is_empty {
        let sentence = "That did not work. Please try again in a moment.";
        return (response.status(), sentence).into_response();
    }
    response
}
