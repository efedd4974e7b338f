//! Cookies of a request; and the session's, read, verified, signed and removed by one description.

use http::{HeaderMap, HeaderValue, header};
use tower_sessions::{
    Expiry,
    cookie::{Cookie, CookieJar, Key},
    session::Id,
};

/// Returns the cookies of a request, in their order. Others may have set some that are not UTF-8: they
/// are left out.
pub fn cookies(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = Cookie<'_>> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| Cookie::parse_encoded(std::str::from_utf8(pair).ok()?).ok())
}

/// The cookie's name and attributes, and the secrets that sign it.
#[derive(Clone, Debug)]
pub(crate) struct SessionCookie {
    pub description: Cookie<'static>,
    /// The first one signs, all verify.
    pub keys: Vec<Key>,
}

impl SessionCookie {
    /// Returns the id in the request's cookie, and whether an old secret signed it. If several
    /// cookies of the name are good, the last one counts.
    pub fn read(&self, headers: &HeaderMap) -> Option<(Id, bool)> {
        let name = self.description.name();
        let ours = cookies(headers).filter(|cookie| cookie.name() == name);
        ours.rev()
            .find_map(|cookie| self.verify(cookie.into_owned()))
    }

    fn verify(&self, cookie: Cookie<'static>) -> Option<(Id, bool)> {
        if self.keys.is_empty() {
            return Some((cookie.value().parse().ok()?, false));
        }
        let jar = CookieJar::new();
        let (position, verified) = (self.keys.iter().enumerate()).find_map(|(position, key)| {
            Some((position, jar.signed(key).verify(cookie.clone())?))
        })?;
        Some((verified.value().parse().ok()?, position > 0))
    }

    /// Returns the `Set-Cookie` line for a session.
    pub fn set(&self, id: Id) -> Option<HeaderValue> {
        let mut cookie = self.description.clone();
        cookie.set_value(id.to_string());
        if let Some(key) = self.keys.first() {
            let mut jar = CookieJar::new();
            jar.signed_mut(key).add(cookie);
            cookie = jar.get(self.description.name())?.clone();
        }
        header_value(cookie)
    }

    /// Returns the `Set-Cookie` line that removes the cookie. It has the cookie's own attributes:
    /// browsers refuse the removal of a `__Host-` cookie without `Secure` (tower-sessions#268).
    pub fn removal(&self) -> Option<HeaderValue> {
        let mut cookie = self.description.clone();
        cookie.make_removal();
        header_value(cookie)
    }

    /// Returns when a session ends, by the `Max-Age` of its cookie.
    pub fn expiry(&self) -> Option<Expiry> {
        self.description.max_age().map(Expiry::OnInactivity)
    }
}

fn header_value(cookie: Cookie<'static>) -> Option<HeaderValue> {
    cookie.encoded().to_string().parse().ok()
}
