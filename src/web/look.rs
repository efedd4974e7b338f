//! Keeps in a cookie where a visitor wants the messages, and whether equal ones are counted.

use axum::http::{HeaderMap, request::Parts};
use cookie::{Cookie, SameSite, time::Duration};
use leptos::prelude::use_context;
use leptos_flash::{FlashPosition, READING_TIME, cookies, set_cookie};

/// Where the messages are, and whether equal ones are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub position: FlashPosition,
    pub counts: bool,
}

const COOKIE: &str = "look";

impl Look {
    /// Returns the look that this visitor has chosen, or the default.
    pub fn current() -> Self {
        use_context::<Parts>().map_or_else(Self::default, |parts| Self::of(&parts.headers))
    }

    fn of(headers: &HeaderMap) -> Self {
        let ours = cookies(headers).find(|cookie| cookie.name() == COOKIE);
        let value = ours.as_ref().map_or("", Cookie::value);
        let (name, counts) = match value.strip_suffix("+counts") {
            Some(name) => (name, true),
            None => (value, false),
        };
        Self {
            position: name.parse().unwrap_or_default(),
            counts,
        }
    }

    /// Sets the cookie, for a year.
    pub fn set(self) {
        let counts = if self.counts { "+counts" } else { "" };
        let value = format!("{}{counts}", self.position.as_str());
        let cookie = Cookie::build((COOKIE, value)).path("/").http_only(true);
        let cookie = cookie.same_site(SameSite::Lax);
        set_cookie(&cookie.max_age(Duration::days(365)).build());
    }
}

/// Returns whether a visitor's own settings change what a page looks like.
pub fn has_settings(headers: &HeaderMap) -> bool {
    cookies(headers).any(|cookie| [COOKIE, READING_TIME].contains(&cookie.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::headers;

    #[test]
    fn a_look_is_read_as_it_was_set_and_anything_else_is_the_default() {
        let look = |cookie| Look::of(&headers(&[("cookie", cookie)]));
        let toast = Look {
            position: FlashPosition::BottomEnd,
            counts: true,
        };
        assert_eq!(look("a=b; look=bottom-end+counts"), toast);
        assert!(!look("look=banner").counts);
        for nonsense in ["look=", "look=<b>", "look=+counts+counts", "looks=top-end"] {
            assert_eq!(look(nonsense).position, FlashPosition::Banner, "{nonsense}");
        }
    }
}
