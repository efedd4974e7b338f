//! Shows messages without a page load, after a plain form or a typed call.

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

use crate::platform;

/// Sends a plain form without a page load, and shows the messages of the response. It is an `on:submit`
/// for forms that also work without JavaScript.
///
/// It sends the request that the browser would send, with the fields of the clicked button, once:
///
/// | response | what happens |
/// |---|---|
/// | has messages | The region shows them. |
/// | redirects | The browser loads that page, which shows the messages. |
/// | 4xx without a message | The browser sends the form again, and shows the page with the reason. |
/// | 5xx without a message, or none | The region says that the outcome is unknown. The form's attribute `data-flash-lost` may set the text. |
///
/// In these cases the browser itself sends the form:
/// - The page has no region.
/// - The form is not a URL-encoded post to a path on this site.
/// - The form has a field for files, or a target.
/// - The button has a `formaction`, `formmethod`, `formenctype` or `formtarget`.
///
/// A typed call does the same with [`FlashClient`]. That adds 30 KB of WASM in brotli.
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
    platform::send_form(event);
}

/// A client for server functions that push messages. If hydrated code calls such a function, the region
/// shows the messages with its response, which may be `Ok`, `Err` or a redirect. It needs no other
/// request.
///
/// If a call fails and brings no message, the region shows an error by itself, unless its `show_failures`
/// is false. If the response gets lost, the error says that the outcome is unknown.
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
        let cookies = platform::ask_for_messages(&request);
        async move {
            let response = <BrowserClient as Client<E, I, O>>::send(request).await;
            match &response {
                Ok(response) => platform::show_messages(response, &cookies),
                Err(_) => platform::show_lost(),
            }
            response
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
