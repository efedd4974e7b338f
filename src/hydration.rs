//! Brings the islands of a page to life, with no inline script.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::LazyLock,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::header,
    response::Response,
    routing::get,
};
use http_body_util::BodyExt;
use leptos::prelude::*;
use leptos_flash::page_messages;

use crate::pages::page_path;

/// The script that starts the app, and its path. A hash of the text is in the path: it never changes.
///
/// As leptos's `HydrationScripts`, for islands that have no islands within: an eighth of the script,
/// and a preload that Firefox uses too (leptos#4843).
///
/// Translation, phones and extensions change pages before they hydrate. An island that hydration
/// doesn't recognise traps; a copy of what the server sent takes its place, which works as without
/// JavaScript. The other islands come to life all the same.
static SCRIPT: LazyLock<(String, &str)> = LazyLock::new(|| {
    let text = include_str!("hydration.js");
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    (format!("/start.{:016x}.js", hasher.finish()), text)
});

/// Serves the script.
pub fn script<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let (path, text) = &*SCRIPT;
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    Router::new().route(path, get((kind, *text)))
}

/// Returns whether anything on the page comes to life: messages, or what may bring one without a page
/// load. A page without needs no script.
pub fn has_islands() -> bool {
    !page_messages().is_empty() || page_path().as_deref() == Some("/messages")
}

/// Brings the islands to life, where there are any, when the browser has nothing better to do.
#[component]
pub fn Hydration(js: String, wasm: String) -> impl IntoView {
    if let Some(context) = Owner::current_shared_context() {
        // Of islands alone, as leptos does it.
        context.set_is_hydrating(false);
    }
    has_islands().then(|| {
        view! {
            <link rel="modulepreload" href=js />
            <link
                rel="preload"
                href=wasm
                r#as="fetch"
                r#type="application/wasm"
                crossorigin="anonymous"
            />
            <script type="module" src=SCRIPT.0.as_str()></script>
        }
    })
}

/// Ends a page where its HTML ends. Leptos appends inline scripts with the results of Resources; this
/// app has none (leptos_integration_utils 0.8, `build_response`).
pub fn without_resources(response: Response) -> Response {
    const END: &[u8] = b"</html>";
    let cut = |mut data: Bytes| {
        let end = data.windows(END.len()).rposition(|bytes| bytes == END);
        data.truncate(end.map_or(data.len(), |end| end + END.len()));
        data
    };
    response.map(|body| Body::new(body.map_frame(move |frame| frame.map_data(cut))))
}
