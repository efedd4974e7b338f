//! A form that comes back: the session keeps what was typed until the form's page shows it, once.

use crate::failure::Failure;
use leptos::prelude::*;
use leptos_axum::extract;
use leptos_flash::{flash, redirect, tower_sessions::Session};
use serde::{Deserialize, Serialize};

const REJECTED: &str = "rejected";

/// A form as its page shows it: empty, or with what was typed and why it was rejected.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Form {
    page: String,
    field: String,
    reason: String,
    typed: Vec<(String, String)>,
}

impl Form {
    /// Leads back to the form's page, which says at the field why it was rejected. `typed` has the
    /// fields that the page fills in again, so no password.
    pub async fn reject(
        page: &str,
        (field, reason): (&str, &str),
        typed: &[(&str, &str)],
    ) -> Result<(), Failure> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let form = Self {
            page: page.to_owned(),
            field: field.to_owned(),
            reason: reason.to_owned(),
            typed: typed.iter().map(pair).collect(),
        };
        let session: Session = extract().await?;
        session.insert(REJECTED, form).await?;
        Ok(redirect(page)?)
    }

    /// Returns the form of the page that is rendered.
    pub async fn of(page: &str) -> Result<Self, Failure> {
        let session: Session = extract().await?;
        let rejected: Option<Self> = session.get(REJECTED).await?;
        let Some(form) = rejected.filter(|form| form.page == page) else {
            return Ok(Self::default());
        };
        // A prefetch leaves it for the page that a person sees.
        if flash()?.is_page_load() {
            session.remove_value(REJECTED).await?;
        }
        Ok(form)
    }

    /// Returns what was typed into a field.
    pub fn value(&self, field: &str) -> String {
        let typed = self.typed.iter().find(|(name, _)| name == field);
        typed.map_or_else(String::new, |(_, value)| value.clone())
    }

    pub fn is_invalid(&self, field: &str) -> bool {
        self.field == field
    }
}

/// Says why a field was rejected. The field's `aria-describedby` names it: `<field>-reason`.
#[component]
pub fn Reason(form: Form, field: &'static str) -> impl IntoView {
    form.is_invalid(field).then(|| {
        view! {
            <p class="reason" id=format!("{field}-reason")>
                {form.reason}
            </p>
        }
    })
}
