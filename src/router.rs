//! The routes and the layers around them.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{FromRef, Request, State},
    http::{HeaderValue, StatusCode, Uri, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http_body_util::BodyExt;
use leptos::{config::LeptosOptions, prelude::*, server_fn::error::SERVER_FN_ERROR_HEADER};
use leptos_axum::{LeptosRoutes, file_and_error_handler_with_context, generate_route_list};
use leptos_flash::{FlashLayer, PostgresSessionStore};
use sqlx::PgPool;
use tower_http::{
    services::{ServeDir, ServeFile},
    set_header::SetResponseHeaderLayer,
};

use crate::{
    app::{App, shell},
    config::Config,
    error::AppError,
    pages::messages::server::hop,
    session::{cookie_layer, session_layer},
    trace::{LastRequests, note_session, trace},
};

/// What the handlers and pages share.
#[derive(Clone, FromRef)]
pub struct AppState {
    pub leptos: LeptosOptions,
    pub config: Config,
    pub pool: PgPool,
    pub session_store: PostgresSessionStore,
    pub last_requests: LastRequests,
}

/// The largest form, in bytes: a page's messages come back when one is dismissed.
const MAX_BODY: usize = 256 * 1024;

/// The whole app. The last layer is the outermost: a request passes the session, then the flash
/// messages, then the forms, then it reaches a page. Files and health need none of them.
pub fn router(
    config: &Config,
    pool: PgPool,
    session_store: PostgresSessionStore,
    flash: FlashLayer,
) -> Router {
    let state = AppState {
        leptos: config.leptos.clone(),
        config: config.clone(),
        pool,
        session_store: session_store.clone(),
        last_requests: LastRequests::keep(if config.is_production() { 0 } else { 200 }),
    };
    let options = state.leptos.clone();
    let context = {
        let state = state.clone();
        move || provide_context(state.clone())
    };
    let pages = Router::new()
        .route("/messages/hop/{hop}", get(hop))
        .leptos_routes_with_context(
            &state,
            generate_route_list(App),
            context.clone(),
            move || shell(options.clone()),
        )
        .fallback(file_and_error_handler_with_context::<AppState, _>(
            context, shell,
        ))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            explain_failed_forms,
        ))
        .layer(flash)
        .layer(middleware::from_fn(note_session))
        .layer(session_layer(config, session_store))
        .layer(cookie_layer(config));

    let site = config.leptos.site_root.to_string();
    let files = ServeDir::new(format!("{site}/pkg"))
        .precompressed_br()
        .precompressed_gzip();
    Router::new()
        .route("/healthz", get("ok"))
        .route("/readyz", get(readyz))
        .nest_service("/pkg", cached(files, config))
        .route_service(
            "/favicon.svg",
            ServeFile::new(format!("{site}/favicon.svg")),
        )
        .merge(pages)
        .layer(middleware::from_fn_with_state(state.clone(), trace))
        .with_state(state)
}

/// Names with a hash of the content never change.
fn cached<S: Clone>(
    files: S,
    config: &Config,
) -> tower_http::set_header::SetResponseHeader<S, HeaderValue> {
    use tower::Layer;
    let value = match config.leptos.hash_files {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static(value))
        .layer(files)
}

async fn readyz(State(pool): State<PgPool>) -> Result<&'static str, (StatusCode, &'static str)> {
    match sqlx::query("select 1").execute(&pool).await {
        Ok(_) => Ok("ok"),
        Err(_) => Err((
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer",
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

/// A form post without JavaScript that fails gets a page that says why, with the status it deserves.
/// Leptos would redirect to the form with the error in the address (server_fn 0.8, lib.rs:327).
async fn explain_failed_forms(
    State(options): State<LeptosOptions>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != "POST" {
        return next.run(request).await;
    }
    let uri = request.uri().clone();
    let (mut parts, body) = request.into_parts();
    let Some(form) = read_form(body).await else {
        let text = format!(
            "The form is too large: {} KiB are allowed.",
            MAX_BODY / 1024
        );
        return error_page(options, uri, AppError::Message { status: 413, text }).await;
    };
    let accept = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let by_hydrated_code = accept.is_some_and(|accept| accept.contains("application/json"));
    if !by_hydrated_code {
        let html = HeaderValue::from_static("text/html");
        parts.headers.insert(header::ACCEPT, html);
    }
    let response = next.run(Request::from_parts(parts, form.into())).await;
    if by_hydrated_code || !response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
        return response;
    }
    let body = to_bytes(response.into_body(), MAX_BODY)
        .await
        .unwrap_or_default();
    let error = serde_json::from_slice(&body).unwrap_or_else(|_| of_the_library(&body));
    error_page(options, uri, error).await
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

async fn error_page(options: LeptosOptions, uri: Uri, error: AppError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let render = leptos_axum::render_app_async_with_context(
        move || provide_context(error.clone()),
        move || shell(options.clone()),
    );
    let request = Request::get(uri).body(Body::empty()).unwrap_or_default();
    let mut response = render(request).await.into_response();
    *response.status_mut() = status;
    response
}
