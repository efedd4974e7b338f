//! Keeps responses that are for one person out of caches.

use http::{HeaderMap, HeaderValue, header};

/// Tells browsers and shared caches not to store a response. Two headers that overrule
/// `Cache-Control` for some caches go (RFC 9213; Surrogate-Control of the Edge Architecture note).
pub fn never_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove("cdn-cache-control");
    headers.remove("surrogate-control");
}
