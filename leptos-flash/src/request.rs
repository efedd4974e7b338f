//! What kind of request it is, by its headers alone.

use http::{HeaderMap, HeaderValue, Method, Request, header};

use crate::wire::{CALL_HEADER, SHOWN_COOKIE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A page that a person is about to see: messages are taken for it.
    PageLoad,
    /// A server function called by hydrated code: messages travel in the response's header.
    Call { navigates_in_place: bool },
    /// Hydrated code asks for what did not fit into a header.
    Take,
    /// Anything else leaves the messages alone.
    Other,
}

impl Kind {
    pub fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        match headers.get(CALL_HEADER).map(HeaderValue::as_bytes) {
            Some(b"take") => Kind::Take,
            Some(page) => Kind::Call {
                navigates_in_place: page == b"app",
            },
            None if is_page_load(request.method(), headers) => Kind::PageLoad,
            None => Kind::Other,
        }
    }
}

/// `GET` for HTML, for a window or frame, and now: not a prefetch or prerender, which may never be
/// seen (<https://fetch.spec.whatwg.org/#sec-purpose-header>).
fn is_page_load(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &str, test: &dyn Fn(&str) -> bool| {
        (headers.get_all(name).iter()).any(|value| value.to_str().is_ok_and(test))
    };
    let speculative = |value: &str| value.contains("prefetch") || value.contains("prerender");
    method == Method::GET
        && is(header::ACCEPT.as_str(), &|value| {
            value.contains("text/html")
        })
        && !is("sec-fetch-dest", &|value| {
            !matches!(value, "document" | "iframe")
        })
        && ![
            "sec-purpose",
            "purpose",
            "x-purpose",
            "x-sec-purpose",
            "x-moz",
        ]
        .iter()
        .any(|name| is(name, &speculative))
}

/// The ids of the messages that the browser says it has shown: 100 at most.
pub fn shown_ids(headers: &HeaderMap) -> Vec<i64> {
    (headers.get_all(header::COOKIE).iter())
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| {
            let (name, _) = cookie.trim().split_once('=')?;
            let digits = name.strip_prefix(SHOWN_COOKIE)?;
            let id: i64 = digits.parse().ok()?;
            // Only as the browser writes it: the answer echoes the name.
            (id > 0 && id.to_string() == digits).then_some(id)
        })
        .take(100)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(method: Method, headers: &[(&str, &str)]) -> Kind {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Kind::of(&request.body(()).expect("a request"))
    }

    const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

    #[test]
    fn a_page_that_a_person_opens_is_a_page_load() {
        assert_eq!(kind(Method::GET, &[HTML]), Kind::PageLoad);
        for dest in ["document", "iframe"] {
            let headers = [HTML, ("sec-fetch-dest", dest)];
            assert_eq!(kind(Method::GET, &headers), Kind::PageLoad);
        }
    }

    #[test]
    fn what_nobody_sees_is_no_page_load() {
        for headers in [
            &[HTML, ("sec-purpose", "prefetch")][..],
            &[HTML, ("sec-purpose", "prefetch;prerender")],
            &[HTML, ("purpose", "prefetch")],
            &[HTML, ("x-moz", "prefetch")],
            &[HTML, ("sec-fetch-dest", "image")],
            &[HTML, ("sec-fetch-dest", "empty")],
            &[("accept", "application/json")],
            &[("accept", "image/avif,image/webp,*/*")],
            &[],
        ] {
            assert_eq!(kind(Method::GET, headers), Kind::Other, "{headers:?}");
        }
        for method in [Method::HEAD, Method::POST, Method::OPTIONS] {
            assert_eq!(kind(method, &[HTML]), Kind::Other);
        }
    }

    #[test]
    fn only_ids_as_the_browser_writes_them_are_read_from_cookies() {
        let mut headers = HeaderMap::new();
        let cookies = "flash-7=; sessionId=x; flash-0=; flash--1=; flash-08=; flash-x=; flash-9=1";
        headers.insert(header::COOKIE, HeaderValue::from_static(cookies));
        assert_eq!(shown_ids(&headers), [7, 9]);
    }
}
