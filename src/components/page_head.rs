use leptos::prelude::*;
use leptos_meta::{Meta, Title};

/// What a browser's tab and a search engine say of a page.
#[component]
pub fn PageHead(#[prop(into)] title: String, description: &'static str) -> impl IntoView {
    view! {
        <Title text=title />
        <Meta name="description" content=description />
    }
}
