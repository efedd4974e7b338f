//! Server functions: push messages, redirect, and read what their forms send.

use axum::http::{HeaderValue, StatusCode, Uri, header, request::Parts};
use flash_messages::{
    Flash, FlashError, FlashMessage,
    cookie::{Cookie, SameSite, time::Duration},
    cookies, is_local,
    wire::CALL_HEADER,
};
use leptos::prelude::{ServerFnError, use_context};
use leptos_axum::ResponseOptions;

use crate::reading_time::{READING_TIME, ReadingTime};

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

/// Redirects to the page that a form was on, with a `fragment` such as `#part`.
pub(crate) fn redirect_back(fragment: &str) {
    let page = use_context::<Parts>().and_then(|parts| {
        let referer = parts.headers.get(header::REFERER)?;
        let referer: Uri = referer.to_str().ok()?.parse().ok()?;
        referer.path_and_query().map(ToString::to_string)
    });
    let back = format!("{}{fragment}", page.as_deref().unwrap_or("/"));
    if redirect(&back).is_err() {
        _ = redirect("/");
    }
}

/// Returns the error for a form that can't be read, and gives the response its status.
pub(crate) fn bad_request(reason: &str) -> ServerFnError {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(StatusCode::BAD_REQUEST);
    }
    ServerFnError::Args(reason.to_owned())
}

/// Returns the reader's [`ReadingTime`] from the cookie of the request. `None` means the usual time.
pub fn reading_time() -> Option<ReadingTime> {
    let parts = use_context::<Parts>()?;
    let ours = cookies(&parts.headers).find(|cookie| cookie.name() == READING_TIME)?;
    ours.value().parse().ok()
}

/// Sets the cookie of a person's [`ReadingTime`], or removes it.
pub(crate) fn set_reading_time(time: Option<ReadingTime>) {
    let cookie = Cookie::build((READING_TIME, time.map_or("", ReadingTime::as_str))).path("/");
    let age = time.map_or(Duration::ZERO, |_| Duration::days(365));
    let cookie = cookie.http_only(true).same_site(SameSite::Lax);
    set_cookie(&cookie.max_age(age).build());
}

/// Sets a cookie with the response, in a server function or while the server renders a component. The
/// session's cookie is not set so: the layer does it.
pub fn set_cookie(cookie: &Cookie<'_>) {
    if let (Some(response), Ok(cookie)) = (
        use_context::<ResponseOptions>(),
        HeaderValue::try_from(cookie.to_string()),
    ) {
        response.append_header(header::SET_COOKIE, cookie);
    }
}
