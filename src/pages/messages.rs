use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;

use crate::error::AppError;

/// `/messages`: a form that pushes a message. The next page shows it.
#[component]
pub fn MessagesPage() -> impl IntoView {
    let levels = [
        ("info", "Note"),
        ("success", "Success"),
        ("warning", "Warning"),
        ("error", "Error"),
    ];
    view! {
        <Title text="Messages" />
        <h1>"Messages"</h1>
        <p class="lead">
            "Write a note to your own next page. The server stores it, answers with a redirect, and
            the page that follows shows it once."
        </p>
        <form class="form" method="post" action=PushMessage::PATH>
            <fieldset class="levels">
                <legend>"Level"</legend>
                {levels
                    .map(|(level, word)| {
                        view! {
                            <label class=format!("level level-{level}")>
                                <input type="radio" name="level" value=level checked=level == "info" />
                                {word}
                            </label>
                        }
                    })}
            </fieldset>
            <label for="text">"Text"</label>
            <textarea id="text" name="text" rows="3" required maxlength="2000"></textarea>
            <button class="button">"Push the message"</button>
        </form>
    }
}

/// Pushes a message for the next page and goes there.
#[server(name = PushMessage, prefix = "/api", endpoint = "push_message")]
pub async fn push_message(level: String, text: String) -> Result<(), AppError> {
    use leptos_flash::{FlashError, FlashMessage, redirect_with};

    let level = level.parse().map_err(FlashError::from)?;
    redirect_with("/messages", FlashMessage::new(level, text)).await?;
    Ok(())
}
