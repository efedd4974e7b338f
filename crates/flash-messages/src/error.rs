//! The errors of a push, each with its HTTP status and its remedy.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use pg_sessions::database::describe;

use crate::level::InvalidLevel;

/// The reason why a message was not stored.
///
/// As a response it has [`status`](Self::status) and [`public_text`](Self::public_text).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlashError {
    /// The request did not come through a `FlashLayer`.
    #[error(
        "Can't reach the flash messages: this request did not pass through FlashLayer. Add \
         `.layer(FlashLayer::new(store, cookie))` to the router, after the routes and the fallback."
    )]
    MissingLayer,

    /// The session ended while the message was stored.
    #[error("The session has ended. Push the message again.")]
    SessionEnded,

    /// A visitor without a session pushed after the response head had left. The cookie can't be set then.
    #[error(
        "The message came too late for a visitor without a session: the response head, which would \
         have carried the cookie, has left. Push before rendering, or use a blocking resource."
    )]
    TooLate,

    /// The text is empty.
    #[error("The message has no text.")]
    EmptyText,

    /// The text, title, link and key together are too long.
    #[error("The message is too long: {bytes} bytes where {limit} are allowed.")]
    TooLong {
        /// The length of text, title, link and key together, in bytes.
        bytes: usize,
        /// The limit of the store, in bytes.
        limit: usize,
    },

    /// The message contains a NUL character, which PostgreSQL can't store.
    #[error("The message contains a NUL character.")]
    NulCharacter,

    /// The name of the level is not a CSS class.
    #[error(transparent)]
    Level(#[from] InvalidLevel),

    /// The target of a link or redirect leaves this site.
    #[error("Only a path of this site, such as /race, can be a target.")]
    NotLocal,

    /// The maximum number of messages wait, all of a higher level.
    #[error("{limit} messages of a higher level are waiting to be seen.")]
    Full {
        /// The limit of the store.
        limit: u32,
    },

    /// The session can't be read or written.
    #[error("The session can't be reached.")]
    Session(#[from] tower_sessions::session::Error),

    /// The database failed, perhaps for several requests at once. The source has its own words. They may
    /// contain values, so keep them out of production logs.
    #[error("The database did not do it: {}.", describe(.0))]
    Database(#[from] Arc<sqlx::Error>),
}

impl From<sqlx::Error> for FlashError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl FlashError {
    /// Returns the HTTP status of the error.
    ///
    /// | status | remedy |
    /// |---|---|
    /// | 4xx | Change the request. |
    /// | 500 | Fix the program. |
    /// | 503 | Try again later. |
    pub fn status(&self) -> StatusCode {
        match self {
            Self::MissingLayer | Self::TooLate => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::EmptyText | Self::NulCharacter | Self::Level(_) | Self::NotLocal => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Full { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::SessionEnded | Self::Session(_) | Self::Database(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Returns a sentence for the person at the page. It tells nothing about the program's internals.
    pub fn public_text(&self) -> String {
        match self.status() {
            StatusCode::SERVICE_UNAVAILABLE => {
                "Your message could not be stored. Please try again in a moment.".into()
            }
            status if status.is_server_error() => "Something went wrong on our side.".into(),
            _ => self.to_string(),
        }
    }
}

impl IntoResponse for FlashError {
    fn into_response(self) -> Response {
        if self.status().is_server_error() {
            tracing::error!("{self}");
        }
        (self.status(), self.public_text()).into_response()
    }
}
