//! The messages on the page: a reactive list.

use flash_messages::{FlashMessage, Scope};
use leptos::prelude::*;

/// The messages on the page, a reactive list in the order of the pushes.
#[derive(Clone, Copy, Debug)]
pub struct FlashMessages {
    pub(crate) list: RwSignal<Vec<FlashMessage>>,
    /// Messages that came with a redirect and outlast it.
    redirected: StoredValue<Vec<(Scope, i64)>>,
}

impl FlashMessages {
    pub(crate) fn of(initial: Vec<FlashMessage>) -> Self {
        Self {
            list: RwSignal::new(initial),
            redirected: StoredValue::new(Vec::new()),
        }
    }

    /// The messages, tracked.
    pub fn get(&self) -> Vec<FlashMessage> {
        self.list.get()
    }

    /// The messages, not tracked.
    pub fn get_untracked(&self) -> Vec<FlashMessage> {
        self.list.get_untracked()
    }

    /// Lets messages end with their page where the router navigates without a page load. Sticky
    /// ones stay, and those that came with a redirect outlast exactly that one.
    ///
    /// ```
    /// # use leptos::prelude::*;
    /// # use leptos_flash::use_flash;
    /// # fn use_location() -> (Memo<String>,) { (Memo::new(|_| String::new()),) }
    /// // Inside <Router>, with leptos_router's `use_location().pathname`:
    /// # #[component]
    /// # fn Inside() -> impl IntoView {
    /// # let (pathname,) = use_location();
    /// use_flash().end_with_page(pathname);
    /// # }
    /// ```
    pub fn end_with_page(&self, pathname: Memo<String>) {
        let messages = *self;
        Effect::new(move |first: Option<()>| {
            // Read, not only tracked: a memo that was never read notices nothing.
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
        expect(dead_code, reason = "messages arrive in the browser")
    )]
    pub(crate) fn arrive(&self, new: Vec<FlashMessage>, with_redirect: bool) {
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
        expect(dead_code, reason = "pages come back in the browser")
    )]
    pub(crate) fn retain(&self, keep: impl Fn(&FlashMessage) -> bool) {
        if !self.list.read_untracked().iter().all(&keep) {
            self.list.update(|list| list.retain(keep));
        }
    }
}
