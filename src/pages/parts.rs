//! What several pages are made of.

use leptos::prelude::*;
use leptos_meta::{Meta, Title};

use crate::{error::AppError, web::forms::reason_id};

/// What a browser's tab and a search engine say of a page.
#[component]
pub fn PageHead(#[prop(into)] title: String, description: &'static str) -> impl IntoView {
    view! {
        <Title text=title />
        <Meta name="description" content=description />
    }
}

/// A part of a page that could not be had, with the status of the failure.
#[component]
pub fn Failed(error: AppError) -> impl IntoView {
    error.set_status();
    view! { <p class="lead">{error.to_string()}</p> }
}

// What is wrong with a form stands where GOV.UK's design system has it: in a summary above the page,
// and beside its field (<https://design-system.service.gov.uk/components/error-summary/>).

/// Says why the form of this page was rejected, with a link to the field. It has the focus when the
/// page loads.
#[component]
pub fn ErrorSummary(error: Option<AppError>) -> impl IntoView {
    error.map(|error| {
        let reason = error.to_string();
        let is_about_form = error.field_name().is_none();
        let reason = match error.field_name() {
            Some(field) => view! { <a href=format!("#{field}")>{reason}</a> }.into_any(),
            None => reason.into_any(),
        };
        view! {
            <div
                class="error-summary"
                role="alert"
                tabindex="-1"
                autofocus=true
                aria-labelledby="error-summary-title"
            >
                <h2 id="error-summary-title">"There is a problem"</h2>
                <p>{reason}</p>
                {is_about_form.then(|| view! { <p>"What you typed is still in the form."</p> })}
            </div>
        }
    })
}

/// Says why a field was rejected, above the field.
#[component]
pub fn FieldError(field: &'static str, reason: Option<String>) -> impl IntoView {
    reason.map(|reason| {
        view! {
            <p class="field-error" id=reason_id(field)>
                <span class="visually-hidden">"Error: "</span>
                {reason}
            </p>
        }
    })
}
