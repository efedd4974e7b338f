//! Crossed: messages that come back without a page load, to a plain form or a typed call.

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

use crate::provider::side;

/// Sends a plain form without a page load, and shows the messages that its answer brings: an
/// `on:submit` for forms that work without JavaScript too.
///
/// Where the answer redirects the browser goes on to that page, which shows them; where no answer
/// arrives, or one that fails and brings no message, the form is sent again, as the browser does it. So
/// does a form that is no plain post from the start.
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
///     // let flash = Flash::current()?;
///     // flash.success("Saved").await?;
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
        side::ask_for_messages(&request);
        async move {
            let response = <BrowserClient as Client<E, I, O>>::send(request).await?;
            side::show_messages(&response);
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
