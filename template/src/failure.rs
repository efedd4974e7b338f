//! What a person is told when something fails. The log has the cause, which may have the database's words.

use std::error::Error;

use axum::http::{StatusCode, request::Parts};
use leptos::{
    either::Either,
    prelude::*,
    server_fn::{codec::JsonEncoding, error::ServerFnErrorErr},
};
use leptos_axum::ResponseOptions;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure;

/// Any error is one, so `?` works in server functions and pages.
impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        tracing::error!("{error}");
        Self
    }
}

impl FromServerFnError for Failure {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        error.into()
    }
}

/// Renders a page, or says that it failed, with the status 503.
pub async fn page<V: IntoView>(page: impl Future<Output = Result<V, Failure>>) -> impl IntoView {
    match page.await {
        Ok(page) => Either::Left(page),
        Err(Failure) => {
            if let Some(response) = use_context::<ResponseOptions>() {
                response.set_status(StatusCode::SERVICE_UNAVAILABLE);
            }
            Either::Right(view! { <Sorry /> })
        }
    }
}

/// Says that the form failed which led to this page: Leptos tells it in the address.
#[component]
pub fn FailedForm() -> impl IntoView {
    let parts = use_context::<Parts>();
    let query = parts.as_ref().and_then(|parts| parts.uri.query());
    query
        .is_some_and(|query| query.contains("__err="))
        .then(|| view! { <Sorry /> })
}

#[component]
fn Sorry() -> impl IntoView {
    view! {
        <p class="reason" role="alert">
            "That did not work. Please try again in a moment."
        </p>
    }
}
