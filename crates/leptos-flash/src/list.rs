//! The reactive list of the messages on a page.

use flash_messages::{FlashMessage, Scope};
use leptos::prelude::*;

/// The reactive list of the messages on a page, in the order of the pushes.
#[derive(Clone, Copy, Debug)]
pub struct FlashMessages {
    pub(crate) list: RwSignal<Vec<FlashMessage>>,
    /// The messages that came with a redirect. They stay on the page that it leads to.
    redirected: StoredValue<Vec<(Scope, i64)>>,
}

impl FlashMessages {
    /// Creates a list that nothing else changes, unlike [`new`](Self::new).
    pub(crate) fn from_messages(initial: Vec<FlashMessage>) -> Self {
        Self {
            list: RwSignal::new(initial),
            redirected: StoredValue::new(Vec::new()),
        }
    }

    /// Returns the messages, and tracks the list.
    pub fn get(&self) -> Vec<FlashMessage> {
        self.list.get()
    }

    /// Returns the messages without tracking the list.
    pub fn get_untracked(&self) -> Vec<FlashMessage> {
        self.list.get_untracked()
    }

    /// Removes the messages if the router navigates to another page without a page load. Two kinds stay:
    /// sticky messages, and on the page that a redirect leads to the messages that came with it.
    ///
    /// ```
    /// # use leptos::prelude::*;
    /// # use leptos_flash::use_flash;
    /// # fn use_location() -> (Memo<String>,) { (Memo::new(|_| String::new()),) }
    /// // Call it inside <Router>, with leptos_router's `use_location().pathname`.
    /// # #[component]
    /// # fn Inside() -> impl IntoView {
    /// # let (pathname,) = use_location();
    /// use_flash().end_with_page(pathname);
    /// # }
    /// ```
    pub fn end_with_page(&self, pathname: Memo<String>) {
        let messages = *self;
        Effect::new(move |first: Option<()>| {
            // `track` is not enough: a memo that was never read has no value to compare.
            pathname.read();
            if first.is_some() {
                let redirected = std::mem::take(&mut *messages.redirected.write_value());
                (messages.list).update(|list| {
                    list.retain(|message| {
                        message.sticky || redirected.contains(&message.identity())
                    });
                });
            }
        });
    }

    #[cfg_attr(
        feature = "ssr",
        expect(dead_code, reason = "only the browser adds messages")
    )]
    /// Adds messages. Each one replaces that with its identity or its key.
    pub(crate) fn add(&self, new: Vec<FlashMessage>, with_redirect: bool) {
        if with_redirect {
            let new = new.iter().map(FlashMessage::identity);
            self.redirected.write_value().extend(new);
        }
        self.list.update(|list| {
            for message in new {
                let same_key =
                    |shown: &FlashMessage| shown.key.is_some() && shown.key == message.key;
                list.retain(|shown| shown.identity() != message.identity() && !same_key(shown));
                list.push(message);
            }
        });
    }

    #[cfg_attr(
        feature = "ssr",
        expect(dead_code, reason = "only the browser removes messages so")
    )]
    /// Keeps the messages for which `keep` returns true.
    pub(crate) fn retain(&self, keep: impl Fn(&FlashMessage) -> bool) {
        if !self.list.read_untracked().iter().all(&keep) {
            self.list.update(|list| list.retain(keep));
        }
    }
}
