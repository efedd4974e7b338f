//! Pages that are the same for everybody are rendered once.

use std::sync::{Arc, OnceLock};

use axum::{
    body::{Body, to_bytes},
    extract::{Extension, Request, State},
    http::{Method, StatusCode, header, response},
    middleware::Next,
    response::{IntoResponse, Response},
};
use leptos::nonce::Nonce;
use leptos_flash::Flash;

use crate::{protection::are_too_large, router::AppState, trace::Route};

/// Their paths. What such a page shows depends on nothing but its path and the waiting messages.
const PATHS: [&str; 2] = ["/", "/messages"];

/// The largest page, in bytes.
const MAX_PAGE: usize = 1024 * 1024;

#[derive(Clone, Default)]
pub struct PageCache(Arc<[OnceLock<Page>; PATHS.len()]>);

/// A rendered page, cut where the nonce of its request goes.
struct Page {
    head: response::Parts,
    cuts: Vec<String>,
}

/// Answers those who come without a cookie: no message can wait for them. It goes around the routes.
pub async fn answer_strangers(
    State(state): State<AppState>,
    Extension(nonce): Extension<Nonce>,
    request: Request,
    next: Next,
) -> Response {
    let page = state.page_cache.place_of(&request).and_then(OnceLock::get);
    let headers = request.headers();
    match page.filter(|_| !headers.contains_key(header::COOKIE) && !are_too_large(headers)) {
        Some(page) => page.with(&nonce),
        None => next.run(request).await,
    }
}

/// Answers with the page as it was rendered first, when no message waits for it. It goes inside the
/// flash layer.
pub async fn render_once(
    State(state): State<AppState>,
    Extension(nonce): Extension<Nonce>,
    flash: Flash,
    request: Request,
    next: Next,
) -> Response {
    let (Some(place), true) = (state.page_cache.place_of(&request), flash.peek().is_empty()) else {
        return next.run(request).await;
    };
    if let Some(page) = place.get() {
        return page.with(&nonce);
    }
    let route = Route::of(&request);
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(body) = to_bytes(body, MAX_PAGE).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let html = String::from_utf8_lossy(&body);
    let cuts = html.split(&*nonce).map(str::to_owned).collect();
    head.extensions.insert(route);
    let page = place.get_or_init(|| Page { head, cuts });
    page.with(&nonce)
}

impl PageCache {
    fn place_of(&self, request: &Request) -> Option<&OnceLock<Page>> {
        let asked = request.uri().path_and_query()?.as_str();
        let place = PATHS.iter().position(|path| *path == asked)?;
        (request.method() == Method::GET).then_some(&self.0[place])
    }
}

impl Page {
    fn with(&self, nonce: &str) -> Response {
        Response::from_parts(self.head.clone(), Body::from(self.cuts.join(nonce)))
    }
}
