//! The level of a message: how important it is.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The level of a message: Info < Success < Warning < Error. A custom level ranks with Info.
///
/// ```
/// use flash_messages::Level;
///
/// assert!(Level::Error > Level::Warning);
/// let level: Level = "checkpoint".parse()?;
/// assert_eq!(level.as_str(), "checkpoint");
/// assert!(level < Level::Success);
/// assert!("x\" onmouseover=\"".parse::<Level>().is_err());
/// # Ok::<(), flash_messages::InvalidLevel>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Level {
    /// The message informs.
    Info,
    /// An action succeeded.
    Success,
    /// A person should look at something.
    Warning,
    /// An action failed.
    Error,
    /// A custom level. `"name".parse::<Level>()` creates it.
    Other(LevelName),
}

/// The name of a [`Level::Other`]. It is always a valid CSS class.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LevelName(String);

/// The error for a name that can't be a level.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidLevel;

impl fmt::Display for InvalidLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "A level is info, success, warning, error or a CSS class of your own: \
             1 to 32 letters, digits, - and _, the first one a letter.",
        )
    }
}

impl std::error::Error for InvalidLevel {}

impl Level {
    /// The maximum length of a name, in bytes.
    pub const MAX_NAME: usize = 32;

    /// Returns the name, as in the CSS class `flash-<name>`.
    pub fn as_str(&self) -> &str {
        match self {
            Level::Info => "info",
            Level::Success => "success",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Other(LevelName(name)) => name,
        }
    }

    /// Returns the rank, from 0 (Info and custom levels) to 3 (Error).
    pub fn rank(&self) -> i16 {
        match self {
            Level::Info | Level::Other(_) => 0,
            Level::Success => 1,
            Level::Warning => 2,
            Level::Error => 3,
        }
    }
}

impl Ord for Level {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.rank(), self.as_str()).cmp(&(other.rank(), other.as_str()))
    }
}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Level {
    type Err = InvalidLevel;

    fn from_str(name: &str) -> Result<Self, InvalidLevel> {
        Ok(match name {
            "info" => Level::Info,
            "success" => Level::Success,
            "warning" => Level::Warning,
            "error" => Level::Error,
            _ if is_css_class(name) => Level::Other(LevelName(name.to_owned())),
            _ => return Err(InvalidLevel),
        })
    }
}

/// Returns whether a name is an ASCII CSS identifier that starts with a letter
/// (<https://www.w3.org/TR/css-syntax-3/#ident-token-diagram>).
fn is_css_class(name: &str) -> bool {
    name.len() <= Level::MAX_NAME
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && (name.bytes()).all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

impl TryFrom<String> for Level {
    type Error = InvalidLevel;

    fn try_from(name: String) -> Result<Self, InvalidLevel> {
        name.parse()
    }
}

impl From<Level> for String {
    fn from(level: Level) -> Self {
        level.as_str().to_owned()
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_by_how_much_they_matter() {
        let mut levels: Vec<Level> = ["error", "info", "warning", "checkpoint", "success"]
            .map(|name| name.parse().expect("a level"))
            .into();
        levels.sort();
        let names: Vec<_> = levels.iter().map(Level::as_str).collect();
        assert_eq!(names, ["checkpoint", "info", "success", "warning", "error"]);
    }

    #[test]
    fn a_level_is_a_css_class_and_nothing_else() {
        for name in [
            "",
            "1st",
            "-x",
            "two words",
            "x\" y=\"",
            "naïve",
            "a.b",
            "<b>",
        ] {
            assert_eq!(name.parse::<Level>(), Err(InvalidLevel), "{name:?}");
        }
        assert!("x".repeat(33).parse::<Level>().is_err());
        assert!("x".repeat(32).parse::<Level>().is_ok());
    }
}
