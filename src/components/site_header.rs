use leptos::prelude::*;

/// The name of the site and the way to its pages.
#[component]
pub fn SiteHeader() -> impl IntoView {
    view! {
        <header class="site-header">
            <a class="brand" href="/">
                <span class="brand-bib" aria-hidden="true">"26"</span>
                "race-bib"
            </a>
            <nav aria-label="Pages">
                <a href="/">"Start"</a>
                <a href="/race">"Race"</a>
                <a href="/messages">"Messages"</a>
                <a href="/session">"Session"</a>
            </nav>
        </header>
    }
}
