//! A form that is sent without loading a page.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_flash::send_form;

use crate::error::AppError;

/// Sends its form without loading a page; without JavaScript the same form loads one.
#[island]
pub fn FetchButton() -> impl IntoView {
    view! {
        <form method="post" action=PushByFetch::PATH on:submit=send_form>
            <button class="button button-quiet">"Without a page load"</button>
        </form>
    }
}

#[server(name = PushByFetch, prefix = "/api", endpoint = "push_by_fetch")]
pub async fn push_by_fetch() -> Result<(), AppError> {
    use leptos_flash::flash;

    flash()?.success("Here without a page load.").await?;
    Ok(())
}
