//! The routes and the layers around them.

use std::{ops::Deref, sync::Arc};

use axum::{
    Router,
    extract::{FromRef, RawQuery, State},
    http::{HeaderValue, StatusCode, Uri, header, request::Parts},
    middleware::{from_fn, from_fn_with_state, map_response},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use leptos::{config::LeptosOptions, nonce::Nonce, prelude::*};
use leptos_axum::{
    AxumRouteListing, LeptosRoutes, file_and_error_handler_with_context, generate_route_list,
};
use leptos_flash::{FlashLayer, PostgresSessionStore};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    services::{ServeDir, ServeFile},
};

use crate::{
    app::{App, shell},
    application::Readiness,
    config::Config,
    error::AppError,
    page_cache::{PageCache, answer_strangers, render_once},
    pages::messages::server::hop,
    protection::{BrowserRules, PostLimit, tell_browser},
    refusals::{explain_refusals, refuse_failed_forms},
    session::explain_lost_session,
    trace::{LastRequests, note_route, note_session, trace},
};

/// What the handlers and pages share. One pointer: the layers copy it for every request.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

pub struct Shared {
    pub config: Config,
    pub session_store: PostgresSessionStore,
    pub last_requests: LastRequests,
    pub page_cache: PageCache,
    readiness: Readiness,
}

impl AppState {
    pub fn new(config: Config, session_store: PostgresSessionStore, readiness: Readiness) -> Self {
        Self(Arc::new(Shared {
            last_requests: LastRequests::keep(if config.is_production() { 0 } else { 200 }),
            config,
            session_store,
            page_cache: PageCache::default(),
            readiness,
        }))
    }
}

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.config.leptos.clone()
    }
}

/// The pages and the files. The last layer is the outermost: a request for a page passes the flash
/// messages with their session, then the pages that are rendered once, then the forms. Files need none
/// of them.
pub fn routes(state: &AppState, flash: FlashLayer) -> Router<AppState> {
    let config = &state.config;
    let shell_of = {
        let state = state.clone();
        move || shell(state.config.leptos.clone())
    };
    let context = {
        let state = state.clone();
        move || {
            provide_context(state.clone());
            provide_nonce_of_request();
        }
    };
    let context_of_no_page = {
        let context = context.clone();
        move || {
            context();
            // Leptos would render a page for an address such as `/race//`, with 404.
            provide_context(AppError::NotFound);
        }
    };
    let list = generate_route_list(App);
    let addresses_with_slash = without_trailing_slash(&list);
    let pages = Router::new()
        .route("/messages/hop/{hop}", get(hop))
        .leptos_routes_with_context(state, list, context, shell_of)
        .fallback(file_and_error_handler_with_context::<AppState, _>(
            context_of_no_page,
            shell,
        ))
        // One stack: a router copies all inner layers at each `layer` of its own, for every request.
        .layer(
            ServiceBuilder::new()
                .layer(from_fn(explain_lost_session))
                .layer(flash)
                .layer(from_fn(note_session))
                .layer(from_fn_with_state(state.clone(), render_once))
                .layer(from_fn(refuse_failed_forms)),
        );

    let site = config.leptos.site_root.to_string();
    let files = ServeDir::new(format!("{site}/pkg"))
        .precompressed_br()
        .precompressed_gzip();
    let favicon = ServeFile::new(format!("{site}/favicon.svg"))
        .precompressed_br()
        .precompressed_gzip();
    let for_files = match config.leptos.hash_files {
        // A name with a hash of the content never changes.
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let files = Router::new().nest_service("/pkg", files);
    let favicon = Router::new().route_service("/favicon.svg", favicon);
    assets(files, for_files)
        .merge(assets(favicon, "public, max-age=86400"))
        .merge(addresses_with_slash)
        .merge(pages)
}

/// Redirects `/race/` to `/race`, and so for each page.
fn without_trailing_slash(pages: &[AxumRouteListing]) -> Router<AppState> {
    let paths = pages.iter().map(AxumRouteListing::path);
    paths
        .filter(|path| *path != "/")
        .fold(Router::new(), |router, path| {
            let page = path.to_owned();
            let redirect = move |RawQuery(query): RawQuery| {
                let query = query.map(|query| format!("?{query}")).unwrap_or_default();
                std::future::ready(Redirect::permanent(&format!("{page}{query}")))
            };
            router.route(&format!("{path}/"), get(redirect))
        })
}

/// What tells orchestrators how the program is; its failures are for them, not for people.
fn health() -> Router<AppState> {
    Router::new()
        .route("/healthz", get("ok"))
        .route("/readyz", get(readyz))
        .layer(from_fn(note_route))
}

/// What goes around all routes: it may refuse a request, and it explains each refusal and failure. The
/// health is added here.
pub fn protected(routes: Router<AppState>, state: AppState, post_limit: PostLimit) -> Router {
    let config = &state.config;
    let around_routes = ServiceBuilder::new()
        .layer(from_fn_with_state(state.clone(), trace))
        .layer(from_fn_with_state(BrowserRules::new(config), tell_browser))
        .layer(from_fn_with_state(state.clone(), answer_strangers));
    let of_each_route = ServiceBuilder::new()
        .layer(from_fn(note_route))
        .layer(from_fn_with_state(
            (state.clone(), post_limit),
            explain_refusals,
        ))
        .layer(CatchPanicLayer::custom(|_| {
            AppError::Internal.into_response()
        }));
    // A router copies the layers of a route for every request; those around it copy a pointer.
    let routes = routes
        .layer(of_each_route)
        .merge(health())
        .with_state(state);
    Router::new().fallback_service(around_routes.service(routes))
}

/// The nonce that `tell_browser` allows in place of Leptos's own.
fn provide_nonce_of_request() {
    let parts = use_context::<Parts>();
    if let Some(nonce) = parts.and_then(|parts| parts.extensions.get::<Nonce>().cloned()) {
        provide_context(nonce);
    }
}

/// Files, and how long they may be kept; which bytes they are depends on the encodings that a browser
/// takes. An error is never kept: the file may be there in a moment, on another instance already.
fn assets(files: Router<AppState>, lifetime: &'static str) -> Router<AppState> {
    files.layer(map_response(move |mut response: Response| {
        let lifetime = match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED => lifetime,
            _ => "no-store",
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lifetime));
        let encodings = HeaderValue::from_static("accept-encoding");
        headers.insert(header::VARY, encodings);
        std::future::ready(response)
    }))
}

async fn readyz(State(state): State<AppState>) -> Result<&'static str, (StatusCode, &'static str)> {
    let ready = state.readiness.is_ready() && state.session_store.is_writable().await;
    match ready {
        true => Ok("ok"),
        false => Err((
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer, or can't be written",
        )),
    }
}

/// Redirects to the page that a form was on, with a `fragment` such as `#part`.
pub fn redirect_back(fragment: &str) {
    let page = use_context::<Parts>().and_then(|parts| {
        let referer: Uri = parts
            .headers
            .get(header::REFERER)?
            .to_str()
            .ok()?
            .parse()
            .ok()?;
        referer.path_and_query().map(ToString::to_string)
    });
    let back = format!("{}{fragment}", page.as_deref().unwrap_or("/"));
    if leptos_flash::redirect(&back).is_err() {
        leptos_axum::redirect("/");
    }
}
