//! Brings the region to life. It listens on the document and keeps all state in attributes, so whatever
//! happened to the page before, the messages work.

use std::cell::Cell;

use flash_messages::FlashMessage;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure, prelude::wasm_bindgen};
use web_sys::{
    Element, Event, EventTarget, HtmlElement, KeyboardEvent, MutationObserver,
    MutationObserverInit, PageTransitionEvent, PointerEvent,
};

use super::{announcer, calls, focus, list, notes, swipe, timers, top_layer};
use list::{MESSAGES, all};

pub fn page_messages() -> Vec<FlashMessage> {
    Vec::new()
}

/// Returns nothing: the HTML already has it.
pub fn style_path() -> &'static str {
    ""
}

/// Returns nothing: the HTML already has it.
pub fn note_shown_path() -> &'static str {
    ""
}

/// Brings the region in an island to life.
#[wasm_bindgen(js_name = FlashIsland)]
pub fn hydrate_island(_: HtmlElement) {
    come_alive();
}

/// Brings the region to life, soon. An app may render it again, and hydration may run an island twice.
pub fn come_alive() {
    // Hydration must find what the server has rendered, so the page changes after it. A page that is
    // prerendered has no frames until a person sees it.
    let prerendering = notes::is_prerendering();
    request_animation_frame(move || {
        start();
        if prerendering && !notes::is_prerendering() {
            calls::ask_for_the_rest();
        }
    });
}

fn start() {
    let still = ["[data-flash-region]:not([", list::ALIVE, "])"].concat();
    let Ok(Some(region)) = document().query_selector(&still) else {
        return;
    };
    _ = region.set_attribute(list::ALIVE, "");
    listen_once();
    top_layer::watch(&region);
    notes::note_page();
    list::drop_known();
    arrange();
    if let Ok(Some(list)) = region.query_selector("ul") {
        observe(&list, settle);
    }
    // A screen reader announces what changes in a live region, and those must be there for a while.
    request_animation_frame(|| request_animation_frame(settle));
}

fn listen_once() {
    thread_local! {
        static LISTENS: Cell<bool> = const { Cell::new(false) };
    }
    if LISTENS.replace(true) {
        return;
    }
    let names = [
        "click",
        "keydown",
        "focusin",
        "pointerdown",
        "pointermove",
        "pointerup",
        "pointercancel",
        "prerenderingchange",
    ];
    listen(&document(), &names);
    listen(&window(), &["pageshow"]);
}

/// Does what is due when messages came or left.
fn settle() {
    if list::setting("data-flash-count").is_some() {
        count_duplicates();
    }
    arrange();
    announcer::announce();
    timers::run();
}

/// Shows as many messages as the limit allows, errors first. The others wait.
fn arrange() {
    let limit = list::setting("data-flash-limit").and_then(|limit| limit.parse().ok());
    let limit = limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let items = all(MESSAGES);
    let mut waiting = items.len().saturating_sub(limit);
    if let Some(region) = list::region().filter(|region| region.has_attribute(SHOWS_ALL)) {
        if waiting == 0 {
            // The limit holds for those that come next.
            _ = region.remove_attribute(SHOWS_ALL);
        }
        waiting = 0;
    }
    let room = items.len() - waiting;
    let mut shown = 0;
    for errors in [true, false] {
        for item in items.iter().filter(|item| is_error(item) == errors) {
            // The focus must not be on something that is hidden.
            item.set_hidden(shown >= room && !focus::has_focus(item));
            shown += 1;
        }
    }
    for button in all("[data-flash-more-button]") {
        button.set_hidden(waiting == 0);
        if waiting > 0 {
            let text = list::setting("data-flash-more").unwrap_or_default();
            let text = text.replacen("{count}", &waiting.to_string(), 1);
            button.set_text_content(Some(&text));
        }
    }
}

/// The attribute of a region whose reader wants to see all messages.
const SHOWS_ALL: &str = "data-flash-all";

fn is_error(item: &Element) -> bool {
    item.get_attribute("data-flash-level").as_deref() == Some("error")
}

