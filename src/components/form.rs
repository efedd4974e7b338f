//! What is wrong with a form, as GOV.UK's design system says it: a summary above the page, and the
//! reason beside its field (<https://design-system.service.gov.uk/components/error-summary/>).

use leptos::prelude::*;

use crate::{error::AppError, forms::reason_id};

/// Says why the form of this page was refused, with a link to the field. It has the focus when the
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

/// Says why a field was refused, above the field.
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
