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
    /// Something about a message, with its own status.
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
    pub fn status(&self) -> u16 {
        match self {
            Self::Form(_) => 400,
            Self::Message { status, .. } => *status,
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

    use super::AppError;

    pub fn set_status(status: u16) {
        if let (Some(response), Ok(status)) = (
            use_context::<ResponseOptions>(),
            StatusCode::from_u16(status),
        ) {
            response.set_status(status);
        }
    }

    impl From<tower_sessions::session::Error> for AppError {
        fn from(error: tower_sessions::session::Error) -> Self {
            tracing::error!("session: {error}");
            Self::Unavailable
        }
    }

    impl From<tower_sessions::session_store::Error> for AppError {
        fn from(error: tower_sessions::session_store::Error) -> Self {
            tracing::error!("session store: {error}");
            Self::Unavailable
        }
    }

    impl From<FlashError> for AppError {
        fn from(error: FlashError) -> Self {
            if error.status().is_server_error() {
                tracing::error!("{error}");
            }
            Self::Message {
                status: error.status().as_u16(),
                text: error.public_text(),
            }
        }
    }
}
