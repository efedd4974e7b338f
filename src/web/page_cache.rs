//! Pages that are the same for everybody are rendered once.

use std::sync::{Arc, OnceLock};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header::COOKIE, response},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos_flash::Flash;

use super::limits::are_too_large;

/// Their paths. What such a page shows depends on nothing but its path and the waiting messages.
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
    fn position(request: &Request) -> Option<usize> {
        let path = request.uri().path_and_query()?.as_str();
        let position = PATHS.iter().position(|cached| *cached == path)?;
        (request.method() == Method::GET).then_some(position)
    }
}

/// Answers requests without a cookie from the cache: no message can wait for them.
pub async fn answer_strangers(
    State(PageCache(pages)): State<PageCache>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let page = PageCache::position(&request).and_then(|position| pages[position].get());
    match page.filter(|_| !headers.contains_key(COOKIE) && !are_too_large(headers)) {
        Some(page) => page.clone().into_response(),
        None => next.run(request).await,
    }
}

/// Answers with the page as it was rendered first, when no message waits for it.
pub async fn render_once(
    State(PageCache(pages)): State<PageCache>,
    flash: Flash,
    request: Request,
    next: Next,
) -> Response {
    let position = PageCache::position(&request).filter(|_| flash.peek().is_empty());
    let Some(place) = position.map(|position| &pages[position]) else {
        return next.run(request).await;
    };
    if let Some(page) = place.get() {
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
    place
        .get_or_init(|| Page { head, body })
        .clone()
        .into_response()
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        Response::from_parts(self.head, Body::from(self.body))
    }
}
