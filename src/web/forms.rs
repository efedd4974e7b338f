//! Forms: how they are read, and what was typed into one that is rejected.

use axum::body::Body;
use http_body_util::BodyExt;
use leptos::prelude::*;

use crate::error::AppError;

/// The largest form, in bytes: a page's messages come back when one is dismissed.
pub const MAX_BODY: usize = 256 * 1024;

/// The maximum number of fields that a rejected form keeps.
const MAX_FIELDS: usize = 32;

/// A server function that a form is sent to.
#[derive(Debug, PartialEq, Eq)]
pub struct FormTarget {
    pub action: &'static str,
    /// The page that the form is on.
    pub page: &'static str,
    /// The names of the fields that must be sent.
    pub required: &'static [&'static str],
    /// The names of the fields that may be left out, such as checkboxes.
    pub optional: &'static [&'static str],
}

impl FormTarget {
    /// A form of buttons alone: nothing is typed into it.
    pub const fn buttons(action: &'static str, page: &'static str) -> Self {
        Self {
            action,
            page,
            required: &[],
            optional: &[],
        }
    }

    pub fn has_fields(&self) -> bool {
        !self.required.is_empty()
    }

    fn fields(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }

    /// Returns the field that is missing, was sent twice or is no text, with the reason.
    fn unreadable_field(&self, typed: &Typed) -> Option<(&'static str, String)> {
        let reason = |field| match typed.of(field).count() {
            0 if self.required.contains(&field) => Some(format!("The field {field} is missing.")),
            0 | 1 if typed.value(field).contains('\u{fffd}') => {
                Some(format!("The field {field} is not text in UTF-8."))
            }
            0 | 1 => None,
            _ => Some(format!("The field {field} was sent more than once.")),
        };
        self.fields()
            .find_map(|field| Some((field, reason(field)?)))
    }
}

/// The fields of a form as they were sent, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed(Vec<(String, String)>);

impl Typed {
    fn of(&self, field: &str) -> impl Iterator<Item = &str> {
        let pairs = self.0.iter().filter(move |(name, _)| name == field);
        pairs.map(|(_, value)| value.as_str())
    }

    fn value(&self, field: &str) -> &str {
        self.of(field).next().unwrap_or_default()
    }
}

/// A form on its page: empty, or rejected with what was typed into it.
#[derive(Clone, Debug, Default)]
pub struct FormState {
    typed: Typed,
    error: Option<AppError>,
}

impl FormState {
    /// The form of the page that is rendered.
    pub fn current() -> Self {
        use_context().unwrap_or_default()
    }

    /// Returns the form with what was typed, and with the reason at its field where it is about one.
    pub fn rejected(target: &FormTarget, typed: Typed, error: AppError) -> Self {
        let at = |(field, reason): (&str, String)| AppError::field(field, error.status(), reason);
        let located = match &error {
            AppError::Form(_) => target.unreadable_field(&typed).map(at),
            AppError::TooLarge { .. } => typed.0.last().map(|(field, _)| {
                let reason = format!("{error} The form has its beginning; the rest was cut off.");
                at((field, reason))
            }),
            _ => None,
        };
        Self {
            typed,
            error: Some(located.unwrap_or(error)),
        }
    }

    pub fn error(&self) -> Option<AppError> {
        self.error.clone()
    }

    pub fn is_rejected(&self) -> bool {
        self.error.is_some()
    }

    /// Returns what was typed into a field.
    pub fn value(&self, field: &str) -> String {
        self.typed.value(field).to_owned()
    }

    /// Returns the value for the inside of a `<textarea>`, which Leptos does not escape. A browser
    /// drops the first line break there, so there is one more.
    pub fn textarea(&self, field: &str) -> String {
        let text = self.typed.value(field);
        format!("\n{}", text.replace('&', "&amp;").replace('<', "&lt;"))
    }

    /// Returns whether a box or radio button was on.
    pub fn is_checked(&self, field: &str, value: &str) -> bool {
        self.typed.of(field).any(|typed| typed == value)
    }

    /// Returns why a field was rejected.
    pub fn reason(&self, field: &str) -> Option<String> {
        let reason = self
            .error
            .as_ref()
            .filter(|error| error.field_name() == Some(field));
        reason.map(ToString::to_string)
    }

