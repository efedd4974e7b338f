//! Adds, dismisses and removes the messages on the page. Their elements have all state in attributes.

use std::{cell::Cell, time::Duration};

use flash_messages::{FlashMessage, Scope};
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, HtmlTemplateElement};

use super::{calls::post_dismissal, focus, notes};
use crate::{
    list::FlashMessages,
    reading_time::ReadingTime,
    region::{OTHER, TEXT, milliseconds},
};

thread_local! {
    /// The list of a fully hydrated app, which renders the messages.
    static REACTIVE: Cell<Option<FlashMessages>> = const { Cell::new(None) };
    /// The id of the next message that is born here. It is negative, because those of the server are
    /// positive.
    static NEXT_ID: Cell<i64> = const { Cell::new(-1) };
}

pub fn attach(messages: FlashMessages) {
    REACTIVE.set(Some(messages));
}

/// Returns whether the app's router follows redirects without a page load.
pub fn navigates_in_place() -> bool {
    REACTIVE.get().is_some()
}

/// The attribute of a region that is alive.
pub const ALIVE: &str = "data-hydrated";

/// Returns the region, if it is alive.
pub fn region() -> Option<HtmlElement> {
    let alive = ["[data-flash-region][", ALIVE, "]"].concat();
    let region = document().query_selector(&alive).ok()??;
    Some(region.unchecked_into())
}

/// Returns the elements that match a selector in the region, in their order.
pub fn all(selector: &str) -> Vec<HtmlElement> {
    region().map_or_else(Vec::new, |region| select(&region, selector))
}

fn select(within: &Element, selector: &str) -> Vec<HtmlElement> {
    let Ok(found) = within.query_selector_all(selector) else {
        return Vec::new();
    };
    let found = (0..found.length()).filter_map(|number| found.get(number));
    found.map(JsCast::unchecked_into).collect()
}

/// The messages. One that is leaving has no id any more.
pub const MESSAGES: &str = "[data-flash-id]";

/// Returns a setting of the region.
pub fn setting(name: &str) -> Option<String> {
    region()?.get_attribute(name)
}

pub fn reading_time() -> Option<ReadingTime> {
    setting("data-flash-time")?.parse().ok()
}

/// Shows a message that was born in the browser.
pub fn show(mut message: FlashMessage) {
    message.id = NEXT_ID.replace(NEXT_ID.get() - 1);
    add(vec![message], false);
}

/// Adds messages. One with the key of a message takes its place.
pub fn add(messages: Vec<FlashMessage>, with_redirect: bool) {
    if let Some(list) = REACTIVE.get() {
        return list.add(messages, with_redirect);
    }
    for message in messages {
        let here = all(MESSAGES);
        if here
            .iter()
            .any(|item| identity(item) == Some(message.identity()))
        {
            continue;
        }
        let Some(item) = element(&message) else {
            continue;
        };
        let same_key = |old: &&HtmlElement| {
            message.key.is_some() && old.get_attribute("data-flash-key") == message.key
        };
        if let Some(old) = here.iter().find(same_key) {
            let has_focus = focus::has_focus(old);
            _ = old.replace_with_with_node_1(&item);
            if has_focus {
                focus::enter(&item);
            }
        } else if let Some(list) = region().and_then(|region| region.query_selector("ul").ok()?) {
            _ = list.append_child(&item);
        }
    }
}

/// Returns the scope and the id of a message.
pub fn identity(item: &Element) -> Option<(Scope, i64)> {
    let scope = item.get_attribute("data-flash-scope")?.parse().ok()?;
    Some((scope, item.get_attribute("data-flash-id")?.parse().ok()?))
}

/// Returns whether a message is sticky.
pub fn is_sticky(item: &Element) -> bool {
    item.has_attribute("data-flash-sticky")
}

/// Fills a copy of the template for the message's level. It sets texts and attributes, never markup.
fn element(message: &FlashMessage) -> Option<HtmlElement> {
    let region = region()?;
    let level = message.level.as_str();
    let template = |name: &str| {
        let selector = ["template[data-flash-template=", name, "]"].concat();
        let template = region.query_selector(&selector).ok()??;
        Some(template.unchecked_into::<HtmlTemplateElement>())
    };
    let template = template(level).or_else(|| template(OTHER))?;
    let item = template.content().first_element_child()?;
    let item: HtmlElement = item.clone_node_with_deep(true).ok()?.unchecked_into();
    let set = |name: &str, value: &str| _ = item.set_attribute(name, value);
    item.set_class_name(&("flash flash-".to_owned() + level));
    set("data-flash-id", &message.id.to_string());
    set("data-flash-scope", &message.scope.to_string());
    set("data-flash-level", level);
    if message.sticky {
        set("data-flash-sticky", "");
        _ = item.class_list().add_1("flash-sticky");
    }
    if let Some(key) = &message.key {
        set("data-flash-key", key);
    }
    if let Some(after) = milliseconds(message) {
        set("data-flash-after", &after.to_string());
    }
    let mut word = item.get_attribute("data-flash-word").unwrap_or_default();
    if word == OTHER {
        word = level.to_owned();
        set("data-flash-word", level);
    }
    for slot in select(&item, "[data-flash-slot]") {
        fill(&slot, message, &word);
    }
    for button in select(&item, "[data-flash-dismiss]") {
        _ = button.set_attribute("value", &message.id.to_string());
        if let Some(label) = button.get_attribute("aria-label") {
            let text = message.title.as_ref().unwrap_or(&message.text);
            let label = label.replacen(OTHER, &word, 1).replacen(TEXT, text, 1);
            _ = button.set_attribute("aria-label", &label);
        }
    }
    Some(item)
}

