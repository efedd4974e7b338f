//! The flash message, as server and browser share it.

use std::{fmt, num::ParseIntError, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::level::Level;

/// A message that one request pushes and the next page shows once.
///
/// ```
/// use flash_messages::{FlashMessage, Level};
///
/// let message = FlashMessage::success("Checkpoint 2 recorded")
///     .title("Well run")
///     .link("/race", "See your splits");
/// assert_eq!(message.level, Level::Success);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FlashMessage {
    /// The id is unique in a table, and ascends in the order of the pushes. It is 0 until the message is
    /// stored.
    pub id: i64,
    /// A fingerprint of the session and the table. It is zero until the message is stored.
    #[serde(default, skip_serializing_if = "Scope::is_zero")]
    pub scope: Scope,
    /// How important the message is.
    pub level: Level,
    /// The text is plain, never markup. By default it may have 2 KiB, together with title, link and key.
    pub text: String,
    /// The heading above the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The link below the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Link>,
    /// A message replaces a waiting message of the same session with the same key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A sticky message is shown on every page, until a person dismisses it or it expires.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sticky: bool,
    /// The browser removes such a message after the time that it takes to read, see
    /// [`auto_dismiss_after`](Self::auto_dismiss_after).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_dismiss: bool,
}

/// A link of a message. A push fails if the link leaves this site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Link {
    /// A path on this site, such as `/race`.
    pub href: String,
    /// The text of the link.
    pub text: String,
}

/// A fingerprint of a session and its message table. It is displayed as 8 hexadecimal digits.
///
/// Two messages are the same only if scope and id are equal. An id alone doesn't identify a message: ids
/// start again in a new database, and another subdomain can set cookies.
///
/// ```
/// use flash_messages::Scope;
///
/// let scope = Scope::new(0xbad_cafe);
/// assert_eq!(scope.to_string(), "0badcafe");
/// assert_eq!("0badcafe".parse(), Ok(scope));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(u32);

impl Scope {
    /// Creates a scope from a fingerprint.
    pub const fn new(fingerprint: u32) -> Self {
        Self(fingerprint)
    }

    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl FromStr for Scope {
    type Err = ParseIntError;

    fn from_str(digits: &str) -> Result<Self, ParseIntError> {
        u32::from_str_radix(digits, 16).map(Self)
    }
}

impl TryFrom<String> for Scope {
    type Error = ParseIntError;

    fn try_from(digits: String) -> Result<Self, ParseIntError> {
        digits.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl FlashMessage {
    /// Creates a message of any level.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self {
            id: 0,
            scope: Scope::default(),
            level,
            text: text.into(),
            title: None,
            link: None,
            key: None,
            sticky: false,
            auto_dismiss: false,
        }
    }

    /// Creates a message of level Info, such as "The race starts at nine."
    pub fn info(text: impl Into<String>) -> Self {
        Self::new(Level::Info, text)
    }

    /// Creates a message of level Success, such as "Checkpoint 2 recorded."
    pub fn success(text: impl Into<String>) -> Self {
        Self::new(Level::Success, text)
    }

    /// Creates a message of level Warning, such as "Checkpoint 3 comes first."
    pub fn warning(text: impl Into<String>) -> Self {
        Self::new(Level::Warning, text)
    }

    /// Creates a message of level Error, such as "Your time could not be saved."
    pub fn error(text: impl Into<String>) -> Self {
        Self::new(Level::Error, text)
    }

    /// Returns the scope and the id. They identify the message in a browser, so they are a key for `<For>`.
    pub fn identity(&self) -> (Scope, i64) {
        (self.scope, self.id)
    }

    /// Sets the heading. Default: none.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Sets the link: a path on this site, and the link's text. Default: none. A push fails if the target
    /// leaves this site.
    pub fn link(mut self, href: impl Into<String>, text: impl Into<String>) -> Self {
        self.link = Some(Link {
            href: href.into(),
            text: text.into(),
        });
        self
    }

    /// Sets the key. The message replaces a waiting message of the same session with the same key.
    /// Default: none.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Makes the message stay on every page, until a person dismisses it or it expires.
    pub fn sticky(mut self) -> Self {
        self.sticky = true;
        self
    }

    /// Lets the browser remove the message after [`auto_dismiss_after`](Self::auto_dismiss_after).
    pub fn auto_dismiss(mut self) -> Self {
        self.auto_dismiss = true;
        self
    }

    /// Returns the auto-dismiss delay: 3 seconds and 120 ms per character, but at least 6 seconds.
    ///
    /// Returns `None` if the message stays (WCAG 2.2.1):
    /// - The message is not set to [`auto_dismiss`](Self::auto_dismiss). This is the default.
    /// - It is a warning or an error.
    /// - It is sticky.
    /// - It has a link, which a person may be about to follow.
    ///
    /// ```
    /// # use flash_messages::FlashMessage;
    /// # use std::time::Duration;
    /// let saved = FlashMessage::success("Saved").auto_dismiss();
    /// assert_eq!(saved.auto_dismiss_after(), Some(Duration::from_secs(6)));
    /// assert_eq!(FlashMessage::error("Not saved").auto_dismiss().auto_dismiss_after(), None);
    /// ```
    pub fn auto_dismiss_after(&self) -> Option<Duration> {
        let stays = self.level >= Level::Warning || self.sticky || self.link.is_some();
        if !self.auto_dismiss || stays {
            return None;
        }
        let title = self.title.as_deref().unwrap_or_default();
        let characters = self.text.chars().count() + title.chars().count();
        let milliseconds = 3000 + 120 * u64::try_from(characters).unwrap_or(u64::MAX / 240);
        Some(Duration::from_millis(milliseconds.max(6000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_leaves_by_itself_only_when_nobody_misses_it() {
        let stays = |message: FlashMessage| message.auto_dismiss_after().is_none();
        let brief = || FlashMessage::info("x".repeat(100)).auto_dismiss();
        assert_eq!(brief().auto_dismiss_after(), Some(Duration::from_secs(15)));
        assert!(stays(FlashMessage::success("by default")));
        assert!(stays(FlashMessage::warning("a warning").auto_dismiss()));
        assert!(stays(brief().sticky()));
        assert!(stays(brief().link("/race", "To the race")));
    }

    #[test]
    fn a_message_is_the_same_after_it_crossed_the_wire() {
        let mut message =
            FlashMessage::new("check-in".parse().expect("a level"), "Ünïcode 🏁 \u{7f}")
                .title("Title")
                .link("/race", "Race")
                .key("k")
                .sticky()
                .auto_dismiss();
        message.scope = Scope::new(7);
        let json = serde_json::to_string(&message).expect("serialises");
        assert_eq!(
            serde_json::from_str::<FlashMessage>(&json).expect("deserialises"),
            message
        );
        assert!(json.contains(r#""scope":"00000007""#), "{json}");
    }

    #[test]
    fn messages_of_two_sessions_differ_though_their_ids_are_equal() {
        let mut first = FlashMessage::info("first");
        let mut second = FlashMessage::info("second");
        (first.id, first.scope) = (1, Scope::new(1));
        (second.id, second.scope) = (1, Scope::new(2));
        assert_ne!(first.identity(), second.identity());
        second.scope = first.scope;
        assert_eq!(first.identity(), second.identity());
    }
}