/// Merges each message with an earlier one that says the same.
fn count_duplicates() {
    let items = all(MESSAGES);
    for (place, item) in items.iter().enumerate() {
        let same = |other: &&HtmlElement| !list::is_sticky(other) && said(other) == said(item);
        if list::is_sticky(item) {
            continue;
        }
        if let Some(first) = items[..place].iter().find(same) {
            let times = |item: &Element| {
                let times = item.get_attribute("data-flash-times");
                times
                    .and_then(|times| times.parse::<u32>().ok())
                    .unwrap_or(1)
            };
            let sum = times(first) + times(item);
            _ = first.set_attribute("data-flash-times", &sum.to_string());
            // It came again: it is announced again, and gets its time again.
            _ = first.remove_attribute("data-flash-announced");
            if let Some(after) = item.get_attribute("data-flash-after") {
                _ = first.set_attribute("data-flash-after", &after);
            }
            list::remove(item);
        }
    }
}

/// Returns what a message says: its level, its key, its texts and where its link leads.
fn said(item: &Element) -> [Option<String>; 4] {
    let link = item.query_selector("[data-flash-slot=link]").ok().flatten();
    [
        item.get_attribute("data-flash-level"),
        item.get_attribute("data-flash-key"),
        item.text_content(),
        link.and_then(|link| link.get_attribute("href")),
    ]
}

fn click(event: &Event) {
    let target = target(event);
    let (Some(target), Some(region)) = (target, list::region()) else {
        return;
    };
    let closest = |selector: &str| {
        let found = target.closest(selector).ok()??;
        region.contains(Some(&found)).then_some(found)
    };
    if closest("[data-flash-more-button]").is_some() {
        _ = region.set_attribute(SHOWS_ALL, "");
        settle();
        // The button is gone.
        _ = region.focus();
    } else if let Some(button) = closest("[data-flash-dismiss]") {
        event.prevent_default();
        match closest("[data-flash-id]") {
            Some(item) => list::dismiss_item(item.unchecked_into()),
            None if button.get_attribute("value").as_deref() == Some("all") => {
                all(MESSAGES).into_iter().for_each(list::dismiss_item);
                focus::leave();
            }
            None => {}
        }
    }
}

/// Returns the element of an event.
pub fn target(event: &Event) -> Option<Element> {
    event.target()?.dyn_into().ok()
}

fn keydown(event: &KeyboardEvent) {
    match &*event.key() {
        "Escape" => {
            let message = document().active_element().and_then(|focused| {
                focused
                    .closest("[data-flash-region] [data-flash-id]")
                    .ok()?
            });
            if let Some(message) = message {
                // It would also close the dialog around.
                event.prevent_default();
                list::dismiss_item(message.unchecked_into());
            }
        }
        "F6" if focus::toggle() => event.prevent_default(),
        _ => {}
    }
}

/// Listens for the life of the page. One function for all events: each further one would add 0.3 KB of WASM.
fn listen(target: &EventTarget, names: &[&str]) {
    // `Fn`: to focus something inside a click fires an event at once.
    let react = Closure::<dyn Fn(Event)>::new(react);
    for name in names {
        _ = target.add_event_listener_with_callback(name, react.as_ref().unchecked_ref());
    }
    react.forget();
}

fn react(event: Event) {
    match &*event.type_() {
        "click" => click(&event),
        "keydown" => keydown(event.unchecked_ref()),
        "focusin" => focus::came_from(event.unchecked_ref()),
        "pageshow" => come_back(event.unchecked_ref()),
        "prerenderingchange" => {
            // While the page was prerendered, messages may have been pushed.
            notes::note_page();
            calls::ask_for_the_rest();
        }
        _ => {
            let event: &PointerEvent = event.unchecked_ref();
            if let ("pointerdown", Some(region)) = (&*event.type_(), list::region()) {
                let is_finger = event.pointer_type() == "touch";
                _ = region.toggle_attribute_with_force("data-flash-touched", is_finger);
            }
            swipe::react(event);
        }
    }
}

/// The back/forward cache restores a page with the messages that it had. Others may wait.
fn come_back(event: &PageTransitionEvent) {
    if event.persisted() {
        let shown = all(MESSAGES)
            .into_iter()
            .filter(|item| !list::is_sticky(item));
        shown.for_each(|item| list::remove(&item));
        calls::ask_for_the_rest();
    }
}

/// Reacts to each change of an element's children, for the life of the page.
fn observe(element: &Element, react: impl Fn() + 'static) {
    let react = Closure::<dyn Fn()>::new(react);
    if let Ok(observer) = MutationObserver::new(react.as_ref().unchecked_ref()) {
        let options = MutationObserverInit::new();
        options.set_child_list(true);
        _ = observer.observe_with_options(element, &options);
    }
    react.forget();
}
