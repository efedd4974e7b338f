//! The document around every page, the flash messages, and the routes.

use leptos::prelude::*;
use leptos_flash::FlashGroup;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::{
    SsrMode,
    components::{Route, Router, Routes},
    path,
};

use crate::{
    error::AppError,
    hydration::{Hydration, has_islands},
    pages::{ErrorPage, HomePage, MessagesPage, NotFoundPage, RacePage, SessionPage, SiteHeader},
    state::AppState,
    web::{files::SiteFiles, look::Look},
};

pub fn shell(state: AppState) -> impl IntoView {
    let options = state.config.leptos.clone();
    let SiteFiles { css, js, wasm } = state.site_files.clone();
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <AutoReload options />
                <link id="leptos" rel="stylesheet" href=css />
                <Hydration js wasm />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let failed = use_context::<AppError>();
    let Look { position, counts } = Look::current();

    view! {
        <Title formatter=|title: String| format!("{title} · race-bib") />
        <a class="skip" href="#main">"Skip to content"</a>
        <SiteHeader />
        {has_islands().then(|| view! { <FlashGroup position count_duplicates=counts /> })}
        <main id="main">
            {match failed {
                Some(error) => view! { <ErrorPage error /> }.into_any(),
                None => view! { <Pages /> }.into_any(),
            }}
        </main>
        <footer class="footer">
            <p>"race-bib runs on leptos-flash: every message once, none lost."</p>
        </footer>
    }
}

#[component]
fn Pages() -> impl IntoView {
    view! {
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=path!("") view=HomePage />
                <Route path=path!("race") view=RacePage ssr=SsrMode::Async />
                <Route path=path!("messages") view=MessagesPage />
                <Route path=path!("session") view=SessionPage ssr=SsrMode::Async />
            </Routes>
        </Router>
    }
}
