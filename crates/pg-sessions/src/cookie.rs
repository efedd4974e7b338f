//! Parses the cookies of a request, and reads and writes the session's cookie.

use http::{HeaderMap, HeaderValue, header};
use tower_sessions::{
    Expiry,
    cookie::{Cookie, CookieJar, Key},
    session::Id,
};

/// Returns the cookies of a request, in their order. It skips cookies that are not UTF-8: another app
/// on the same host may have set them.
pub fn cookies(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = Cookie<'_>> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(|pair| Cookie::parse_encoded(std::str::from_utf8(pair).ok()?).ok())
}

/// The session's cookie: its name, its attributes and its secrets.
#[derive(Clone, Debug)]
pub(crate) struct SessionCookie {
    /// The name and the attributes. The value is not used.
    pub template: Cookie<'static>,
    /// The first secret signs, all of them verify.
    pub secrets: Vec<Key>,
}

impl SessionCookie {
    /// Returns the session id in the request's cookie, and whether an old secret signed it. If several
    /// cookies of this name are valid, the last one counts.
    pub fn read(&self, headers: &HeaderMap) -> Option<(Id, bool)> {
        let name = self.template.name();
        let ours = cookies(headers).filter(|cookie| cookie.name() == name);
        ours.rev()
            .find_map(|cookie| self.verify(cookie.into_owned()))
    }

    fn verify(&self, cookie: Cookie<'static>) -> Option<(Id, bool)> {
        if self.secrets.is_empty() {
            return Some((cookie.value().parse().ok()?, false));
        }
        let jar = CookieJar::new();
        let (position, verified) =
            self.secrets
                .iter()
                .enumerate()
                .find_map(|(position, secret)| {
                    Some((position, jar.signed(secret).verify(cookie.clone())?))
                })?;
        Some((verified.value().parse().ok()?, position > 0))
    }

    /// Returns the `Set-Cookie` line for a session.
    pub fn set(&self, id: Id) -> Option<HeaderValue> {
        let mut cookie = self.template.clone();
        cookie.set_value(id.to_string());
        if let Some(secret) = self.secrets.first() {
            let mut jar = CookieJar::new();
            jar.signed_mut(secret).add(cookie);
            cookie = jar.get(self.template.name())?.clone();
        }
        header_value(cookie)
    }

    /// Returns the `Set-Cookie` line that removes the cookie. It has the cookie's own attributes,
    /// because browsers don't remove a `__Host-` cookie without `Secure` (tower-sessions#268).
    pub fn removal(&self) -> Option<HeaderValue> {
        let mut cookie = self.template.clone();
        cookie.make_removal();
        header_value(cookie)
    }

    /// Returns the expiry of a session, from the cookie's `Max-Age`.
    pub fn expiry(&self) -> Option<Expiry> {
        self.template.max_age().map(Expiry::OnInactivity)
    }
}

fn header_value(cookie: Cookie<'static>) -> Option<HeaderValue> {
    cookie.encoded().to_string().parse().ok()
}
