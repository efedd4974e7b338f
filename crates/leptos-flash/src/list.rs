//! The reactive list of the messages on a page of a fully hydrated app.

use flash_messages::{FlashMessage, Scope};
use leptos::prelude::*;

/// The reactive list of the messages on a page of a fully hydrated app, in the order of the pushes.
/// [`provide_flash`](crate::provide_flash) creates it.
#[derive(Clone, Copy, Debug)]
pub struct FlashMessages {
    pub(crate) list: RwSignal<Vec<FlashMessage>>,
    /// The messages that came with a redirect. They stay on the page that it leads to.
    redirected: StoredValue<Vec<(Scope, i64)>>,
}

impl FlashMessages {
    /// Creates a list that only its methods change.
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
    /// Adds messages. One with the key of a message takes its place. A message that is there already is
    /// not added again.
    pub(crate) fn add(&self, new: Vec<FlashMessage>, with_redirect: bool) {
        if with_redirect {
            let new = new.iter().map(FlashMessage::identity);
            self.redirected.write_value().extend(new);
        }
        self.list.update(|list| {
            for message in new {
                let same_key =
                    |shown: &FlashMessage| shown.key.is_some() && shown.key == message.key;
                if list
                    .iter()
                    .any(|shown| shown.identity() == message.identity())
                {
                    continue;
                }
                match list.iter().position(same_key) {
                    Some(place) => list[place] = message,
                    None => list.push(message),
                }
            }
        });
    }

    #[cfg_attr(
        feature = "ssr",
        expect(dead_code, reason = "only the browser removes messages so")
    )]
    /// Removes a message.
    pub(crate) fn remove(&self, identity: (Scope, i64)) {
        self.list
            .update(|list| list.retain(|message| message.identity() != identity));
    }
}
