//! The page, or the JSON, that tells a person why a request failed.

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos::{nonce::Nonce, prelude::*};

use crate::{app::shell, error::AppError, router::AppState};

/// Gives an answer that an `AppError` became its page, with the status and headers that it has.
pub async fn explain_refusals(
    State(state): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let asked = request.uri().clone();
    let nonce = request.extensions().get::<Nonce>().cloned();
    let by_hydrated_code = is_by_hydrated_code(request.headers());
    let response = next.run(request).await;
    let Some(error) = response.extensions().get::<AppError>().cloned() else {
        return response;
    };
    let explanation = match by_hydrated_code {
        true => Json(&error).into_response(),
        false => page(state, asked, nonce, error).await,
    };
    let (refusal, _) = response.into_parts();
    let (mut answer, body) = explanation.into_parts();
    answer.status = refusal.status;
    answer.extensions.extend(refusal.extensions);
    for (name, value) in &refusal.headers {
        if !matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH) {
            answer.headers.append(name, value.clone());
        }
    }
    Response::from_parts(answer, body)
}

/// Whether a server function is called by a script; a form's answer is a page.
pub fn is_by_hydrated_code(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("application/json"))
}

async fn page(state: AppState, asked: Uri, nonce: Option<Nonce>, error: AppError) -> Response {
    let context = move || {
        provide_context(error.clone());
        if let Some(nonce) = nonce.clone() {
            provide_context(nonce);
        }
    };
    let render = leptos_axum::render_app_async_with_context(context, move || {
        shell(state.config.leptos.clone())
    });
    let request = Request::get(asked).body(Body::empty()).unwrap_or_default();
    render(request).await.into_response()
}

impl IntoResponse for AppError {
    /// The status alone; [`explain_refusals`] adds the words.
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
