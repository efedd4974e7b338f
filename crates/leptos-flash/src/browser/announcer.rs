//! Announces messages to screen readers: by `ariaNotify` where the browser has it, else in live regions.

use std::time::Duration;

use js_sys::{Function, Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Element, HtmlElement};

use super::list::{MESSAGES, all};

/// Announces the messages on screen that were not announced yet. Warnings and errors interrupt.
pub fn announce() {
    let (mut calm, mut urgent) = (Vec::new(), Vec::new());
    for item in all(MESSAGES) {
        if !item.hidden() && !item.has_attribute("data-flash-announced") {
            _ = item.set_attribute("data-flash-announced", "");
            let level = item.get_attribute("data-flash-level").unwrap_or_default();
            let texts = match &*level {
                "warning" | "error" => &mut urgent,
                _ => &mut calm,
            };
            texts.push(said(&item));
        }
    }
    for (role, priority, texts) in [("status", "normal", calm), ("alert", "high", urgent)] {
        if !texts.is_empty() {
            let text = texts.join(". ");
            if !notify(&text, priority) {
                write(role, &text);
            }
        }
    }
}

/// Returns what is announced: the word for the level, the title and the text.
fn said(item: &HtmlElement) -> String {
    let slot = |name: &str| {
        let slot = item
            .query_selector(&["[data-flash-slot=", name, "]"].concat())
            .ok()??;
        slot.text_content()
    };
    let word = item.get_attribute("data-flash-word").unwrap_or_default();
    let texts: Vec<_> = ["title", "text"]
        .iter()
        .filter_map(|name| slot(name))
        .collect();
    [word, texts.join(". ")].join(": ")
}

/// Calls `document.ariaNotify` (<https://w3c.github.io/aria/#ARIANotifyMixin>). Returns whether the browser
/// has it. web-sys has no binding yet.
fn notify(text: &str, priority: &str) -> bool {
    let document: JsValue = document().into();
    let function = Reflect::get(&document, &"ariaNotify".into()).ok();
    let Some(function) = function.and_then(|function| function.dyn_into::<Function>().ok()) else {
        return false;
    };
    let options = Object::new();
    _ = Reflect::set(&options, &"priority".into(), &priority.into());
    function.call2(&document, &text.into(), &options).is_ok()
}

/// Writes a text into a live region. It leaves after its time, so that a reader does not come across it
/// again.
fn write(role: &str, text: &str) {
    let regions = all(&["[data-flash-status][role=", role, "]"].concat());
    if let (Some(region), Ok(line)) = (regions.first(), document().create_element("p")) {
        line.set_text_content(Some(text));
        _ = region.append_child(&line);
        set_timeout(move || Element::remove(&line), ANNOUNCEMENT);
    }
}

/// Long enough for a screen reader to read a text.
const ANNOUNCEMENT: Duration = Duration::from_secs(3);
