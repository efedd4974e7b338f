//! Keeps a person's own setting: how long messages stay that leave by themselves.

use std::{str::FromStr, time::Duration};

use leptos::prelude::*;

/// A person's choice how long messages stay that leave by themselves. A person sets it with a form that posts to
/// [`set_reading_time`]; the cookie `flashtime` keeps it for a year (WCAG 2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadingTime {
    /// Three times as long.
    Longer,
    /// Until they are dismissed.
    Unlimited,
}

impl ReadingTime {
    /// Returns the name, as in the cookie.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Longer => "longer",
            Self::Unlimited => "unlimited",
        }
    }

    /// Returns how long a message stays, or `None` if it stays until it is dismissed.
    pub(crate) fn scaled(self, delay: Duration) -> Option<Duration> {
        (self == Self::Longer).then_some(delay * 3)
    }
}

impl FromStr for ReadingTime {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        [Self::Longer, Self::Unlimited]
            .into_iter()
            .find(|time| time.as_str() == name)
            .ok_or(())
    }
}

/// Sets the reader's [`ReadingTime`]. A form posts to it with a field `time`: `longer`, `unlimited`, or
/// `usual`. The response leads back to the page of the form.
///
/// ```
/// use leptos::{prelude::*, server_fn::ServerFn};
/// use leptos_flash::SetReadingTime;
///
/// # #[component]
/// # fn Example() -> impl IntoView {
/// view! {
///     <form method="post" action=SetReadingTime::PATH>
///         <button name="time" value="longer">"Messages stay longer"</button>
///     </form>
/// }
/// # }
/// ```
///
/// # Errors
/// The time has another name.
#[server(name = SetReadingTime, prefix = "/api", endpoint = "set_reading_time")]
pub async fn set_reading_time(
    /// `usual`, `longer` or `unlimited`.
    time: String,
) -> Result<(), ServerFnError> {
    use crate::server::{bad_request, redirect_back, set_reading_time};

    if time == "usual" {
        set_reading_time(None);
    } else if let Ok(time) = time.parse() {
        set_reading_time(Some(time));
    } else {
        return Err(bad_request("the time is usual, longer or unlimited"));
    }
    redirect_back("");
    Ok(())
}

/// The name of the cookie with the reader's [`ReadingTime`]. It does not begin as those of the notes do.
pub const READING_TIME: &str = "flashtime";
