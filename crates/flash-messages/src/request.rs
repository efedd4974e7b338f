//! Reads from a request what it wants with the messages, and which ones its browser has shown.

use http::{HeaderMap, HeaderValue, Method, Request};
use pg_sessions::cookies;
use tower_sessions::cookie::Cookie;

use crate::wire::{CALL_HEADER, SHOWN_COOKIE};

/// The kind of a request, by its use of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// The request loads a page that a person sees at once. The page shows the waiting messages.
    PageLoad,
    /// Hydrated code calls a server function. A header of the response has the pushed messages.
    Call { navigates_in_place: bool },
    /// Hydrated code asks for the messages that did not fit into a header.
    Take,
    /// Any other request. It leaves the messages alone.
    Other,
}

impl RequestKind {
    /// Returns the kind of a request. `is_page_load` decides about requests of other than hydrated code.
    pub fn of<B>(
        request: &Request<B>,
        is_page_load: impl FnOnce(&Method, &HeaderMap) -> bool,
    ) -> Self {
        let headers = request.headers();
        match headers.get(CALL_HEADER).map(HeaderValue::as_bytes) {
            Some(b"take") => RequestKind::Take,
            Some(page) => RequestKind::Call {
                navigates_in_place: page == b"app",
            },
            None if is_page_load(request.method(), headers) => RequestKind::PageLoad,
            None => RequestKind::Other,
        }
    }
}

/// A browser's note of the messages of one session that it has shown. It comes in a cookie, see
/// [`SHOWN_COOKIE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The scope of the session, 8 hexadecimal digits.
    pub scope: String,
    /// The ids, each with its whole entry, which also has a time for the browser.
    entries: Vec<(i64, String)>,
}

impl Note {
    /// Returns the ids of the messages.
    pub fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.entries.iter().map(|(id, _)| *id)
    }

    /// Returns the value of the cookie without these ids.
    pub fn without(&self, ids: &[i64]) -> String {
        let kept = self.entries.iter().filter(|(id, _)| !ids.contains(id));
        let kept: Vec<_> = kept.map(|(_, entry)| &**entry).collect();
        kept.join("-")
    }
}

/// Maximum number of notes that a request may bring. Others are ignored.
const MAX_NOTES: usize = 4;

/// Maximum number of ids in a note. Others are ignored.
pub const MAX_IDS: usize = 40;

/// Returns the browser's notes. A browser may also have notes of earlier sessions.
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

    fn kind(method: Method, headers: &[(&str, &str)]) -> RequestKind {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        RequestKind::of(&request.body(()).expect("a request"), is_page_load)
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
            assert_eq!(
                kind(Method::GET, headers),
                RequestKind::PageLoad,
                "{headers:?}"
            );
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
            assert_eq!(
                kind(Method::GET, headers),
                RequestKind::Other,
                "{headers:?}"
            );
        }
        for method in [Method::HEAD, Method::POST, Method::OPTIONS] {
            assert_eq!(kind(method, &[HTML]), RequestKind::Other);
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
