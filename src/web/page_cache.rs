//! Keeps the pages that are the same for everybody, so that each is rendered once.

use std::sync::{Arc, OnceLock};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header::COOKIE, response},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos_flash::Flash;

use super::{limits::are_too_large, look::has_settings};

/// The paths of these pages. Such a page depends on its path, the waiting messages and the settings alone.
const PATHS: [&str; 2] = ["/", "/messages"];

/// The largest page, in bytes.
const MAX_PAGE: usize = 1024 * 1024;

#[derive(Clone, Default)]
pub struct PageCache(Arc<[OnceLock<Page>; PATHS.len()]>);

#[derive(Clone)]
struct Page {
    head: response::Parts,
    body: Bytes,
}

impl PageCache {
    /// Returns where the page of this request is kept, if it is one of these pages.
    fn slot(&self, request: &Request) -> Option<&OnceLock<Page>> {
        let path = request.uri().path_and_query()?.as_str();
        let position = PATHS.iter().position(|cached| *cached == path)?;
        (request.method() == Method::GET).then_some(&self.0[position])
    }
}

/// Answers a request without a cookie from the cache: no message can wait for it. The routes and the
/// session cost half as much again.
pub async fn answer_strangers(
    State(cache): State<PageCache>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let page = cache.slot(&request).and_then(OnceLock::get);
    match page.filter(|_| !headers.contains_key(COOKIE) && !are_too_large(headers)) {
        Some(page) => page.clone().into_response(),
        None => next.run(request).await,
    }
}

/// Answers with the page as it was rendered first, if no message waits for it and the visitor has no
/// settings of their own.
pub async fn render_once(
    State(cache): State<PageCache>,
    flash: Flash,
    request: Request,
    next: Next,
) -> Response {
    let is_for_all = flash.peek().is_empty() && !has_settings(request.headers());
    let slot = cache.slot(&request).filter(|_| is_for_all);
    let Some(slot) = slot else {
        return next.run(request).await;
    };
    if let Some(page) = slot.get() {
        return page.clone().into_response();
    }
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let (head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, MAX_PAGE).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    slot.get_or_init(|| Page { head, body })
        .clone()
        .into_response()
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        Response::from_parts(self.head, Body::from(self.body))
    }
}
