//! Forms that are posted without JavaScript: read within limits, and explained when they fail.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use leptos::server_fn::error::SERVER_FN_ERROR_HEADER;

use crate::{error::AppError, refusals::is_by_hydrated_code};

/// The largest form, in bytes: a page's messages come back when one is dismissed.
const MAX_BODY: usize = 256 * 1024;

/// A form post without JavaScript that fails gets a page that says why, with the status it deserves.
/// Leptos would redirect to the form with the error in the address (server_fn 0.8, lib.rs:327).
pub async fn explain_failed_forms(request: Request, next: Next) -> Response {
    if request.method() != "POST" {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Some(form) = read_form(body).await else {
        return AppError::TooLarge {
            kib: MAX_BODY / 1024,
        }
        .into_response();
    };
    let by_hydrated_code = is_by_hydrated_code(&parts.headers);
    if !by_hydrated_code {
        let html = HeaderValue::from_static("text/html");
        parts.headers.insert(header::ACCEPT, html);
    }
    let response = next.run(Request::from_parts(parts, form.into())).await;
    if by_hydrated_code || !response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
        return response;
    }
    let (head, body) = response.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let error: AppError = serde_json::from_slice(&body).unwrap_or_else(|_| of_the_library(&body));
    let mut refusal = error.into_response();
    // The handle of the flash messages, for tests.
    refusal.extensions_mut().extend(head.extensions);
    refusal
}

/// None when it is too large. Most of such a form is read all the same: a browser that is still
/// sending when the connection closes shows an error of its own instead of our answer.
async fn read_form(mut body: Body) -> Option<Vec<u8>> {
    let (mut form, mut bytes) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let data = frame.ok()?.into_data().unwrap_or_default();
        bytes += data.len();
        if bytes <= MAX_BODY {
            form.extend_from_slice(&data);
        } else if bytes > 64 * MAX_BODY {
            return None;
        }
    }
    (bytes <= MAX_BODY).then_some(form)
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
