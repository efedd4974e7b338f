//! The flash messages of a page: rendered by the server, brought to life by an island.

use std::cell::RefCell;

use leptos::{
    ev::{FocusEvent, KeyboardEvent, MouseEvent, SubmitEvent},
    html::{Div, Section},
    prelude::*,
    server_fn::ServerFn,
};
use leptos_flash::{FlashMessage, FlashMessages, Level, Scope, page_data, page_ids, page_messages};
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
        if began.is_none() && !focus.listen() {
            // Hydration failed: these messages work as without JavaScript.
            flash.detach();
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
                // Without JavaScript the form brings them back: what is not dismissed stays.
                <input type="hidden" name="shown" value=page_ids(&flash.get_untracked()) />
                <ul>
                    <For each=move || flash.get() key=FlashMessage::identity let:message>
                        <FlashItem flash message focus />
                    </For>
                </ul>
                // Shown by the style sheet when there are several.
                <button class="flash-dismiss-all" name="dismiss" value="all" on:click=dismiss_all>
                    "Dismiss all"
                </button>
            </form>
        </section>
        // Not atomic: a text that stands there already is not read again with the next one.
        <div class="visually-hidden" role="status" aria-atomic="false" node_ref=announcer.polite></div>
        <div class="visually-hidden" role="alert" aria-atomic="false" node_ref=announcer.assertive></div>
    }
}

#[component]
fn FlashItem(flash: FlashMessages, message: FlashMessage, focus: FocusKeeper) -> impl IntoView {
    let data = page_data(&message);
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
            <input type="hidden" value=data data-flash />
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
        _ => level.to_string(),
    }
}

/// Two live regions that are empty in the first HTML: a screen reader announces only what changes.
/// They get their texts two frames after hydration, and at each arrival. Each text leaves after its
/// time, so that a reader does not come across it again.
#[derive(Clone, Copy, Default)]
struct Announcer {
    polite: NodeRef<Div>,
    assertive: NodeRef<Div>,
    announced: StoredValue<Vec<(Scope, i64)>>,
}

impl Announcer {
    fn announce(self, messages: Vec<FlashMessage>) {
        let mut known = self.announced.write_value();
        let (mut calm, mut urgent) = (Vec::new(), Vec::new());
        for message in messages {
            if !known.contains(&message.identity()) {
                known.push(message.identity());
                let text = format!("{}: {}", word(&message.level), message.text);
                if message.level >= Level::Warning {
                    urgent.push(text);
                } else {
                    calm.push(text);
                }
            }
        }
        for (region, texts) in [(self.polite, calm), (self.assertive, urgent)] {
            if let (Some(region), false) = (region.get_untracked(), texts.is_empty())
                && let Ok(line) = document().create_element("p")
            {
                line.set_text_content(Some(&texts.join(". ")));
                _ = region.append_child(&line);
                set_timeout(move || line.remove(), ANNOUNCEMENT);
            }
        }
    }
}

/// Long enough for a screen reader to read a text.
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
    /// Listens for F6, in the browser. Returns whether the messages are alive there.
    fn listen(self) -> bool {
        let section = self.section.get_untracked();
        // A copy is in its place when hydration failed, see start.js.
        let Some(section) = section.filter(|section| section.is_connected()) else {
            return false;
        };
        // For the life of the page.
        window_event_listener(leptos::ev::keydown, move |event| {
            if event.key() == "F6" && self.toggle() {
                event.prevent_default();
            }
        });
        // For tests.
        _ = section.set_attribute("data-hydrated", "");
        true
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
pub const MAX_MESSAGES: u32 = 500;

/// Without JavaScript: the page comes back without the dismissed message and with the others.
#[server(name = DismissMessages, prefix = "/api", endpoint = "dismiss_messages")]
pub async fn dismiss_messages(
    /// The id of a message, or `all`.
    dismiss: String,
    /// The ids of the messages that the page showed, with commas between them.
    #[server(default)]
    shown: String,
) -> Result<(), AppError> {
    use leptos_flash::flash;

    use crate::web::forms::redirect_back;

    let ids = |list: &str| {
        let ids = list.split(',').filter(|id| !id.is_empty()).map(str::parse);
        let ids: Vec<i64> = ids.collect::<Result<_, _>>().map_err(|_| {
            AppError::Form("the ids of the messages are not as the page sent them".to_owned())
        })?;
        if ids.len() > MAX_MESSAGES as usize {
            let error = format!("a page shows {MAX_MESSAGES} messages at most");
            return Err(AppError::Form(error));
        }
        Ok(ids)
    };
    let shown = ids(&shown)?;
    let dismissed = if dismiss == "all" {
        shown.clone()
    } else {
        ids(&dismiss)?
    };
    (flash()?.dismiss_from_page(&dismissed, &shown)).await?;
    redirect_back("#flashes");
    Ok(())
}
