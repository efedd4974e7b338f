//! The server function that dismisses a message, with and without JavaScript.

use leptos::prelude::*;

/// Dismisses a message on the server, for a form that works without JavaScript, with a field `id`.
/// The answer goes back to the page that the form is on.
///
/// # Errors
/// The database can't be reached, or the layers are missing.
#[server(name = DismissFlash, prefix = "/api", endpoint = "dismiss_flash")]
pub async fn dismiss_flash(
    /// The message.
    id: i64,
) -> Result<(), ServerFnError> {
    use flash_messages::FlashError;

    use crate::server::flash;

    let dismiss = async || flash()?.dismiss(id).await;
    dismiss().await.map_err(|error: FlashError| {
        tracing::error!(%error, "a message could not be dismissed");
        ServerFnError::new(error.public_text())
    })
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use flash_messages::FlashError;

    use super::*;

    #[tokio::test]
    async fn a_dismissal_that_fails_tells_the_browser_nothing_of_the_inside() {
        let error = dismiss_flash(1).await.expect_err("there is no layer");
        let told = error.to_string();
        assert!(
            told.contains(&FlashError::MissingLayer.public_text()),
            "{told}"
        );
        assert!(!told.contains("FlashLayer"), "{told}");
    }
}
