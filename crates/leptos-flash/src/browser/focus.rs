//! Moves the focus when a message leaves: to the next message, the one before, back to where it came from,
//! or to the first heading. F6 goes to the messages and back.

use std::cell::RefCell;

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, FocusEvent, FocusOptions, HtmlElement};

use super::{
    list::{MESSAGES, all, region},
    region::target,
};

thread_local! {
    /// What had the focus before the messages got it.
    static BEFORE: RefCell<Option<HtmlElement>> = const { RefCell::new(None) };
}

/// Remembers what had the focus before the messages got it.
pub fn came_from(event: &FocusEvent) {
    let from = event
        .related_target()
        .map(JsCast::unchecked_into::<HtmlElement>);
    let to = target(event);
    if let Some(region) = region()
        && region.contains(to.as_deref())
        && !region.contains(from.as_deref().map(AsRef::as_ref))
    {
        BEFORE.set(from);
    }
}

/// Goes to the messages, or back. Returns whether the focus moved.
pub fn toggle() -> bool {
    let Some(region) = region() else { return false };
    if has_focus(&region) {
        leave();
        return true;
    }
    let any = !all(MESSAGES).is_empty();
    if any {
        _ = region.focus();
    }
    any
}

/// Goes from a message that is about to leave to its neighbour, if the focus is on it.
pub fn step_aside(leaving: &HtmlElement) {
    if !has_focus(leaving) {
        return;
    }
    let items: Vec<_> = all(MESSAGES)
        .into_iter()
        .filter(|item| !item.hidden())
        .collect();
    let place = items
        .iter()
        .position(|item| item == leaving)
        .unwrap_or_default();
    let neighbour = items
        .get(place + 1)
        .or(place.checked_sub(1).and_then(|place| items.get(place)));
    match neighbour {
        Some(neighbour) => enter(neighbour),
        None => leave(),
    }
}

/// Goes to the button of a message.
pub fn enter(item: &Element) {
    let button = item.query_selector("[data-flash-dismiss]").ok().flatten();
    focus(button.map(JsCast::unchecked_into));
}

/// Goes back to where the focus came from.
pub fn leave() {
    let before = BEFORE.take().filter(|element| element.is_connected());
    focus(before.or_else(heading));
}

/// Returns the first heading: of the page, or of the dialog that the messages are in.
fn heading() -> Option<HtmlElement> {
    let dialog = region()?.closest("dialog").ok()?;
    let heading = match dialog {
        Some(dialog) => dialog.query_selector("h1, h2, h3, h4"),
        None => document().query_selector("h1"),
    };
    let heading: HtmlElement = heading.ok()??.unchecked_into();
    if !heading.has_attribute("tabindex") {
        heading.set_tab_index(-1);
    }
    Some(heading)
}

/// Moves the focus, and not the page: a person may have scrolled since.
fn focus(element: Option<HtmlElement>) {
    let options = FocusOptions::new();
    options.set_prevent_scroll(true);
    if let Some(element) = element {
        _ = element.focus_with_options(&options);
    }
}

/// Returns whether the focus is in an element.
pub fn has_focus(element: &Element) -> bool {
    element.contains(document().active_element().as_deref())
}
