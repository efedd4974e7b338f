use leptos::prelude::*;

use super::{forms::form_at, parts::PageHead, site_header::page_path};
use crate::error::AppError;

/// What went wrong, in a sentence, and the way back.
#[component]
pub fn ErrorPage(error: AppError) -> impl IntoView {
    let heading = match error.status() {
        404 => "Off the course",
        400..500 => "That didn't work",
        _ => "We stumbled",
    };
    let form = page_path().and_then(|path| form_at(&path));
    let (back, words) = match form {
        Some(form) => (form.page, "Back to the form"),
        None => ("/", "Back to the start"),
    };
    view! {
        <PageHead title=heading description="Something did not work as it should." />
        <h1 tabindex="-1">{heading}</h1>
        <p class="lead">{error.to_string()}</p>
        // A page that is not there shows them like any other.
        {(error != AppError::NotFound)
            .then(|| view! { <p>"Messages that wait for you are kept for the next page."</p> })}
        <p>
            <a class="button" href=back>{words}</a>
        </p>
    }
}

#[component]
pub fn NotFoundPage() -> impl IntoView {
    view! { <ErrorPage error=AppError::NotFound /> }
}
