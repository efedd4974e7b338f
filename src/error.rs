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
