//! The API for components: read, show and dismiss the messages of a page.

use std::{collections::HashMap, time::Duration};

use flash_messages::{FlashMessage, Scope};
use leptos::prelude::*;

use crate::{list::FlashMessages, platform};

/// Returns the messages of the page, for the island that shows them. Call it once, outside `<Suspense>`.
///
/// - On the server, it takes the waiting messages, so they count as shown. Without a `FlashLayer` it
///   returns no messages.
/// - In the browser, it reads the messages from the page: from elements
///   `<input type="hidden" data-flash>` with [`page_data`] as their value.
///
/// Messages are no props of the island: those would need a JSON parser in WASM, 15 KB in brotli.
pub fn page_messages() -> Vec<FlashMessage> {
    platform::page_messages()
}

/// Returns a message as JSON, as [`page_messages`] reads it. It is empty in the browser: the HTML already
/// has it.
pub fn page_data(message: &FlashMessage) -> String {
    platform::page_data(message)
}

/// Returns the ids of a page's messages, separated by commas. A form that dismisses messages without
/// JavaScript posts them. The string is empty in the browser: the HTML already has it.
pub fn page_ids(messages: &[FlashMessage]) -> String {
    platform::page_ids(messages)
}

/// A script for pages with islands. It notes the page's messages as shown before WASM has loaded. So a
/// message is not shown twice if a visitor on a slow connection opens the next page at once.
///
/// Put it at the start of the module script that loads your WASM. It reads the elements of [`page_data`].
/// Fully hydrated apps don't need it: they note the messages when they hydrate.
pub const NOTE_SHOWN: &str = include_str!("note_shown.js");

/// Provides the messages of a fully hydrated app, and returns them. Call it first in `App`, before any
/// resource.
///
/// The messages are part of the first HTML in every `SsrMode`. They hydrate without a request.
pub fn provide_flash() -> FlashMessages {
    let messages = FlashMessages::new(SharedValue::new(page_messages).into_inner());
    provide_context(messages);
    platform::set_navigates_in_place();
    messages
}

/// Returns the messages that [`provide_flash`] provides.
///
/// # Panics
/// No parent component called [`provide_flash`].
pub fn use_flash() -> FlashMessages {
    use_context().expect("no flash messages here: call `provide_flash()` first thing in `App`")
}

impl FlashMessages {
    /// Creates the list of the page. It begins with the messages of the first HTML.
    ///
    /// In the browser, [`FlashClient`](crate::FlashClient) and [`send_form`](crate::send_form) add messages
    /// to it. It drops messages that this tab has shown before.
    pub fn new(initial: Vec<FlashMessage>) -> Self {
        let messages = Self::from_messages(initial);
        platform::attach(messages);
        messages
    }

    /// Tells the crate that the page doesn't show the list. After that the next page shows the messages of
    /// calls, and the browser itself sends the forms.
    pub fn detach(&self) {
        platform::detach();
    }

    /// Removes a message from the page. A sticky message is also deleted on the server.
    pub fn dismiss(&self, id: i64) {
        let is_dismissed = |message: &FlashMessage| message.id == id;
        let sticky = (self.list.read_untracked().iter())
            .any(|message| is_dismissed(message) && message.sticky);
        if sticky {
            platform::dismiss(id);
        }
        self.list
            .update(|list| list.retain(|message| !is_dismissed(message)));
    }

    /// Dismisses all messages.
    pub fn clear(&self) {
        let ids: Vec<_> = self
            .list
            .read_untracked()
            .iter()
            .map(|message| message.id)
            .collect();
        for id in ids {
            self.dismiss(id);
        }
    }

    /// Dismisses each message after its [auto-dismiss delay](FlashMessage::auto_dismiss_after).
    ///
    /// The delay pauses in a hidden tab, and while `is_paused` returns true. It should return true while
    /// the pointer or the focus is on the messages.
    ///
    /// ```
    /// # use leptos::prelude::*;
    /// # fn example(flash: leptos_flash::FlashMessages) {
    /// flash.auto_dismiss(|| {
    ///     let held = document().query_selector(".flashes:is(:hover, :focus-within)");
    ///     matches!(held, Ok(Some(_)))
    /// });
    /// # }
    /// ```
    pub fn auto_dismiss(&self, is_paused: impl Fn() -> bool + Copy + 'static) {
        const TICK: Duration = Duration::from_secs(1);
        let messages = *self;
        let ages = StoredValue::new(HashMap::<(Scope, i64), Duration>::new());
        let tick = move || {
            if document().hidden() || is_paused() {
                return;
            }
            let has_expired = |message: &&FlashMessage| {
                let Some(after) = message.auto_dismiss_after() else {
                    return false;
                };
                let mut ages = ages.write_value();
                let age = ages.entry(message.identity()).or_default();
                *age += TICK;
                *age >= after
            };
            let list = messages.get_untracked();
            for message in list.iter().filter(has_expired) {
                messages.dismiss(message.id);
            }
        };
        Effect::new(move || {
            let some_leave =
                (messages.list.read().iter()).any(|message| message.auto_dismiss_after().is_some());
            // There is no window on the server, so no interval.
            if let (true, Ok(interval)) = (some_leave, set_interval_with_handle(tick, TICK)) {
                on_cleanup(move || interval.clear());
            }
        });
    }
}
