//! Lets a finger push a message aside.

use std::cell::RefCell;

use wasm_bindgen::JsCast;
use web_sys::{HtmlElement, PointerEvent};

use super::{list, region};

/// A message under a finger.
struct Swipe {
    item: HtmlElement,
    pointer: i32,
    /// Where the finger began, in CSS pixels.
    x: i32,
}

thread_local! {
    static SWIPE: RefCell<Option<Swipe>> = const { RefCell::new(None) };
}

/// The part of a message's width that pushes it aside.
const ENOUGH: f64 = 0.35;

pub fn react(event: &PointerEvent) {
    if event.pointer_type() != "touch" || !event.is_primary() {
        return;
    }
    match &*event.type_() {
        "pointerdown" => begin(event),
        "pointermove" => with(event, |swipe, moved| {
            let translate = [&moved.to_string(), "px"].concat();
            _ = swipe.item.set_attribute("data-flash-swiping", "");
            _ = swipe.item.style().set_property("translate", &translate);
        }),
        "pointerup" => {
            with(event, |swipe, moved| {
                _ = swipe.item.remove_attribute("data-flash-swiping");
                if f64::from(moved.abs()) > ENOUGH * f64::from(swipe.item.offset_width()) {
                    // It goes on where the finger sent it.
                    let translate = if moved > 0 { "100%" } else { "-100%" };
                    _ = swipe.item.style().set_property("translate", translate);
                    list::dismiss_item(swipe.item.clone());
                } else {
                    _ = swipe.item.style().remove_property("translate");
                }
            });
            SWIPE.set(None);
        }
        // The browser scrolls instead.
        _ => {
            if let Some(swipe) = SWIPE.take() {
                _ = swipe.item.remove_attribute("data-flash-swiping");
                _ = swipe.item.style().remove_property("translate");
            }
        }
    }
}

fn begin(event: &PointerEvent) {
    let item = region::target(event)
        .and_then(|target| target.closest("[data-flash-region] .flash").ok()?);
    if let Some(item) = item {
        SWIPE.set(Some(Swipe {
            item: item.unchecked_into(),
            pointer: event.pointer_id(),
            x: event.client_x(),
        }));
    }
}

/// Calls `react` with the message under this finger, and the pixels that it has moved.
fn with(event: &PointerEvent, react: impl Fn(&Swipe, i32)) {
    SWIPE.with_borrow(|swipe| {
        if let Some(swipe) = swipe
            .as_ref()
            .filter(|swipe| swipe.pointer == event.pointer_id())
        {
            react(swipe, event.client_x() - swipe.x);
        }
    });
}
