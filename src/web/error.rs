//! Errors on the server: what becomes an [`AppError`], and what an [`AppError`] becomes.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;
use leptos_flash::FlashError;
use tower_sessions::{session, session_store};

use crate::error::AppError;

impl AppError {
    /// Gives the page that is being rendered the status of this error.
    pub fn set_status(&self) {
        if let Some(response) = use_context::<ResponseOptions>() {
            response.set_status(self.status_code());
        }
    }

    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for AppError {
    /// The status alone; `rejections` adds the words.
    fn into_response(self) -> Response {
        let mut response = self.status_code().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<session::Error> for AppError {
    fn from(error: session::Error) -> Self {
        tracing::error!("session: {}", kind_of_session(&error));
        Self::Unavailable
    }
}

impl From<session_store::Error> for AppError {
    fn from(error: session_store::Error) -> Self {
        tracing::error!("session: {}", kind_of_store(&error));
        Self::Unavailable
    }
}

impl From<FlashError> for AppError {
    fn from(error: FlashError) -> Self {
        if error.status().is_server_error() {
            tracing::error!("flash message: {}", kind_of_flash(&error));
        }
        Self::Message {
            status: error.status().as_u16(),
            text: error.public_text(),
        }
    }
}

/// The kind of an error, for the log. The text of the database may quote what somebody typed.
fn kind_of_session(error: &session::Error) -> &'static str {
    match error {
        session::Error::SerdeJson(_) => "a value of another type",
        session::Error::Store(error) => kind_of_store(error),
    }
}

fn kind_of_store(error: &session_store::Error) -> &'static str {
    match error {
        session_store::Error::Encode(_) => "a record that can't be written",
        session_store::Error::Decode(_) => "a record that can't be read",
        session_store::Error::Backend(_) => "the database failed",
    }
}

fn kind_of_flash(error: &FlashError) -> String {
    match error {
        FlashError::Database { .. } | FlashError::Session { .. } => {
            "the database failed".to_owned()
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use leptos_flash::FlashError;
    use tower_sessions::{session, session_store};

    use super::*;

    #[test]
    fn no_word_of_the_database_is_in_what_a_person_is_told() {
        let store = || session_store::Error::Backend("relation \"x\" is away".to_owned());
        let database = || sqlx::Error::Protocol("relation \"x\" is away".to_owned());
        for error in [
            AppError::from(store()),
            AppError::from(session::Error::Store(store())),
            AppError::from(FlashError::from(session::Error::Store(store()))),
            AppError::from(FlashError::from(database())),
        ] {
            let json = serde_json::to_string(&error).expect("JSON");
            assert_eq!(error.status(), 503);
            assert!(!format!("{error}{json}").contains("relation"), "{json}");
        }
    }
}
