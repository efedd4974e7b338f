//! Holds the words that the region itself says, in the app's language.

use std::borrow::Cow;

use flash_messages::Level;

/// A text that is part of the program, or made at run time.
type Text = Cow<'static, str>;

/// The words of the region. The default is English; an app replaces some or all, also by language.
///
/// ```
/// use leptos_flash::FlashWords;
///
/// let german = FlashWords {
///     region: "Meldungen".into(),
///     dismiss: "{level} schließen: {text}".into(),
///     error: "Fehler".into(),
///     ..FlashWords::default()
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlashWords {
    /// The name of the region. Default: "Messages".
    pub region: Text,
    /// The word for messages of level Info. Default: "Note".
    pub info: Text,
    /// The word for messages of level Success. Default: "Success".
    pub success: Text,
    /// The word for messages of level Warning. Default: "Warning".
    pub warning: Text,
    /// The word for messages of level Error. Default: "Error".
    pub error: Text,
    /// The word for a message of [`promise`](crate::promise) that is not done yet. Default: "Working".
    pub loading: Text,
    /// The word beside a sticky message. Default: "stays".
    pub stays: Text,
    /// The name of the button that dismisses a message. `{level}` becomes its word, `{text}` its title or
    /// text. Default: "Dismiss {level}: {text}".
    pub dismiss: Text,
    /// The button that dismisses all messages. Default: "Dismiss all".
    pub dismiss_all: Text,
    /// The button that shows the messages beyond the limit. `{count}` becomes their number. Default:
    /// "Show {count} more".
    pub more: Text,
    /// The error if a call failed and brought no message. Default: "That did not work. Please try again."
    pub failed: Text,
    /// The error if the response of a call got lost. Default: "It is not certain that this worked: look
    /// before you send it again."
    pub lost: Text,
}

impl Default for FlashWords {
    fn default() -> Self {
        Self {
            region: "Messages".into(),
            info: "Note".into(),
            success: "Success".into(),
            warning: "Warning".into(),
            error: "Error".into(),
            loading: "Working".into(),
            stays: "stays".into(),
            dismiss: "Dismiss {level}: {text}".into(),
            dismiss_all: "Dismiss all".into(),
            more: "Show {count} more".into(),
            failed: "That did not work. Please try again.".into(),
            lost: "It is not certain that this worked: look before you send it again.".into(),
        }
    }
}

impl FlashWords {
    /// Returns the word that heads a message, so that its level is not told by colour alone (WCAG 1.4.1).
    /// A custom level has its own name.
    pub fn level(&self, level: &Level) -> Text {
        match level {
            Level::Info => self.info.clone(),
            Level::Success => self.success.clone(),
            Level::Warning => self.warning.clone(),
            Level::Error => self.error.clone(),
            other if other.as_str() == LOADING => self.loading.clone(),
            other => other.as_str().to_owned().into(),
        }
    }

    /// Returns the name of the button that dismisses a message with this title or text.
    pub fn dismiss(&self, level: &Level, text: &str) -> String {
        let name = self.dismiss.replacen("{level}", &self.level(level), 1);
        name.replacen("{text}", text, 1)
    }
}

/// The level of a message of [`promise`](crate::promise) that is not done yet.
pub(crate) const LOADING: &str = "loading";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_braces_is_named_as_it_is() {
        let words = FlashWords::default();
        let name = words.dismiss(&Level::Error, "{level} {text}");
        assert_eq!(name, "Dismiss Error: {level} {text}");
    }

    #[test]
    fn a_custom_level_has_its_name() {
        let level = "check-in".parse().expect("a level");
        assert_eq!(FlashWords::default().level(&level), "check-in");
    }
}
