//! The flash messages of a page: rendered by the server, brought to life by an island.

use std::cell::RefCell;

use leptos::{
    ev::{FocusEvent, KeyboardEvent, MouseEvent, SubmitEvent},
    html::{Div, Section},
    prelude::*,
    server_fn::ServerFn,
};
use leptos_flash::{FlashMessage, FlashMessages, Level, page_data, page_messages};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use crate::error::AppError;

/// The messages that wait for this page, once, before its heading; in the browser they can be
/// dismissed, keep the focus and are announced.
#[island]
pub fn FlashGroup() -> impl IntoView {
    let flash = FlashMessages::new(page_messages());
    let section = NodeRef::<Section>::new();
    let focus = FocusKeeper { section };
    let announcer = Announcer::default();
    flash.auto_dismiss(|| {
        let held = document().query_selector("#flashes:is(:hover, :focus-within)");
        matches!(held, Ok(Some(_)))
    });
    Effect::new(move |began: Option<()>| {
        if began.is_none() {
            focus.listen();
        }
        flash.get();
        // The first frame takes off what this tab has shown before.
        request_animation_frame(move || {
            request_animation_frame(move || announcer.announce(flash.get_untracked()));
        });
    });
    let dismiss_all = move |_: MouseEvent| {
        flash.clear();
        focus.leave();
    };
    let on_keydown = move |event: KeyboardEvent| {
        if event.key() == "Escape"
            && let Some(id) = focused_message()
        {
            focus.step_aside(id);
            flash.dismiss(id);
        }
    };
    view! {
        <section
            class="flashes"
            id="flashes"
            aria-label="Messages"
            tabindex="-1"
            node_ref=section
            on:focusin=move |event| focus.came_from(&event)
            on:keydown=on_keydown
        >
            <form
                method="post"
                action=DismissMessages::PATH
                on:submit=|event: SubmitEvent| event.prevent_default()
            >
                <ul>
                    <For each=move || flash.get() key=|message| message.id let:message>
                        <FlashItem flash message focus />
                    </For>
                </ul>
                // Shown by the style sheet when there are several.
                <button class="flash-dismiss-all" name="dismiss" value="all" on:click=dismiss_all>
                    "Dismiss all"
                </button>
            </form>
        </section>
        <div class="visually-hidden" role="status" node_ref=announcer.polite></div>
        <div class="visually-hidden" role="alert" node_ref=announcer.assertive></div>
    }
}

