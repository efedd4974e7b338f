//! What a request wants with the messages, and what its browser says it has shown.

use http::{HeaderMap, HeaderValue, Method, Request};
use pg_sessions::cookies;
use tower_sessions::cookie::Cookie;

use crate::wire::{CALL_HEADER, SHOWN_COOKIE};

/// What a request wants with the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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

/// The messages that the browser says it has shown: of one session, in one cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The scope of the session, 8 hexadecimal digits.
    pub scope: String,
    /// An id and all of its entry, which also has a time for the browser.
    entries: Vec<(i64, String)>,
}

impl Note {
    /// Returns the ids of the messages.
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

/// How many cookies are read at most, and how many ids in one.
const MAX_NOTES: usize = 4;
pub const MAX_IDS: usize = 40;

/// The browser's notes: of this session, and perhaps of others.
pub fn notes(headers: &HeaderMap) -> Vec<Note> {
    cookies(headers)
        .filter_map(|cookie| note(&cookie))
        .take(MAX_NOTES)
        .collect()
}

fn note(cookie: &Cookie) -> Option<Note> {
    let (scope, entries) = (cookie.name().strip_prefix(SHOWN_COOKIE)?, cookie.value());
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
    use http::header;
    use pg_sessions::is_page_load;

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
