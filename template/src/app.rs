//! The document, the routes, and the layers around them.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, map_response},
    routing::Route,
};
use axum_login::AuthManager;
use leptos::prelude::*;
use leptos_axum::{LeptosRoutes, file_and_error_handler, generate_route_list};
use leptos_flash::{FlashGroup, FlashLayer};
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route as Page, Router as Pages, Routes},
    path,
};
use tower::layer::layer_fn;

use crate::{
    account::{RegisterPage, SignInPage},
    failure::FailedForm,
    notes::NotesPage,
    store::Store,
    web::{finish, reject_cross_site},
};

/// In bytes.
const MAX_FORM: usize = 64 * 1024;

pub fn router(options: LeptosOptions, flash: FlashLayer, store: Store) -> Router {
    let page = {
        let options = options.clone();
        move || shell(options.clone())
    };
    Router::new()
        .leptos_routes(&options, generate_route_list(App), page)
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .layer(layer_fn(move |inner: Route| {
            AuthManager::new(inner, store.clone(), "axum-login")
        }))
        .layer(from_fn(reject_cross_site))
        .layer(map_response(finish))
        // Files need no login.
        .merge(leptos_flash::assets())
        .fallback(file_and_error_handler::<LeptosOptions, _>(shell))
        // The last layer is around all others.
        .layer(flash)
        .with_state(options)
}

fn shell(options: LeptosOptions) -> impl IntoView {
    let css = format!("/pkg/{}.css", options.output_name);
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link id="leptos" rel="stylesheet" href=css />
                <AutoReload options=options.clone() />
                <HydrationScripts options islands=true />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

#[component]
fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|page: String| format!("{page} · {{project-name}}") />
        <header class="header">
            <a href="/">"{{project-name}}"</a>
        </header>
        // Above the pages, outside of <Suspense>: it takes the messages before the page is sent.
        <FlashGroup />
        <main>
            <FailedForm />
            // Async: the page may still set its status, and change the session.
            <Pages>
                <Routes fallback=|| "There is no such page.">
                    <Page path=path!("") view=NotesPage ssr=SsrMode::Async />
                    <Page path=path!("sign-in") view=SignInPage ssr=SsrMode::Async />
                    <Page path=path!("register") view=RegisterPage ssr=SsrMode::Async />
                </Routes>
            </Pages>
        </main>
    }
}
