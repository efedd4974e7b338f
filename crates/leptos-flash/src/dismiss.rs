//! The server function that dismisses a message.

use leptos::prelude::*;

/// Dismisses a message on the server. A form without JavaScript may post to it, with a field `id`. The
/// response leads back to the page of the form.
///
/// # Errors
/// The database can't be reached, or the app has no `FlashLayer`.
#[server(name = DismissFlash, prefix = "/api", endpoint = "dismiss_flash")]
pub async fn dismiss_flash(
    /// The id of the message.
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
