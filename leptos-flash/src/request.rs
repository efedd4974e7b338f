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
    /// `is_page_load` decides for what is not a call of hydrated code.
    pub fn of<B>(
        request: &Request<B>,
        is_page_load: impl FnOnce(&Method, &HeaderMap) -> bool,
    ) -> Self {
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

/// Whether a request loads a page that a person is about to see. The default rule of
/// [`FlashLayer::with_page_load`](crate::FlashLayer::with_page_load): a `GET`, now, and
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

/// Whether a browser fetches a page that may never be seen
/// (<https://fetch.spec.whatwg.org/#sec-purpose-header>, and the headers before it).
pub(crate) fn is_speculative(headers: &HeaderMap) -> bool {
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

fn has(headers: &HeaderMap, name: &str, words: &[&str]) -> bool {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).to_lowercase();
    let has_one = |text: String| words.iter().any(|word| text.contains(word));
    headers.get_all(name).iter().map(text).any(has_one)
}

/// The messages that the browser says it has shown: of one session, in one cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The scope of the session, 8 hexadecimal digits.
    pub scope: String,
    /// An id and all of its entry, which also has a time for the browser.
    entries: Vec<(i64, String)>,
}

impl Note {
    pub fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.entries.iter().map(|(id, _)| *id)
    }

    /// The value of the cookie without some ids.
    pub fn without(&self, ids: &[i64]) -> String {
        let kept = self.entries.iter().filter(|(id, _)| !ids.contains(id));
        let kept: Vec<_> = kept.map(|(_, entry)| &**entry).collect();
        kept.join("-")
    }
}

/// The most cookies that are read, and the most ids in one.
const MAX_NOTES: usize = 4;
const MAX_IDS: usize = 40;

/// The browser's notes: of this session, and perhaps of others.
pub fn notes(headers: &HeaderMap) -> Vec<Note> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(note).take(MAX_NOTES).collect()
}

fn note(pair: &[u8]) -> Option<Note> {
    let pair = std::str::from_utf8(pair.trim_ascii()).ok()?;
    let (scope, entries) = pair.strip_prefix(SHOWN_COOKIE)?.split_once('=')?;
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let entry = |entry: &str| {
        let (id, time) = entry.split_once('.')?;
        let is_plain = time.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_plain.then_some((id.parse().ok()?, entry.to_owned()))
    };
    (scope.len() == 8 && scope.bytes().all(is_hex)).then(|| Note {
        scope: scope.to_owned(),
        entries: entries.split('-').filter_map(entry).take(MAX_IDS).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(method: Method, headers: &[(&str, &str)]) -> Kind {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Kind::of(&request.body(()).expect("a request"), is_page_load)
    }

    const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

    #[test]
    fn a_page_that_a_person_opens_is_a_page_load() {
        for headers in [
            &[HTML][..],
            &[HTML, ("sec-fetch-dest", "document")],
            &[("accept", "*/*"), ("sec-fetch-dest", "document")],
            &[("sec-fetch-dest", "empty"), ("sec-fetch-mode", "navigate")],
        ] {
            assert_eq!(kind(Method::GET, headers), Kind::PageLoad, "{headers:?}");
        }
    }

    #[test]
    fn what_nobody_sees_is_no_page_load() {
        for headers in [
            &[HTML, ("sec-purpose", "prefetch")][..],
            &[HTML, ("sec-purpose", "prefetch;prerender")],
            &[HTML, ("purpose", "prefetch")],
            &[HTML, ("x-purpose", "preview")],
            &[HTML, ("x-moz", "prefetch")],
            &[HTML, ("sec-fetch-dest", "image")],
            &[HTML, ("sec-fetch-dest", "iframe")],
            &[HTML, ("sec-fetch-dest", "empty")],
            &[
                HTML,
                ("sec-fetch-dest", "empty"),
                ("sec-fetch-mode", "cors"),
            ],
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
    fn notes_are_read_as_the_browser_writes_them_and_nothing_else() {
        let mut headers = HeaderMap::new();
        let cookies = b"flash-7=; sessionId=x; x=J\xfcrgen; flash-0a1b2c3d=7.mz5k-9.mz5l-x.1-; flash-zzzzzzzz=1";
        let cookies = HeaderValue::from_bytes(cookies).expect("a header");
        headers.insert(header::COOKIE, cookies);
        let notes = notes(&headers);
        assert_eq!((notes.len(), &*notes[0].scope), (1, "0a1b2c3d"));
        assert_eq!(notes[0].ids().collect::<Vec<_>>(), [7, 9]);
        assert_eq!(notes[0].without(&[7]), "9.mz5l");
    }

    #[test]
    fn a_request_brings_few_notes_and_few_ids() {
        let ids: Vec<_> = (1..=80).map(|id| format!("{id}.0")).collect();
        let cookies: Vec<_> = (0..9)
            .map(|scope| format!("flash-0000000{scope}={}", ids.join("-")))
            .collect();
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            cookies.join("; ").parse().expect("a header"),
        );
        let notes = notes(&headers);
        assert_eq!((notes.len(), notes[0].ids().count()), (4, 40));
    }
}
