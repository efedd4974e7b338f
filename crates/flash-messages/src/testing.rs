//! Asserts in tests of an app which messages a response shows and a request pushed.
//!
//! ```
//! # use axum::{Router, body::Body, http::{Request, Response}, response::Redirect, routing::post};
//! # use flash_messages::{Flash, FlashError, FlashMessage, testing::{assert_pushed, assert_shown}};
//! # async fn example(app: Router) -> Result<(), Box<dyn std::error::Error>> {
//! use tower::ServiceExt;
//!
//! // Calls the router with its layers, without a network.
//! let response = app.clone().oneshot(Request::post("/race/start").body(Body::empty())?).await?;
//! assert_pushed(&response, [FlashMessage::success("You are off")]);
//! # let request = Request::new(Body::empty());
//!
//! // Calls the next page, with the cookie of that response.
//! let response = app.oneshot(request).await?;
//! assert_shown(&response, [FlashMessage::success("You are off")]);
//! # Ok(())
//! # }
//! ```

use http::Response;

use crate::{flash::Flash, message::FlashMessage};

/// Returns the messages that a response shows, in the order of their pushes.
///
/// # Panics
/// The response did not come through a [`FlashLayer`](crate::FlashLayer).
#[track_caller]
pub fn shown<B>(response: &Response<B>) -> Vec<FlashMessage> {
    outcome(response).0
}

/// Returns the messages that the request pushed, in order.
///
/// # Panics
/// The response did not come through a [`FlashLayer`](crate::FlashLayer).
#[track_caller]
pub fn pushed<B>(response: &Response<B>) -> Vec<FlashMessage> {
    outcome(response).1
}

/// Asserts that a response shows exactly these messages, in this order. It ignores ids and scopes.
///
/// # Panics
/// The messages differ, or the response did not come through a [`FlashLayer`](crate::FlashLayer).
#[track_caller]
pub fn assert_shown<B, const N: usize>(response: &Response<B>, expected: [FlashMessage; N]) {
    assert_eq!(
        without_ids(shown(response)),
        without_ids(expected.into()),
        "messages shown"
    );
}

/// Asserts that the request pushed exactly these messages, in this order. It ignores ids and scopes.
///
/// # Panics
/// The messages differ, or the response did not come through a [`FlashLayer`](crate::FlashLayer).
#[track_caller]
pub fn assert_pushed<B, const N: usize>(response: &Response<B>, expected: [FlashMessage; N]) {
    assert_eq!(
        without_ids(pushed(response)),
        without_ids(expected.into()),
        "messages pushed"
    );
}

#[track_caller]
fn outcome<B>(response: &Response<B>) -> (Vec<FlashMessage>, Vec<FlashMessage>) {
    response
        .extensions()
        .get::<Flash>()
        .expect("the response came through no FlashLayer: test the router with its layers")
        .outcome()
}

fn without_ids(mut messages: Vec<FlashMessage>) -> Vec<FlashMessage> {
    for message in &mut messages {
        (message.id, message.scope) = (0, Default::default());
    }
    messages
}
