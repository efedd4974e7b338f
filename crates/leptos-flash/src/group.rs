//! Gives a region a look: banner or toasts.

use std::str::FromStr;

use flash_messages::FlashMessage;
use leptos::prelude::*;

use crate::{platform, region::FlashRegion, words::FlashWords};

/// Where [`FlashGroup`] shows the messages.
///
/// The six corners and edges are toasts: they lie above the page. Start and end follow the direction of
/// the text. On a phone a toast has the width of the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlashPosition {
    /// In the page, where the component stands. This is the default.
    #[default]
    Banner,
    /// At the top, where lines begin.
    TopStart,
    /// At the top, in the middle.
    TopCenter,
    /// At the top, where lines end.
    TopEnd,
    /// At the bottom, where lines begin.
    BottomStart,
    /// At the bottom, in the middle.
    BottomCenter,
    /// At the bottom, where lines end.
    BottomEnd,
}

impl FlashPosition {
    /// All positions.
    pub const ALL: [Self; 7] = [
        Self::Banner,
        Self::TopStart,
        Self::TopCenter,
        Self::TopEnd,
        Self::BottomStart,
        Self::BottomCenter,
        Self::BottomEnd,
    ];

    /// Returns the name, as in the attribute `data-flash-position`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Banner => "banner",
            Self::TopStart => "top-start",
            Self::TopCenter => "top-center",
            Self::TopEnd => "top-end",
            Self::BottomStart => "bottom-start",
            Self::BottomCenter => "bottom-center",
            Self::BottomEnd => "bottom-end",
        }
    }
}

impl FromStr for FlashPosition {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let is_it = |position: &Self| position.as_str() == name;
        Self::ALL.into_iter().find(is_it).ok_or(())
    }
}

/// The messages, ready to use: a [`FlashRegion`] with the look of `flash.css`. Render it once, above your
/// routes.
///
/// The style sheet comes from [`assets`](crate::assets). Its comment lists the custom properties with
/// which an app changes colours and sizes.
///
/// ```
/// use leptos::prelude::*;
/// use leptos_flash::{FlashGroup, FlashPosition};
///
/// # #[component]
/// # fn Pages() -> impl IntoView {}
/// #[component]
/// fn App() -> impl IntoView {
///     view! {
///         <FlashGroup position=FlashPosition::BottomEnd />
///         <Pages />
///     }
/// }
/// ```
#[component]
pub fn FlashGroup(
    /// Where the messages are. Default: [`FlashPosition::Banner`].
    #[prop(optional)]
    position: FlashPosition,
    /// The words of the region. Default: English.
    #[prop(optional)]
    words: FlashWords,
    /// The maximum number of messages on screen, as of [`FlashRegion`]. Default: 5.
    #[prop(default = 5)]
    limit: usize,
    /// The same as of [`FlashRegion`]. Default: false.
    #[prop(optional)]
    count_duplicates: bool,
    /// The same as of [`FlashRegion`]. Default: true.
    #[prop(default = true)]
    show_failures: bool,
) -> impl IntoView {
    let item = {
        let words = words.clone();
        move |message| item(message, &words)
    };
    view! {
        <link rel="stylesheet" href=platform::style_path() />
        <FlashRegion
            words
            limit
            count_duplicates
            show_failures
            position=position.as_str()
            children=item
        />
    }
}

fn item(message: FlashMessage, words: &FlashWords) -> impl IntoView + use<> {
    let FlashMessage {
        id,
        level,
        text,
        title,
        link,
        sticky,
        ..
    } = message;
    let label = words.dismiss(&level, title.as_ref().unwrap_or(&text));
    // A template has no text that a search of the page could take for a message.
    let class = |name| (id != 0).then_some(name);
    view! {
        <span class="flash-icon" aria-hidden="true"></span>
        <div class="flash-body">
            <strong class=class("flash-word") data-flash-slot="word">{words.level(&level)}</strong>
            {sticky
                .then(|| {
                    view! {
                        <span class=class("flash-stays") data-flash-slot="stays">{words.stays.clone()}</span>
                    }
                })}
            {title
                .map(|title| {
                    view! { <strong class=class("flash-title") data-flash-slot="title">{title}</strong> }
                })}
            <p class=class("flash-text") data-flash-slot="text">{text}</p>
            {link
                .map(|link| {
                    view! {
                        <a class=class("flash-link") data-flash-slot="link" href=link.href>{link.text}</a>
                    }
                })}
        </div>
        <button class="flash-dismiss" name="dismiss" value=id aria-label=label data-flash-dismiss>
            <span aria-hidden="true">"×"</span>
        </button>
    }
}
