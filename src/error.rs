//! What a person is told when something fails: one variant, one status, one sentence.

use leptos::{
    prelude::*,
    server_fn::{codec::JsonEncoding, error::ServerFnErrorErr},
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AppError {
    /// A form lacks a field, has one twice, or isn't UTF-8.
    #[error("The form can't be read: {0}.")]
    Form(String),
    /// A field of a form, by its name, with its own status.
    #[error("{text}")]
    Field {
        name: String,
        status: u16,
        text: String,
    },
    /// Something else, with its own status.
    #[error("{text}")]
    Message { status: u16, text: String },
    #[error("There is no page at this address.")]
    NotFound,
    #[error("This was sent from another site, so it was refused. Please use the form on this one.")]
    CrossSite,
    #[error("The form is too large: {kib} KiB are allowed.")]
    TooLarge { kib: usize },
    #[error("That was too much at once. Please wait a moment and try again.")]
    TooManyPosts,
    #[error("The headers of the request are too large. Deleting this site's cookies may help.")]
    Headers,
    #[error("That took too long. Please try again in a moment.")]
    TooSlow,
    #[error("Our notes can't be reached. Please try again in a moment.")]
    Unavailable,
    #[error("Something went wrong on our side.")]
    Internal,
}

impl AppError {
    /// A field of a form is not as it must be: `reason` says how it must be.
    pub fn field(name: &str, status: u16, reason: impl ToString) -> Self {
        Self::Field {
            name: name.to_owned(),
            status,
            text: reason.to_string(),
        }
    }

    /// Returns the name of the field that this is about.
    pub fn field_name(&self) -> Option<&str> {
        match self {
            Self::Field { name, .. } => Some(name),
            _ => None,
        }
    }

    pub fn status(&self) -> u16 {
        match self {
            Self::Form(_) => 400,
            Self::Field { status, .. } | Self::Message { status, .. } => *status,
            Self::NotFound => 404,
            Self::CrossSite => 403,
            Self::TooLarge { .. } => 413,
            Self::TooManyPosts => 429,
            Self::Headers => 431,
            Self::Unavailable | Self::TooSlow => 503,
            Self::Internal => 500,
        }
    }

    /// Gives the page that is being rendered the status of this error.
    pub fn set_status(&self) {
        #[cfg(feature = "ssr")]
        server::set_status(self.status());
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(reason) | ServerFnErrorErr::MissingArg(reason) => {
                Self::Form(reason)
            }
            ServerFnErrorErr::Deserialization(reason) => Self::Form(reason),
            _ => Self::Internal,
        }
    }
}

#[cfg(feature = "ssr")]
mod server {
    use axum::http::StatusCode;
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;
    use leptos_flash::FlashError;
    use tower_sessions::{session, session_store};

    use super::AppError;

    pub fn set_status(status: u16) {
        if let (Some(response), Ok(status)) = (
            use_context::<ResponseOptions>(),
            StatusCode::from_u16(status),
        ) {
            response.set_status(status);
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
}

#[cfg(all(test, feature = "ssr"))]
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
