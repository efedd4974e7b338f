//! The server's half in Leptos: the handle of the request that is answered, and redirects.

use axum::http::{StatusCode, header, request::Parts};
use flash_messages::{Flash, FlashError, FlashMessage, is_local, wire::CALL_HEADER};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// Returns the messages of the request that is answered, in a Leptos server function or while a
/// component is rendered on the server. In axum handlers, [`Flash`] is an extractor.
///
/// ```
/// use leptos::prelude::*;
/// use leptos_flash::flash;
///
/// #[server]
/// async fn save() -> Result<(), ServerFnError> {
///     flash()?.success("Saved").await?;
///     Ok(())
/// }
/// ```
///
/// # Errors
/// [`FlashError::MissingLayer`] when the request did not come through a
/// [`FlashLayer`](crate::FlashLayer).
pub fn flash() -> Result<Flash, FlashError> {
    use_context::<Parts>()
        .and_then(|parts| parts.extensions.get::<Flash>().cloned())
        .ok_or(FlashError::MissingLayer)
}

/// Pushes a message and redirects, in a Leptos server function.
///
/// # Errors
/// [`FlashError::NotLocal`] when `path` leaves this site (nothing is pushed then), else as
/// [`Flash::push`].
pub async fn redirect_with(path: &str, message: FlashMessage) -> Result<(), FlashError> {
    if !is_local(path) {
        return Err(FlashError::NotLocal);
    }
    flash()?.push(message).await?;
    redirect(path)
}

/// Redirects to a page of this site, in a Leptos server function.
///
/// As `leptos_axum::redirect`, but that one answers a form post with 302, or by curl with 200; 303
/// says that the next request is a GET (RFC 9110, 15.4.4).
///
/// # Errors
/// [`FlashError::NotLocal`] when `path` leaves this site.
pub fn redirect(path: &str) -> Result<(), FlashError> {
    if !is_local(path) {
        return Err(FlashError::NotLocal);
    }
    leptos_axum::redirect(path);
    let by_hydrated_code = use_context::<Parts>().is_some_and(|parts| {
        if parts.headers.contains_key(CALL_HEADER) {
            return true;
        }
        let accept = parts.headers.get(header::ACCEPT);
        (accept.and_then(|accept| accept.to_str().ok()))
            .is_some_and(|accept| accept.contains("application/json"))
    });
    if let (Some(response), false) = (use_context::<ResponseOptions>(), by_hydrated_code) {
        response.set_status(StatusCode::SEE_OTHER);
    }
    Ok(())
}
