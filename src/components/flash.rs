//! The flash messages of a page: rendered by the server, dismissed in the browser.

use leptos::{ev::SubmitEvent, prelude::*, server_fn::ServerFn};
use leptos_flash::{DismissFlash, FlashMessage, FlashMessages, Level, page_messages};

/// The messages that wait for this page, once, before its heading.
#[component]
pub fn FlashGroup() -> impl IntoView {
    view! { <FlashList messages=page_messages() /> }
}

/// What lives in the browser: the list, and the buttons that dismiss.
#[island]
fn FlashList(messages: Vec<FlashMessage>) -> impl IntoView {
    let flash = FlashMessages::new(messages);
    let each = {
        let flash = flash.clone();
        move || flash.get()
    };
    let hydrated = RwSignal::new(false);
    Effect::new(move || hydrated.set(true));
    view! {
        <section class="flashes" aria-label="Messages" data-hydrated=move || hydrated.get()>
            <For each key=|message| message.id let:message>
                <FlashItem flash=flash.clone() message />
            </For>
        </section>
    }
}

#[component]
fn FlashItem(flash: FlashMessages, message: FlashMessage) -> impl IntoView {
    let FlashMessage {
        id,
        level,
        text,
        title,
        link,
        ..
    } = message;
    let word = word(&level);
    let heading = title.unwrap_or_else(|| word.clone());
    let dismiss = move |event: SubmitEvent| {
        event.prevent_default();
        flash.dismiss(id);
    };
    view! {
        <article class=format!("flash flash-{level}") data-flash-id=id>
            <span class="flash-icon" aria-hidden="true"></span>
            <div class="flash-body">
                <strong class="flash-heading">{heading}</strong>
                <p class="flash-text">{text}</p>
                {link.map(|link| view! { <a href=link.href>{link.text}</a> })}
            </div>
            <form method="post" action=DismissFlash::PATH on:submit=dismiss>
                <input type="hidden" name="id" value=id />
                <button class="flash-dismiss" aria-label=format!("Dismiss message: {word}")>
                    <span aria-hidden="true">"×"</span>
                </button>
            </form>
        </article>
    }
}

/// The word that heads a message, so that its level is not told by colour alone (WCAG 1.4.1).
fn word(level: &Level) -> String {
    match level {
        Level::Info => "Note".into(),
        Level::Success => "Success".into(),
        Level::Warning => "Warning".into(),
        Level::Error => "Error".into(),
        Level::Other(_) => level.to_string(),
    }
}