#[component]
fn FlashItem(flash: FlashMessages, message: FlashMessage, focus: FocusKeeper) -> impl IntoView {
    // The form brings it back: what is not dismissed stays, without JavaScript too.
    let kept = page_data(&message);
    let FlashMessage {
        id,
        level,
        text,
        title,
        link,
        sticky,
        ..
    } = message;
    let word = word(&level);
    let label = format!("Dismiss {word}: {}", title.as_ref().unwrap_or(&text));
    let dismiss = move |_: MouseEvent| {
        focus.step_aside(id);
        flash.dismiss(id);
    };
    view! {
        <li class=format!("flash flash-{level}") class:flash-sticky=sticky data-flash-id=id>
            <span class="flash-icon" aria-hidden="true"></span>
            <div class="flash-body">
                <strong class="flash-word">{word}</strong>
                {title.map(|title| view! { <strong class="flash-title">{title}</strong> })}
                <p class="flash-text">{text}</p>
                {link.map(|link| view! { <a class="flash-link" href=link.href>{link.text}</a> })}
            </div>
            <input type="hidden" name="messages[]" value=kept data-flash />
            <button class="flash-dismiss" name="dismiss" value=id aria-label=label on:click=dismiss>
                <span aria-hidden="true">"×"</span>
            </button>
        </li>
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

/// Two live regions that are empty in the first HTML: a screen reader announces only what changes.
/// They are filled two frames after hydration, and after each arrival, then emptied again, so that
/// nobody comes across the text a second time.
#[derive(Clone, Copy, Default)]
struct Announcer {
    polite: NodeRef<Div>,
    assertive: NodeRef<Div>,
    announced: StoredValue<Vec<i64>>,
}

impl Announcer {
    fn announce(self, messages: Vec<FlashMessage>) {
        let mut known = self.announced.write_value();
        let (mut calm, mut urgent) = (Vec::new(), Vec::new());
        for message in messages {
            if !known.contains(&message.id) {
                known.push(message.id);
                let text = format!("{}: {}", word(&message.level), message.text);
                match message.level >= Level::Warning {
                    true => urgent.push(text),
                    false => calm.push(text),
                }
            }
        }
        for (region, texts) in [(self.polite, calm), (self.assertive, urgent)] {
            if let (Some(region), false) = (region.get_untracked(), texts.is_empty()) {
                region.set_text_content(Some(&texts.join(". ")));
                set_timeout(move || region.set_text_content(None), ANNOUNCEMENT);
            }
        }
    }
}

/// Long enough for a screen reader to read the region.
const ANNOUNCEMENT: std::time::Duration = std::time::Duration::from_secs(3);

/// Where the focus goes when a message leaves: to the next message, the one before, back to where
/// it came from, to the page's heading; never to nowhere. F6 goes to the messages and back.
#[derive(Clone, Copy)]
struct FocusKeeper {
    section: NodeRef<Section>,
}

thread_local! {
    /// What had the focus before the messages got it. Not a `StoredValue`: on the server one that
    /// holds an element panics when it is dropped in another thread.
    static BEFORE: RefCell<Option<HtmlElement>> = const { RefCell::new(None) };
}

impl FocusKeeper {
    /// Listens for F6, in the browser.
    fn listen(self) {
        // For the life of the page.
        window_event_listener(leptos::ev::keydown, move |event| {
            if event.key() == "F6" && self.toggle() {
                event.prevent_default();
            }
        });
        if let Some(section) = self.section.get_untracked() {
            // For tests: the messages are alive.
            _ = section.set_attribute("data-hydrated", "");
        }
    }

    /// Remembers what had the focus before the messages got it.
    fn came_from(&self, event: &FocusEvent) {
        let from = event
            .related_target()
            .and_then(|from| from.dyn_into::<HtmlElement>().ok());
        if let (Some(from), Some(section)) = (from, self.section.get_untracked())
            && !section.contains(Some(&from))
        {
            BEFORE.set(Some(from));
        }
    }

    fn toggle(&self) -> bool {
        let Some(section) = self.section.get_untracked() else {
            return false;
        };
        if section.contains(document().active_element().as_deref()) {
            self.leave();
            return true;
        }
        let any = matches!(section.query_selector(".flash"), Ok(Some(_)));
        if any {
            _ = section.focus();
        }
        any
    }

    /// To the neighbour of a message that is about to leave.
    fn step_aside(&self, id: i64) {
        let Some(message) = by_id(id) else { return };
        let neighbour = message
            .next_element_sibling()
            .or(message.previous_element_sibling());
        let button = neighbour.and_then(|flash| flash.query_selector(".flash-dismiss").ok()?);
        match button.and_then(|button| button.dyn_into::<HtmlElement>().ok()) {
            Some(button) => _ = button.focus(),
            None => self.leave(),
        }
    }

    fn leave(&self) {
        let before = BEFORE.take().filter(|element| element.is_connected());
        let heading = || {
            document()
                .query_selector("h1")
                .ok()??
                .dyn_into::<HtmlElement>()
                .ok()
        };
        if let Some(element) = before.or_else(heading) {
            _ = element.focus();
        }
    }
}

fn by_id(id: i64) -> Option<Element> {
    document()
        .query_selector(&format!("[data-flash-id=\"{id}\"]"))
        .ok()?
}

fn focused_message() -> Option<i64> {
    let message = document()
        .active_element()?
        .closest("[data-flash-id]")
        .ok()??;
    message.get_attribute("data-flash-id")?.parse().ok()
}

/// The most that wait in a session: somebody may try that many pushes before they look.
pub const MOST_MESSAGES: u32 = 500;

/// Without JavaScript: the page comes back without the dismissed message and with the others.
#[server(name = DismissMessages, prefix = "/api", endpoint = "dismiss_messages")]
pub async fn dismiss_messages(
    /// The id of a message, or `all`.
    dismiss: String,
    /// The messages that the page showed, as JSON.
    #[server(default)]
    messages: Vec<String>,
) -> Result<(), AppError> {
    use leptos_flash::Flash;

    let flash = Flash::current()?;
    if messages.len() > MOST_MESSAGES as usize {
        let error = format!("a page shows {MOST_MESSAGES} messages at most");
        return Err(AppError::Form(error));
    }
    let messages: Result<Vec<FlashMessage>, _> = (messages.iter())
        .map(|message| serde_json::from_str(message))
        .collect();
    let messages =
        messages.map_err(|_| AppError::Form("a message is not as the page sent it".to_owned()))?;
    for message in messages {
        let dismissed = dismiss == "all" || dismiss == message.id.to_string();
        match (dismissed, message.sticky) {
            (true, true) => flash.dismiss(message.id).await?,
            (false, false) => flash.push(message).await?,
            // Shown and deleted, or still there.
            (true, false) | (false, true) => {}
        }
    }
    crate::router::redirect_back("#flashes");
    Ok(())
}
