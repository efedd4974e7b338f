//! Decides from a request's method and headers whether it loads a page or uses its session.

use http::{HeaderMap, HeaderValue, Method, header};

/// Returns whether a request loads a page that a person sees at once. It must be a `GET`, and no
/// [speculative](is_speculative) one. `Sec-Fetch-Dest` decides
/// (<https://www.w3.org/TR/fetch-metadata/>):
///
/// | `Sec-Fetch-Dest` | page load |
/// |---|---|
/// | `document` | yes, whatever it accepts |
/// | `empty` | if `Sec-Fetch-Mode` is `navigate`: a service worker passes a navigation on (w3c/ServiceWorker#1803) |
/// | another, such as `iframe` | no |
/// | none | if it accepts `text/html`, as every browser says and `curl` doesn't |
///
/// ```
/// use http::{HeaderMap, HeaderValue, Method, header};
/// use pg_sessions::is_page_load;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
/// assert!(is_page_load(&Method::GET, &headers));
/// assert!(!is_page_load(&Method::HEAD, &headers));
/// ```
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

/// Returns whether a browser fetches a page that a person may never see: a prefetch, a prerender or a
/// preview. It reads `Sec-Purpose` (<https://fetch.spec.whatwg.org/#sec-purpose-header>) and the older
/// headers for the same.
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

/// Returns whether a request moves the idle end of its session: a person loads a page or sends a form.
pub(crate) fn counts_as_use(method: &Method, headers: &HeaderMap) -> bool {
    let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    (changes || is_page_load(method, headers)) && !is_speculative(headers)
}

/// Returns whether one of a header's values contains one of the words, in any case.
fn has(headers: &HeaderMap, name: &str, words: &[&str]) -> bool {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).to_lowercase();
    let has_one = |text: String| words.iter().any(|word| text.contains(word));
    headers.get_all(name).iter().map(text).any(has_one)
}
