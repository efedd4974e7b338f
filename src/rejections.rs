//! Rejects what must not get in, and tells a person why a request was rejected or failed: by a page, or
//! by JSON.

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos::{prelude::*, server_fn::error::SERVER_FN_ERROR_HEADER};

use crate::{
    app::shell,
    error::AppError,
    hydration::without_resources,
    pages::forms::form_at,
    state::AppState,
    web::{
        forms::{FormState, MAX_BODY, SentForm},
        limits::{PostLimit, are_too_large},
        origin::{is_safe, is_same_origin},
    },
};

/// Answers a request within the time limit. A rejection or failure keeps its status and headers, and gets
/// one of these bodies:
/// - the page that the form is on, with what was typed;
/// - a page with a sentence, if there is no such form;
/// - JSON, for a script.
///
/// The form is read here, so that it is at hand whichever layer rejects it.
pub async fn explain_rejections(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let asked = request.uri().clone();
    let by_hydrated_code = is_by_hydrated_code(request.headers());
    let target = form_at(asked.path()).filter(|target| target.has_fields() && is_form(&request));
    let mut form = SentForm::default();
    let answering = answer(&state.post_limit, &mut form, request, next);
    let response = tokio::time::timeout(state.config.request_timeout, answering)
        .await
        .unwrap_or_else(|_| AppError::TooSlow.into_response());
    let Some(error) = error_of(&response, &asked) else {
        return response;
    };
    let explanation = if by_hydrated_code {
        Json(&error).into_response()
    } else if let Some(target) = target {
        let form = FormState::rejected(target, form.typed(target), error);
        let context = move || provide_context(form.clone());
        page(state, target.page, context).await
    } else {
        let context = move || provide_context(error.clone());
        page(state, asked.path(), context).await
    };
    let (rejection, _) = response.into_parts();
    let (mut answer, body) = explanation.into_parts();
    answer.status = rejection.status;
    answer.extensions.extend(rejection.extensions);
    for (name, value) in &rejection.headers {
        if !matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH) {
            answer.headers.append(name, value.clone());
        }
    }
    Response::from_parts(answer, body)
}

async fn answer(limit: &PostLimit, form: &mut SentForm, request: Request, next: Next) -> Response {
    // First, so that a form that is too large counts.
    let rejection = rejection_of(&request, limit);
    if request.method() != Method::POST {
        return match rejection {
            Some(rejection) => rejection,
            None => next.run(request).await,
        };
    }
    let (parts, body) = request.into_parts();
    let read = form.read(body).await;
    match (rejection, read) {
        (Some(rejection), _) => rejection,
        (None, Err(error)) => error.into_response(),
        (None, Ok(())) => next.run(Request::from_parts(parts, form.body())).await,
    }
}

/// Returns the rejection of a request that must not get in:
/// - its headers are larger than a browser's;
/// - it changes something, and comes from another site;
/// - it changes something, and its client address has sent too many.
fn rejection_of(request: &Request, limit: &PostLimit) -> Option<Response> {
    if are_too_large(request.headers()) {
        return Some(AppError::Headers.into_response());
    }
    if is_safe(request.method()) {
        return None;
    }
    if !is_same_origin(request.headers()) {
        return Some(AppError::CrossSite.into_response());
    }
    let seconds = limit.check(request).err()?;
    let wait = [(header::RETRY_AFTER, seconds.to_string())];
    Some((wait, AppError::TooManyPosts).into_response())
}

/// Returns why a request was rejected or failed. If a router or a layer answered with a bare status, its
/// words come from here.
fn error_of(response: &Response, asked: &Uri) -> Option<AppError> {
    if let Some(error) = response.extensions().get::<AppError>() {
        return Some(error.clone());
    }
    let (status, headers) = (response.status(), response.headers());
    let is_failure = status.is_client_error() || status.is_server_error();
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_bare = kind.is_none_or(|kind| kind.starts_with(b"text/plain"))
        && !headers.contains_key(SERVER_FN_ERROR_HEADER);
    (is_failure && is_bare).then(|| error_of_status(status, asked.path()))
}

fn error_of_status(status: StatusCode, path: &str) -> AppError {
    let text = match status {
        StatusCode::NOT_FOUND => return AppError::NotFound,
        StatusCode::METHOD_NOT_ALLOWED if path.starts_with("/api/") => {
            "Forms are sent to this address. It can't be opened as a page."
        }
        StatusCode::METHOD_NOT_ALLOWED => "This address is a page. Forms can't be sent to it.",
        StatusCode::BAD_REQUEST => "The address can't be read. Please check how it is spelt.",
        // A session that could not be saved.
        StatusCode::SERVICE_UNAVAILABLE => return AppError::Unavailable,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "This kind of form can't be read.",
        status if status.is_client_error() => "This request can't be answered.",
        _ => return AppError::Internal,
    };
    AppError::Message {
        status: status.as_u16(),
        text: text.to_owned(),
    }
}

/// Returns whether a script calls a server function. The response to a form is a page.
fn is_by_hydrated_code(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

fn is_form(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_form = kind.is_some_and(|kind| {
        let form = b"application/x-www-form-urlencoded";
        kind.as_bytes()
            .get(..form.len())
            .is_some_and(|kind| kind.eq_ignore_ascii_case(form))
    });
    request.method() == Method::POST && is_form
}

async fn page(
    state: AppState,
    path: &str,
    context: impl Fn() + Clone + Send + Sync + 'static,
) -> Response {
    let shell = move || shell(state.clone());
    let render = leptos_axum::render_app_async_with_context(context, shell);
    let request = Request::get(path).body(Body::empty()).unwrap_or_default();
    without_resources(render(request).await)
}

/// Makes the error of a server function a rejection with its own status, if a form was sent to it.
/// Leptos would redirect to the form with the error in the address (server_fn 0.8, `ServerFn::run_on_server`).
pub async fn reject_failed_forms(mut request: Request, next: Next) -> Response {
    if request.method() != Method::POST || is_by_hydrated_code(request.headers()) {
        return next.run(request).await;
    }
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    if let Some(page) = page_of_rejected_form(headers) {
        headers.insert(header::REFERER, HeaderValue::from_static(page));
    }
    let response = next.run(request).await;
    if !response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
        return response;
    }
    let (head, body) = response.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let error: AppError = serde_json::from_slice(&body).unwrap_or_else(|_| of_the_library(&body));
    let mut rejection = error.into_response();
    // The handle of the flash messages, for tests.
    rejection.extensions_mut().extend(head.extensions);
    rejection
}

/// Returns the page that a rejected form is on: its browser shows the address that it was sent to. Some
/// forms go back to where they came from.
fn page_of_rejected_form(headers: &HeaderMap) -> Option<&'static str> {
    let referer: Uri = headers.get(header::REFERER)?.to_str().ok()?.parse().ok()?;
    Some(form_at(referer.path())?.page)
}

/// leptos-flash's own server function writes its errors as `kind|text` (server_fn 0.8, error.rs).
fn of_the_library(body: &[u8]) -> AppError {
    match body.split(|byte| *byte == b'|').next() {
        Some(b"Args" | b"MissingArg" | b"Deserialization") => {
            AppError::Form("a field is missing or of the wrong kind".to_owned())
        }
        _ => AppError::Internal,
    }
}
