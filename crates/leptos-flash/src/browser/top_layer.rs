//! Keeps the messages usable above an open modal dialog. All outside of it is inert, so the region moves
//! into it, and back when it closes.

use js_sys::{Array, Function, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{Comment, Element, MutationObserver, MutationObserverInit, MutationRecord, Node};

/// Watches which modal dialogs are open.
pub fn watch(region: &Element) {
    // It marks where the region belongs.
    let home: Node = match Comment::new() {
        Ok(comment) => comment.into(),
        Err(_) => return,
    };
    let region = region.clone();
    if let Some(parent) = region.parent_node() {
        _ = parent.insert_before(&home, Some(&region));
    }
    let react =
        Closure::<dyn Fn(Array)>::new(move |changes: Array| place(&region, &home, &changes));
    if let Ok(observer) = MutationObserver::new(react.as_ref().unchecked_ref()) {
        let options = MutationObserverInit::new();
        options.set_subtree(true);
        // A dialog may also be removed while it is open.
        options.set_child_list(true);
        options.set_attribute_filter(&Array::of1(&"open".into()));
        _ = observer.observe_with_options(&document(), &options);
    }
    react.forget();
}

fn place(region: &Element, home: &Node, changes: &Array) {
    let is_modal = |element: &Element| element.matches("dialog:modal").unwrap_or_default();
    let opened = |change: JsValue| {
        let change: MutationRecord = change.unchecked_into();
        let dialog: Element = change.target()?.unchecked_into();
        (change.type_() == "attributes" && is_modal(&dialog)).then_some(dialog)
    };
    let opened = changes.iter().filter_map(opened).next_back();
    let around = region.closest("dialog").ok().flatten();
    let around = around.filter(|dialog| region.is_connected() && is_modal(dialog));
    let other = || {
        let open = document().query_selector_all("dialog:modal").ok()?;
        let last = open.get(open.length().checked_sub(1)?)?;
        Some(last.unchecked_into::<Element>())
    };
    match opened.or(around).or_else(other) {
        // The app may have taken the region off its page.
        Some(_) if !region.is_connected() && !region.has_attribute(AWAY) => {}
        Some(dialog) if region.parent_element().as_ref() != Some(&dialog) => {
            _ = region.set_attribute(AWAY, "");
            move_before(&dialog, region, dialog.first_child());
        }
        None if region.has_attribute(AWAY) => {
            _ = region.remove_attribute(AWAY);
            if let Some(parent) = home.parent_node() {
                move_before(&parent, region, home.next_sibling());
            }
        }
        _ => {}
    }
}

/// The attribute of a region that is in a dialog.
const AWAY: &str = "data-flash-away";

/// Moves an element, with its focus and transitions where the browser has `moveBefore`, which web-sys has
/// no binding for yet.
fn move_before(parent: &Node, element: &Element, before: Option<Node>) {
    let function = Reflect::get(parent, &"moveBefore".into()).ok();
    let function = function.and_then(|function| function.dyn_into::<Function>().ok());
    let before_value = before.clone().map_or(JsValue::NULL, JsValue::from);
    // It fails for an element that is not in the document.
    let moved =
        function.is_some_and(|function| function.call2(parent, element, &before_value).is_ok());
    if !moved {
        _ = parent.insert_before(element, before.as_ref());
    }
}
