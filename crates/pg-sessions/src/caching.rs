//! Keeps personal responses out of caches.

use http::{HeaderMap, HeaderValue, header};

/// Tells browsers and shared caches not to store a response.
///
/// It sets `Cache-Control: no-store`. It removes `CDN-Cache-Control` (RFC 9213) and `Surrogate-Control`
/// (Edge Architecture note), because some caches prefer them to `Cache-Control`.
///
/// ```
/// use http::{HeaderMap, header};
/// use pg_sessions::caching::set_no_store;
///
/// let mut headers = HeaderMap::new();
/// set_no_store(&mut headers);
/// assert_eq!(headers[header::CACHE_CONTROL], "no-store");
/// ```
pub fn set_no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.remove("cdn-cache-control");
    headers.remove("surrogate-control");
}
