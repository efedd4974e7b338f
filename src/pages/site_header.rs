use leptos::prelude::*;
use leptos_router::location::RequestUrl;

/// The name of the site and the way to its pages.
#[component]
pub fn SiteHeader() -> impl IntoView {
    let here = page_path();
    let pages = [
        ("/", "Home"),
        ("/race", "Race"),
        ("/messages", "Messages"),
        ("/session", "Session"),
    ];
    let link = |(path, name): (&'static str, &'static str)| {
        let is_here = here.as_deref() == Some(path);
        view! { <a href=path aria-current=is_here.then_some("page")>{name}</a> }
    };
    view! {
        <header class="site-header">
            <a class="brand" href="/">
                <span class="brand-bib" aria-hidden="true">"26"</span>
                "race-bib"
            </a>
            <nav aria-label="Pages">{pages.map(link)}</nav>
        </header>
    }
}

/// The path of the page that is rendered.
pub fn page_path() -> Option<String> {
    let url = use_context::<RequestUrl>()?;
    Some(url.parse().ok()?.path().to_owned())
}
