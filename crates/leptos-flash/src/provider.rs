//! What components use: the messages of the page, read, shown and dismissed.

use std::{collections::HashMap, time::Duration};

use flash_messages::{FlashMessage, Scope};
use leptos::prelude::*;

use crate::{list::FlashMessages, side};

/// The messages of the page, for the island that shows them. Call it once, outside `<Suspense>`.
///
/// On the server they are those that waited, and count as shown; outside a
/// [`FlashLayer`](crate::FlashLayer) there are none. The browser finds them again in the page: by
/// the elements `<input type="hidden" data-flash>` with [`page_data`] as their value. As the props of
/// an island they would need a JSON parser in WASM, 15 KB in brotli.
pub fn page_messages() -> Vec<FlashMessage> {
    side::page_messages()
}

/// A message as [`page_messages`] reads it from the page: JSON. Empty in the browser, which has it.
pub fn page_data(message: &FlashMessage) -> String {
    side::page_data(message)
}

/// The ids of a page's messages, for a form that dismisses some of them without JavaScript: in their
/// order, with commas between them. Empty in the browser: the HTML already has them.
pub fn page_ids(messages: &[FlashMessage]) -> String {
    side::page_ids(messages)
}

/// A script for pages with islands: it notes the page's messages as shown before WASM arrives, for a
/// reader on a slow line who clicks on at once. Put it at the start of the module script that loads
/// your WASM; it reads the elements of [`page_data`].
///
/// Fully hydrated apps do without: they note when they hydrate.
pub const NOTE_SHOWN: &str = include_str!("note_shown.js");

/// Provides the messages of a fully hydrated app: call it first thing in `App`, before any resource.
///
/// The messages are part of the first HTML, whatever the `SsrMode`, and hydrate without a request.
pub fn provide_flash() -> FlashMessages {
    let messages = FlashMessages::new(SharedValue::new(page_messages).into_inner());
    provide_context(messages);
    side::navigates_in_place();
    messages
}

/// The messages that [`provide_flash`] provides.
///
/// # Panics
/// Where no parent called [`provide_flash`].
pub fn use_flash() -> FlashMessages {
    use_context().expect("no flash messages here: call `provide_flash()` first thing in `App`")
}

impl FlashMessages {
    /// A list that begins with the messages of the first HTML. In the browser, it gets those that
    /// server functions bring back, see [`FlashClient`](crate::FlashClient), and drops at once
    /// those that this tab has shown before.
    pub fn new(initial: Vec<FlashMessage>) -> Self {
        let messages = Self::of(initial);
        side::attach(messages);
        messages
    }

    /// Says that the list is not on the page (any more). Calls leave their messages to the next page
    /// then, and the browser sends forms itself.
    pub fn detach(&self) {
        side::detach();
    }

    /// Takes a message off the page, a sticky one off every page.
    pub fn dismiss(&self, id: i64) {
        let is_dismissed = |message: &FlashMessage| message.id == id;
        let sticky = (self.list.read_untracked().iter())
            .any(|message| is_dismissed(message) && message.sticky);
        if sticky {
            side::dismiss(id);
        }
        self.list
            .update(|list| list.retain(|message| !is_dismissed(message)));
    }

    /// Dismisses all.
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

    /// Takes the messages off the page that [ask for it](FlashMessage::auto_dismiss_after), each
    /// after its time. The time stands still in a hidden tab, and while `is_held`: somebody points
    /// at the messages, say, or has the focus there.
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
    pub fn auto_dismiss(&self, is_held: impl Fn() -> bool + Copy + 'static) {
        const TICK: Duration = Duration::from_secs(1);
        let messages = *self;
        let ages = StoredValue::new(HashMap::<(Scope, i64), Duration>::new());
        let tick = move || {
            if document().hidden() || is_held() {
                return;
            }
            let is_over = |message: &&FlashMessage| {
                let Some(after) = message.auto_dismiss_after() else {
                    return false;
                };
                let mut ages = ages.write_value();
                let age = ages.entry(message.identity()).or_default();
                *age += TICK;
                *age >= after
            };
            let list = messages.get_untracked();
            for message in list.iter().filter(is_over) {
                messages.dismiss(message.id);
            }
        };
        Effect::new(move || {
            let some_leave =
                (messages.list.read().iter()).any(|message| message.auto_dismiss_after().is_some());
            // An error means that there is no window to wait in.
            if let (true, Ok(interval)) = (some_leave, set_interval_with_handle(tick, TICK)) {
                on_cleanup(move || interval.clear());
            }
        });
    }
}
