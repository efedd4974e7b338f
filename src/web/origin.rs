//! Posts from other sites: a page elsewhere must not change anything here.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// By `Sec-Fetch-Site`, else by `Origin`. A request without both is from no browser
/// (<https://web.dev/articles/fetch-metadata>).
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = text(&header::ORIGIN) else {
        return true;
    };
    let host = origin
        .strip_prefix(b"https://")
        .or(origin.strip_prefix(b"http://"));
    host.is_some() && host == text(&header::HOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::headers;

    #[test]
    fn a_post_is_of_this_origin_or_of_no_browser() {
        let host = ("host", "race.example:8443");
        for (lines, allowed) in [
            (vec![host], true),
            (vec![host, ("sec-fetch-site", "same-origin")], true),
            (vec![host, ("sec-fetch-site", "none")], true),
            (vec![host, ("sec-fetch-site", "same-site")], false),
            (vec![host, ("sec-fetch-site", "cross-site")], false),
            (vec![host, ("origin", "https://race.example:8443")], true),
            (vec![host, ("origin", "https://race.example")], false),
            (vec![host, ("origin", "https://evil.example")], false),
            (vec![host, ("origin", "null")], false),
            (
                vec![
                    host,
                    ("origin", "https://race.example:8443"),
                    ("sec-fetch-site", "cross-site"),
                ],
                false,
            ),
        ] {
            assert_eq!(is_same_origin(&headers(&lines)), allowed, "{lines:?}");
        }
    }
}
