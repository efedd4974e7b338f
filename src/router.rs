//! The routes and the layers around them.

use axum::{
    Router,
    extract::{RawQuery, State},
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state, map_response, map_response_with_state},
    response::{IntoResponse, Redirect},
    routing::get,
};
use leptos::prelude::*;
use leptos_axum::{
    AxumRouteListing, LeptosRoutes, file_and_error_handler_with_context, generate_route_list,
};
use leptos_flash::FlashLayer;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    app::{App, shell},
    error::AppError,
    hydration::{self, without_resources},
    observe::{log_request, note_session},
    pages::messages::hop,
    rejections::{explain_rejections, reject_failed_forms},
    state::AppState,
    web::{
        files::{FOR_EVER, site_files, with_lifetime},
        page_cache::{PageCache, answer_strangers, render_once},
        security_headers::{SecurityHeaders, add_security_headers},
    },
};

/// All routes, and `more`. A request passes the layers from the outside in:
///
/// | | layer | around | what it does |
/// |---|---|---|---|
/// | 1 | [`log_request`] | all | gives the request a span and an id, logs the response |
/// | 2 | [`add_security_headers`] | all | tells browsers what to refuse |
/// | 3 | [`answer_strangers`] | all | answers requests without a cookie from the cache of 9 |
/// | 4 | [`explain_rejections`] | all but health | rejects, limits the time, gives each failure its page |
/// | 5 | [`CatchPanicLayer`] | all but health | makes a panic a failure |
/// | 6 | [`with_lifetime`] | files | says how long browsers may keep them |
/// | 7 | [`FlashLayer`] | pages, server functions | lends the session, takes the messages |
/// | 8 | [`note_session`] | pages, server functions | tells 1 the session |
/// | 9 | [`render_once`] | pages, server functions | keeps pages that are the same for everybody |
/// | 10 | [`reject_failed_forms`] | pages, server functions | gives 4 the errors of server functions |
/// | 11 | [`without_resources`] | pages, server functions | drops inline scripts of Leptos |
pub fn router(state: AppState, flash: FlashLayer, more: Router<AppState>) -> Router {
    let config = &state.config;
    let (log, headers) = (state.request_log.clone(), SecurityHeaders::new(config));
    let cache = PageCache::default();
    let list = generate_route_list(App);
    // One stack for each group: a router copies what is in a `layer` for every request.
    let all = ServiceBuilder::new()
        // 1
        .layer(from_fn_with_state(log, log_request))
        // 2
        .layer(map_response_with_state(headers, add_security_headers))
        // 3
        .layer(from_fn_with_state(cache.clone(), answer_strangers));
    let all_but_health = ServiceBuilder::new()
        // 4
        .layer(from_fn_with_state(state.clone(), explain_rejections))
        // 5
        .layer(CatchPanicLayer::custom(|_| {
            AppError::Internal.into_response()
        }));
    let pages_alone = ServiceBuilder::new()
        // 7
        .layer(flash)
        // 8
        .layer(from_fn(note_session))
        // 9
        .layer(from_fn_with_state(cache, render_once))
        // 10
        .layer(from_fn(reject_failed_forms))
        // 11
        .layer(map_response(async |page| without_resources(page)));
    // 6
    let files = site_files(&config.leptos)
        .merge(with_lifetime(hydration::script(), FOR_EVER))
        .merge(leptos_flash::assets());
    files
        .merge(without_trailing_slash(&list))
        .merge(pages(&state, list).layer(pages_alone))
        .merge(more)
        .layer(all_but_health)
        .merge(health())
        .layer(all)
        .with_state(state)
}

/// The pages, the server functions, and the page for all other addresses.
fn pages(state: &AppState, list: Vec<AxumRouteListing>) -> Router<AppState> {
    let context = {
        let state = state.clone();
        move || provide_context(state.clone())
    };
    let context_of_no_page = {
        let context = context.clone();
        move || {
            context();
            // Leptos would render a page for an address such as `/race//`, with 404.
            provide_context(AppError::NotFound);
        }
    };
    let page = {
        let state = state.clone();
        move || shell(state.clone())
    };
    let no_page = {
        let page = page.clone();
        move |_| page()
    };
    let no_page = file_and_error_handler_with_context::<AppState, _>(context_of_no_page, no_page);
    Router::new()
        .route("/messages/hop/{hop}", get(hop))
        .leptos_routes_with_context(state, list, context, page)
        .fallback(no_page)
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
}

async fn readyz(State(state): State<AppState>) -> Result<&'static str, (StatusCode, &'static str)> {
    if state.is_ready().await {
        Ok("ok")
    } else {
        Err((
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer, or can't be written",
        ))
    }
}
