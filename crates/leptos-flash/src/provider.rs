//! The API for components: provide, show and dismiss the messages of a page.

use std::{cell::Cell, future::Future};

use flash_messages::{FlashMessage, Level};
use leptos::prelude::*;

use crate::{list::FlashMessages, platform, words::LOADING};

/// Returns the messages of the page that the server renders. After that they count as shown. In the
/// browser, and without a `FlashLayer`, there are none.
///
/// [`FlashRegion`](crate::FlashRegion) calls it. An app may ask it whether a page has messages.
pub fn page_messages() -> Vec<FlashMessage> {
    platform::page_messages()
}

/// Provides the messages of a fully hydrated app, and returns them. Call it first in `App`, before any
/// resource.
///
/// The messages are part of the first HTML in every `SsrMode`. They hydrate without a request.
pub fn provide_flash() -> FlashMessages {
    let messages = FlashMessages::new(SharedValue::new(page_messages).into_inner());
    provide_context(messages);
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
    fn new(initial: Vec<FlashMessage>) -> Self {
        let messages = Self::from_messages(initial);
        platform::attach(messages);
        messages
    }

    /// Removes a message from the page. A sticky message is also deleted on the server.
    pub fn dismiss(&self, id: i64) {
        platform::dismiss(id);
    }

    /// Dismisses all messages.
    pub fn clear(&self) {
        for message in self.get_untracked() {
            self.dismiss(message.id);
        }
    }
}

/// Shows a message that was born in the browser, in the region of the page. It replaces a message with
/// the same key. On the server, and on a page without a region, nothing happens.
///
/// ```
/// use leptos_flash::{FlashMessage, show};
///
/// # fn example() {
/// show(FlashMessage::info("Copied").auto_dismiss());
/// # }
/// ```
pub fn show(message: FlashMessage) {
    platform::show(message);
}

/// Shows that something is under way until `work` is done, then what came of it in the same place.
///
/// ```
/// use leptos::{prelude::*, task::spawn_local};
/// use leptos_flash::{FlashMessage, promise};
///
/// # #[server] async fn export() -> Result<u32, ServerFnError> { Ok(1) }
/// # fn example() {
/// spawn_local(async {
///     let rows = promise("Exporting…", export(), |rows| match rows {
///         Ok(rows) => FlashMessage::success(format!("{rows} rows exported")),
///         Err(_) => FlashMessage::error("The export failed"),
///     });
///     _ = rows.await;
/// });
/// # }
/// ```
///
/// # Errors
/// Those of `work`.
pub async fn promise<T, E>(
    loading: impl Into<String>,
    work: impl Future<Output = Result<T, E>>,
    message: impl FnOnce(&Result<T, E>) -> FlashMessage,
) -> Result<T, E> {
    thread_local! {
        static NUMBER: Cell<u32> = const { Cell::new(0) };
    }
    let key = format!("promise {}", NUMBER.replace(NUMBER.get() + 1));
    let level = LOADING.parse().unwrap_or(Level::Info);
    show(FlashMessage::new(level, loading).key(&key));
    let result = work.await;
    if result.is_err() {
        // This message tells more.
        platform::remove_failure();
    }
    show(message(&result).key(key));
    result
}
