//! Rendered, hydrated, dismissed: the messages that a page shows.

use std::{collections::HashMap, time::Duration};

use leptos::prelude::*;

use crate::{FlashMessage, Scope};

#[cfg(not(feature = "ssr"))]
pub(crate) use crate::browser as side;

#[cfg(feature = "ssr")]
pub(crate) use server as side;

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

/// The messages on the page, a reactive list in the order of the pushes.
#[derive(Clone, Copy, Debug)]
pub struct FlashMessages {
    list: RwSignal<Vec<FlashMessage>>,
    /// Messages that came with a redirect and outlast it.
    redirected: StoredValue<Vec<(Scope, i64)>>,
}

impl FlashMessages {
    /// A list that begins with the messages of the first HTML. In the browser, it gets those that
    /// server functions bring back, see [`FlashClient`](crate::FlashClient), and drops at once
    /// those that this tab has shown before.
    pub fn new(initial: Vec<FlashMessage>) -> Self {
        let messages = Self {
            list: RwSignal::new(initial),
            redirected: StoredValue::new(Vec::new()),
        };
        side::attach(messages);
        messages
    }

    /// Says that the list is not on the page (any more). Calls leave their messages to the next page
    /// then, and the browser sends forms itself.
    pub fn detach(&self) {
        side::detach();
    }

    /// The messages, tracked.
    pub fn get(&self) -> Vec<FlashMessage> {
        self.list.get()
    }

    /// The messages, not tracked.
    pub fn get_untracked(&self) -> Vec<FlashMessage> {
        self.list.get_untracked()
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

/// Dismisses a message on the server, for a form that works without JavaScript, with a field `id`.
/// The answer goes back to the page that the form is on.
///
/// # Errors
/// The database can't be reached, or the layers are missing.
#[server(name = DismissFlash, prefix = "/api", endpoint = "dismiss_flash")]
pub async fn dismiss_flash(
    /// The message.
    id: i64,
) -> Result<(), ServerFnError> {
    side::dismiss_flash(id).await
}

#[cfg(feature = "ssr")]
pub(crate) mod server {
    use leptos::{
        ev::SubmitEvent,
        prelude::ServerFnError,
        server_fn::{request::browser::BrowserRequest, response::browser::BrowserResponse},
    };

    use super::FlashMessages;
    use crate::{Flash, FlashError, FlashMessage};

    pub fn page_messages() -> Vec<FlashMessage> {
        Flash::current()
            .map(|flash| flash.take())
            .unwrap_or_default()
    }

    pub fn page_data(message: &FlashMessage) -> String {
        serde_json::to_string(message).unwrap_or_default()
    }

    pub fn page_ids(messages: &[FlashMessage]) -> String {
        let ids: Vec<_> = (messages.iter())
            .map(|message| message.id.to_string())
            .collect();
        ids.join(",")
    }

    pub async fn dismiss_flash(id: i64) -> Result<(), ServerFnError> {
        let dismiss = async || Flash::current()?.dismiss(id).await;
        dismiss().await.map_err(|error: FlashError| {
            tracing::error!(%error, "a message could not be dismissed");
            ServerFnError::new(error.public_text())
        })
    }

    // The rest is for the browser alone.
    pub fn attach(_: FlashMessages) {}
    pub fn detach() {}
    pub fn navigates_in_place() {}
    pub fn dismiss(_: i64) {}
    pub fn ask_for_messages(_: &BrowserRequest) -> String {
        String::new()
    }
    pub fn show_messages(_: &BrowserResponse, _: &str) {}
    pub fn send_form(_: SubmitEvent) {}

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn a_dismissal_that_fails_tells_the_browser_nothing_of_the_inside() {
            let error = dismiss_flash(1).await.expect_err("there is no layer");
            let told = error.to_string();
            assert!(
                told.contains(&FlashError::MissingLayer.public_text()),
                "{told}"
            );
            assert!(!told.contains("FlashLayer"), "{told}");
        }
    }
}