    /// Returns the value of `aria-invalid`.
    pub fn invalid(&self, field: &str) -> Option<&'static str> {
        self.reason(field).map(|_| "true")
    }

    /// Returns the value of `aria-describedby`: the reason's id, and that of a hint.
    pub fn described_by(&self, field: &str, hint: Option<&str>) -> Option<String> {
        let reason = self.reason(field).map(|_| reason_id(field));
        let ids: Vec<_> = reason.into_iter().chain(hint.map(str::to_owned)).collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }

    /// Returns the title of the form's page: a screen reader says it first.
    pub fn title(&self, title: &str) -> String {
        if self.is_rejected() {
            format!("Error: {title}")
        } else {
            title.to_owned()
        }
    }
}

/// The id of the element that says why a field was rejected.
pub fn reason_id(field: &str) -> String {
    format!("{field}-error")
}

/// Returns the text with LF for each line break, as a `<textarea>` has it; forms send CRLF
/// (<https://html.spec.whatwg.org/#concept-fe-api-value>).
pub fn with_line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// Returns the length as `maxlength` counts it: in UTF-16 code units.
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The body of a post: its beginning, when it is larger than [`MAX_BODY`].
#[derive(Default)]
pub struct SentForm(Vec<u8>);

impl SentForm {
    /// Reads the body. What was read is kept when the request is given up meanwhile.
    ///
    /// Most of a form that is too large is read, too: a browser that is still sending when the
    /// connection closes shows an error of its own instead of our answer.
    ///
    /// # Errors
    /// The form is too large, or it did not arrive.
    pub async fn read(&mut self, mut body: Body) -> Result<(), AppError> {
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| AppError::Form("it did not arrive".to_owned()))?;
            let data = frame.into_data().unwrap_or_default();
            let room = MAX_BODY - self.0.len();
            self.0.extend_from_slice(&data[..data.len().min(room)]);
            bytes += data.len();
            if bytes > 64 * MAX_BODY {
                break;
            }
        }
        if bytes > MAX_BODY {
            let kib = MAX_BODY / 1024;
            return Err(AppError::TooLarge { kib });
        }
        Ok(())
    }

    pub fn body(&self) -> Body {
        Body::from(self.0.clone())
    }

    /// Returns the fields of the target's form, however badly they were sent.
    pub fn typed(&self, target: &FormTarget) -> Typed {
        let ours = |name: &str| target.fields().any(|field| field == name);
        let pairs = form_urlencoded::parse(&self.0).filter(|(name, _)| ours(name));
        Typed(
            pairs
                .take(MAX_FIELDS)
                .map(|pair| (pair.0.into(), pair.1.into()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: FormTarget = FormTarget {
        action: "/api/push_message",
        page: "/messages",
        required: &["level", "text"],
        optional: &["own_level", "sticky"],
    };

    #[test]
    fn a_text_is_as_long_as_the_browser_counts_it() {
        assert_eq!(length(&with_line_feeds("a\r\nb\rc\n")), 6);
        assert_eq!(length("я🏃"), 3);
    }

    fn rejected(form: &[u8], error: AppError) -> FormState {
        let typed = SentForm(form.to_vec()).typed(&TARGET);
        FormState::rejected(&TARGET, typed, error)
    }

    #[test]
    fn what_can_be_read_of_a_form_is_kept_and_the_field_that_can_not_is_named() {
        let error = || AppError::Form("serde's words".to_owned());
        for (form, field, reason) in [
            (&b"level=info&own_level=x"[..], "text", "missing"),
            (b"text=a&level=info&text=b", "text", "more than once"),
            (b"level=info&text=a%ff", "text", "UTF-8"),
            (b"text=a", "level", "missing"),
        ] {
            let form = rejected(form, error());
            let said = form.reason(field).unwrap_or_default();
            assert!(said.contains(reason), "{field}: {said}");
            assert_eq!(form.error().map(|error| error.status()), Some(400));
        }
        let other = rejected(b"level=info&text=a&sticky=perhaps", error());
        assert_eq!(other.error(), Some(error()));
        assert_eq!(other.value("text"), "a");
    }

    #[test]
    fn a_text_can_not_leave_its_textarea() {
        let form = rejected(b"text=%0A%3C/textarea%3E%26lt;", AppError::CrossSite);
        assert_eq!(form.textarea("text"), "\n\n&lt;/textarea>&amp;lt;");
    }

    #[tokio::test]
    async fn of_a_form_that_is_too_large_the_beginning_is_kept() {
        let mut sent = SentForm::default();
        let body = format!("level=error&text={}", "x".repeat(2 * MAX_BODY));
        let error = sent.read(body.into()).await.expect_err("too large");
        let form = FormState::rejected(&TARGET, sent.typed(&TARGET), error);
        assert!(form.is_checked("level", "error"));
        assert!(form.value("text").len() > MAX_BODY / 2);
        assert!(
            form.reason("text")
                .is_some_and(|reason| reason.contains("cut off"))
        );
    }
}
