//! Messages that come back without a page load, to a plain form or a typed call.

use std::future::Future;

use leptos::{
    ev::SubmitEvent,
    server_fn::{
        client::{Client, browser::BrowserClient},
        error::FromServerFnError,
        request::browser::BrowserRequest,
        response::browser::BrowserResponse,
    },
};

use crate::side;

/// Sends a plain form without a page load, and shows the messages that its answer brings: an
/// `on:submit` for forms that work without JavaScript too.
///
/// The request is the one that the browser would send, with the fields of its button, and is sent once:
///
/// | the answer | what happens |
/// |---|---|
/// | brings messages | the list shows them |
/// | redirects | the browser loads that page, which shows them |
/// | refuses (4xx) without a message | the browser sends the form and shows the page that says why |
/// | fails (5xx) without a message, or gets lost | the list says so, in the words of the form's attribute `data-flash-lost` where it has one |
///
/// The browser sends the form from the start in these cases: the page has no list of messages; the form
/// is no URL-encoded post to a path of this site, has a field for files or another target; the button
/// has a `formaction`, `formmethod`, `formenctype` or `formtarget`.
///
/// A typed call does the same with [`FlashClient`], for 30 KB more of WASM in brotli.
///
/// ```
/// use leptos::{prelude::*, server_fn::ServerFn};
/// use leptos_flash::send_form;
///
/// # #[server] async fn save() -> Result<(), ServerFnError> { Ok(()) }
/// #[component] // or an island
/// fn SaveButton() -> impl IntoView {
///     view! {
///         <form method="post" action=Save::PATH on:submit=send_form>
///             <button>"Save"</button>
///         </form>
///     }
/// }
/// ```
pub fn send_form(event: SubmitEvent) {
    side::send_form(event);
}

/// Shows the messages that a server function pushed when hydrated code calls it: with its response,
/// whether that is Ok, Err or a redirect, and without another request.
///
/// ```
/// use leptos::{prelude::*, server_fn::error::ServerFnError};
/// use leptos_flash::FlashClient;
///
/// #[server(client = FlashClient)]
/// async fn save(name: String) -> Result<(), ServerFnError> {
///     // flash()?.success("Saved").await?;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct FlashClient;

impl<E, I, O> Client<E, I, O> for FlashClient
where
    E: FromServerFnError,
    I: FromServerFnError,
    O: FromServerFnError,
{
    type Request = BrowserRequest;
    type Response = BrowserResponse;

    fn send(request: BrowserRequest) -> impl Future<Output = Result<BrowserResponse, E>> + Send {
        let cookies = side::ask_for_messages(&request);
        async move {
            let response = <BrowserClient as Client<E, I, O>>::send(request).await?;
            side::show_messages(&response, &cookies);
            Ok(response)
        }
    }

    fn open_websocket(
        path: &str,
    ) -> impl Future<
        Output = Result<
            (
                impl futures::Stream<Item = Result<bytes::Bytes, bytes::Bytes>> + Send + 'static,
                impl futures::Sink<bytes::Bytes> + Send + 'static,
            ),
            E,
        >,
    > + Send {
        <BrowserClient as Client<E, I, O>>::open_websocket(path)
    }

    fn spawn(future: impl Future<Output = ()> + Send + 'static) {
        <BrowserClient as Client<E, I, O>>::spawn(future);
    }
}
