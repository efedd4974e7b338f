//! The server function that dismisses messages, with and without JavaScript.

use leptos::prelude::*;

/// Dismisses messages. The form of [`FlashRegion`](crate::FlashRegion) posts to it without JavaScript; the
/// response leads back to the page of the form, which shows the other messages again. In the browser it
/// deletes sticky messages.
///
/// # Errors
/// - An id is no number, or there are more than 500.
/// - The database can't be reached, or the app has no `FlashLayer`.
#[server(name = DismissFlash, prefix = "/api", endpoint = "dismiss_flash")]
pub async fn dismiss_flash(
    /// The ids of the messages, with commas between them, or `all`.
    dismiss: String,
    /// The ids of the messages that the page showed, with commas between them; those of equal messages
    /// with `+`.
    #[server(default)]
    shown: String,
) -> Result<(), ServerFnError> {
    use flash_messages::FlashError;

    use crate::server::{flash, redirect_back};

    let groups = ids(&shown)?;
    let shown = groups.concat();
    let dismissed = if dismiss == "all" {
        shown.clone()
    } else {
        let mut dismissed = ids(&dismiss)?.concat();
        // Equal messages leave together.
        for group in groups {
            if group.iter().any(|id| dismissed.contains(id)) {
                dismissed.extend(group);
            }
        }
        dismissed
    };
    let dismiss = async || flash()?.dismiss_from_page(&dismissed, &shown).await;
    dismiss().await.map_err(|error: FlashError| {
        tracing::error!(%error, "a message could not be dismissed");
        ServerFnError::new(error.public_text())
    })?;
    redirect_back("#flashes");
    Ok(())
}

/// The maximum number of messages on a page without JavaScript.
#[cfg(feature = "ssr")]
const MAX_SHOWN: usize = 500;

/// Returns the groups of ids in a list.
#[cfg(feature = "ssr")]
fn ids(list: &str) -> Result<Vec<Vec<i64>>, ServerFnError> {
    use crate::server::bad_request;

    let groups = list.split(',').filter(|group| !group.is_empty());
    let groups = groups.map(|group| group.split('+').map(str::parse).collect());
    let groups: Vec<Vec<i64>> = groups
        .collect::<Result<_, _>>()
        .map_err(|_| bad_request("the ids of the messages are not as the page sent them"))?;
    if groups.iter().map(Vec::len).sum::<usize>() > MAX_SHOWN {
        let reason = format!("a page shows {MAX_SHOWN} messages at most");
        return Err(bad_request(&reason));
    }
    Ok(groups)
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use flash_messages::FlashError;

    use super::*;

    #[tokio::test]
    async fn a_dismissal_that_fails_tells_the_browser_nothing_of_the_inside() {
        let error = dismiss_flash("1".to_owned(), String::new())
            .await
            .expect_err("there is no layer");
        let told = error.to_string();
        assert!(
            told.contains(&FlashError::MissingLayer.public_text()),
            "{told}"
        );
        assert!(!told.contains("FlashLayer"), "{told}");
    }

    #[test]
    fn ids_are_read_as_the_page_sends_them_or_not_at_all() {
        assert_eq!(ids("1+2,3,").ok(), Some(vec![vec![1, 2], vec![3]]));
        for list in ["x", "1,,+", "1;2", "9".repeat(30).as_str()] {
            assert!(ids(list).is_err(), "{list}");
        }
        assert!(ids(&"1+".repeat(500)).is_err());
    }
}
