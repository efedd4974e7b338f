//! Crossed: the client of server functions that brings messages back without a page load.

use std::future::Future;

use leptos::server_fn::{
    client::{Client, browser::BrowserClient},
    error::FromServerFnError,
    request::browser::BrowserRequest,
    response::browser::BrowserResponse,
};

use crate::provider::side;

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
