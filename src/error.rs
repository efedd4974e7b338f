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
    #[error("Something went wrong on our side. Please try again in a moment.")]
    Internal,
}

impl AppError {
    pub fn status(&self) -> u16 {
        match self {
            Self::Form(_) => 400,
            Self::Message { status, .. } => *status,
            Self::NotFound => 404,
            Self::Internal => 500,
        }
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
    use leptos_flash::FlashError;

    use super::AppError;

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
