//! What a request is to its session, by its headers alone: a page load, use, or neither.

use http::{HeaderMap, HeaderValue, Method, header};

/// Returns whether a request loads a page that a person is about to see: a `GET`, now, and
/// - with `Sec-Fetch-Dest` (<https://www.w3.org/TR/fetch-metadata/>): `document`, whatever it accepts;
///   or `empty` with `Sec-Fetch-Mode: navigate`, which is a navigation that a service worker passes
///   on (w3c/ServiceWorker#1803). A frame is no page load.
/// - without it: one that accepts `text/html`, as every browser says and `curl` doesn't.
///
/// A prefetch, a prerender and a preview may never be seen.
pub fn is_page_load(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|header| header == value);
    let navigates = match headers.get("sec-fetch-dest").map(HeaderValue::as_bytes) {
        Some(b"document") => true,
        Some(b"empty") => is("sec-fetch-mode", "navigate"),
        Some(_) => false,
        None => has(headers, header::ACCEPT.as_str(), &["text/html"]),
    };
    method == Method::GET && navigates && !is_speculative(headers)
}

/// Returns whether a browser fetches a page that may never be seen
/// (<https://fetch.spec.whatwg.org/#sec-purpose-header>, and the headers before it).
pub fn is_speculative(headers: &HeaderMap) -> bool {
    [
        "sec-purpose",
        "purpose",
        "x-purpose",
        "x-sec-purpose",
        "x-moz",
    ]
    .iter()
    .any(|name| has(headers, name, &["prefetch", "prerender", "preview"]))
}

/// Returns whether a request keeps its session alive: a person loads a page or sends a form.
pub(crate) fn is_use(method: &Method, headers: &HeaderMap) -> bool {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    (changes || is_page_load(method, headers)) && !is_speculative(headers)
}

fn has(headers: &HeaderMap, name: &str, words: &[&str]) -> bool {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).to_lowercase();
    let has_one = |text: String| words.iter().any(|word| text.contains(word));
    headers.get_all(name).iter().map(text).any(has_one)
}
