//! Pushes messages and redirects in Leptos server functions.

use axum::http::{StatusCode, header, request::Parts};
use flash_messages::{Flash, FlashError, FlashMessage, is_local, wire::CALL_HEADER};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

/// Returns the [`Flash`] of the current request, in a server function or while the server renders a
/// component. axum handlers extract it instead.
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
/// [`FlashError::MissingLayer`]: the request did not come through a [`FlashLayer`](crate::FlashLayer).
pub fn flash() -> Result<Flash, FlashError> {
    use_context::<Parts>()
        .and_then(|parts| parts.extensions.get::<Flash>().cloned())
        .ok_or(FlashError::MissingLayer)
}

/// Pushes a message and redirects to `path`, in a server function. The README has an example.
///
/// # Errors
/// - [`FlashError::NotLocal`]: `path` leaves this site. Then nothing is pushed.
/// - [`FlashError::MissingLayer`]: the request did not come through a [`FlashLayer`](crate::FlashLayer).
/// - Those of [`Flash::push`].
pub async fn redirect_with(path: &str, message: FlashMessage) -> Result<(), FlashError> {
    if !is_local(path) {
        return Err(FlashError::NotLocal);
    }
    flash()?.push(message).await?;
    redirect(path)
}

/// Redirects to a page of this site, in a server function.
///
/// It answers a form post with 303, which says that the next request is a GET (RFC 9110, 15.4.4).
/// `leptos_axum::redirect` answers with 302, and with 200 if curl sends the post.
///
/// # Errors
/// [`FlashError::NotLocal`]: `path` leaves this site.
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
    if let Some(response) = use_context::<ResponseOptions>()
        && !by_hydrated_code
    {
        response.set_status(StatusCode::SEE_OTHER);
    }
    Ok(())
}
