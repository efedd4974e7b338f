//! Dismisses messages that leave by themselves, when there was time to read them.

use std::{cell::Cell, time::Duration};

use leptos::prelude::*;

use super::list::{MESSAGES, all, dismiss_item, region};

const TICK: Duration = Duration::from_secs(1);

thread_local! {
    static RUNNING: Cell<Option<IntervalHandle>> = const { Cell::new(None) };
}

/// Starts the clock if a message leaves by itself, and stops it if none does.
pub fn run() {
    let some_leave = all(MESSAGES).iter().any(|item| item.has_attribute(AFTER));
    match (RUNNING.get(), some_leave) {
        (None, true) => RUNNING.set(set_interval_with_handle(tick, TICK).ok()),
        (Some(running), false) => {
            running.clear();
            RUNNING.set(None);
        }
        _ => {}
    }
}

/// The attribute with the milliseconds that are left.
const AFTER: &str = "data-flash-after";

fn tick() {
    if is_held() {
        return;
    }
    for item in all(MESSAGES) {
        let after = item
            .get_attribute(AFTER)
            .and_then(|after| after.parse::<i32>().ok());
        if let (Some(after), false) = (after, item.hidden()) {
            let left = after - TICK.as_millis() as i32;
            _ = item.set_attribute(AFTER, &left.to_string());
            if left <= 0 {
                dismiss_item(item);
            }
        }
    }
}

/// Returns whether time stands still: the pointer or the focus is on the messages, the tab is hidden, or
/// its window has not the focus.
fn is_held() -> bool {
    // Where a finger was last, `:hover` stays: it has no pointer that could leave.
    let held = ":hover:not([data-flash-touched]), :focus-visible, :has(:focus-visible)";
    let held = |region: web_sys::HtmlElement| region.matches(held).ok();
    document().hidden()
        || !document().has_focus().unwrap_or(true)
        || region().and_then(held).unwrap_or_default()
}