/// Fills a slot, or removes it if the message has nothing for it.
fn fill(slot: &Element, message: &FlashMessage, word: &str) {
    let name = slot.get_attribute("data-flash-slot").unwrap_or_default();
    _ = slot.class_list().add_1(&("flash-".to_owned() + &name));
    let text = match (&*name, &message.link) {
        ("text", _) => Some(&*message.text),
        ("title", _) => message.title.as_deref(),
        ("word", _) => Some(word),
        ("link", Some(link)) => {
            _ = slot.set_attribute("href", &link.href);
            Some(&*link.text)
        }
        // It has its text.
        ("stays", _) if message.sticky => return,
        _ => None,
    };
    match text {
        Some(text) => slot.set_text_content(Some(text)),
        None => slot.remove(),
    }
}

/// Dismisses the message of an id.
pub fn dismiss(id: i64) {
    let id = id.to_string();
    let is_it = |item: &HtmlElement| item.get_attribute("data-flash-id").as_deref() == Some(&id);
    if let Some(item) = all(MESSAGES).into_iter().find(is_it) {
        return dismiss_item(item);
    }
    // An app may show the list without a region.
    let Some(list) = REACTIVE.get() else { return };
    if let Some(message) = list
        .get_untracked()
        .iter()
        .find(|message| message.id.to_string() == id)
    {
        if message.sticky {
            post_dismissal(&id);
        }
        list.remove(message.identity());
    }
}

/// Dismisses a message, here and, if it is sticky, on the server.
pub fn dismiss_item(item: HtmlElement) {
    // The server doesn't know messages that were born here.
    if let (true, Some((_, id @ 1..))) = (is_sticky(&item), identity(&item)) {
        post_dismissal(&id.to_string());
    }
    focus::step_aside(&item);
    let remove = retire(&item);
    _ = item.set_attribute("data-flash-leaving", "");
    let seconds = leaving_time(&item);
    if seconds == 0.0 {
        remove();
    } else {
        set_timeout(remove, Duration::from_millis((seconds * 1000.0) as u64));
    }
}

/// Takes the id off a message, so that it does not count any more. Returns the function that removes it.
fn retire(item: &Element) -> impl FnOnce() + 'static + use<> {
    let (identity, item) = (identity(item), item.clone());
    _ = item.remove_attribute("data-flash-id");
    move || match (REACTIVE.get(), identity) {
        (Some(list), Some(identity)) => list.remove(identity),
        _ => item.remove(),
    }
}

/// Returns the seconds of the longest transition of an element.
fn leaving_time(item: &Element) -> f64 {
    let style = window().get_computed_style(item).ok().flatten();
    let times = style.and_then(|style| style.get_property_value("transition-duration").ok());
    // A computed time is in seconds.
    let times = times.unwrap_or_default();
    let seconds = times
        .split(',')
        .map(|time| js_sys::parse_float(time.trim()));
    seconds.fold(0.0, f64::max)
}

/// Removes a message at once.
pub fn remove(item: &Element) {
    retire(item)();
}

/// Removes the message with a key.
pub fn remove_key(key: &str) {
    if let Some(list) = REACTIVE.get() {
        let messages = list.get_untracked();
        let has_key = |message: &&FlashMessage| message.key.as_deref() == Some(key);
        (messages.iter().filter(has_key)).for_each(|message| list.remove(message.identity()));
        return;
    }
    let has_key = |item: &HtmlElement| item.get_attribute("data-flash-key").as_deref() == Some(key);
    let items = all(MESSAGES).into_iter().filter(has_key);
    items.for_each(|item| remove(&item));
}

/// Returns the identities of a message that is not sticky, and of those that are equal to it. Messages
/// that were born here have none.
pub fn identities(item: &Element) -> Vec<(Scope, i64)> {
    let Some((scope, id)) = identity(item).filter(|(_, id)| *id > 0 && !is_sticky(item)) else {
        return Vec::new();
    };
    let also = item.get_attribute("data-flash-also").unwrap_or_default();
    let also = also.split(',').filter_map(|id| id.parse().ok());
    [id].into_iter().chain(also).map(|id| (scope, id)).collect()
}

/// Removes the messages that this tab has shown before, and remembers the others.
pub fn drop_known() {
    for item in all(MESSAGES) {
        let identities = identities(&item);
        if !identities.is_empty() && identities.iter().all(|identity| !notes::is_new(*identity)) {
            remove(&item);
        } else {
            notes::remember(identities.into_iter());
        }
    }
}
