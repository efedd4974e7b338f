//! Sends a plain form without a page load.

use std::cell::Cell;

use flash_messages::{
    FlashMessage, is_local,
    wire::{CALL_HEADER, REDIRECT_HEADER},
};
use js_sys::{Array, Date, Function, Reflect, RegExp};
use leptos::{prelude::window, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlElement, HtmlFormElement, SubmitEvent, UrlSearchParams};

use super::{
    notes,
    page::{LIST, fetch, request, show_from},
};

thread_local! {
    /// The browser is to send the form that is submitted now.
    static BY_BROWSER: Cell<bool> = const { Cell::new(false) };
}

/// Unless the form says it in its own words: `data-flash-lost`.
const LOST: &str = "It is not certain that this worked: look before you send it again.";

pub fn send_form(event: SubmitEvent) {
    let form = (event.target()).and_then(|form| form.dyn_into::<HtmlFormElement>().ok());
    let (Some(form), Some(_)) = (form, LIST.get()) else {
        return;
    };
    if event.default_prevented() || BY_BROWSER.get() {
        return;
    }
    let button = event.submitter();
    let Some((action, body)) = plain_post(&form, button.as_ref()) else {
        return;
    };
    event.prevent_default();
    // The second click of a double click sends nothing.
    if form.has_attribute("aria-busy") {
        return;
    }
    _ = form.set_attribute("aria-busy", "true");
    spawn_local(async move {
        send(&form, button.as_ref(), &action, &body).await;
        _ = form.remove_attribute("aria-busy");
    });
}

/// What `send_form` sends. By attributes: a field named `action` hides the property of the form.
const PLAIN: &str = "[method=post i]:not(:has([type=file]))\
    :is(:not([enctype]), [enctype='application/x-www-form-urlencoded' i])\
    :is(:not([target]), [target=''], [target=_self i])";
const OVERRIDES: &str = "[formaction], [formmethod], [formenctype], [formtarget]";

/// Returns address and body of the request, as the browser would send it. None for a request that only
/// the browser can send.
fn plain_post(form: &HtmlFormElement, button: Option<&HtmlElement>) -> Option<(String, String)> {
    let overrides = |button: &HtmlElement| button.matches(OVERRIDES).ok();
    if !form.matches(PLAIN).ok()? || button.and_then(overrides) == Some(true) {
        return None;
    }
    let action = form
        .get_attribute("action")
        .filter(|action| is_local(action))?;
    // web-sys has no constructor with a button yet.
    let constructor = Reflect::get(&window(), &"FormData".into()).ok()?;
    let button = button.map_or(JsValue::NULL, JsValue::from);
    let arguments = Array::of2(form, &button);
    let fields = Reflect::construct(constructor.unchecked_ref::<Function>(), &arguments).ok()?;
    let body = UrlSearchParams::new_with_str_sequence_sequence(&fields).ok()?;
    // Browsers send each line break as CR LF.
    let line_break = RegExp::new("%0D%0A|%0D|%0A", "g");
    let body = body.to_string().replace_by_pattern(&line_break, "%0D%0A");
    Some((action, body.into()))
}

async fn send(form: &HtmlFormElement, button: Option<&HtmlElement>, action: &str, body: &str) {
    let cookies = notes::cookies();
    let headers = [
        ("accept", "application/json"),
        ("content-type", "application/x-www-form-urlencoded"),
        (CALL_HEADER, "islands"),
    ];
    let init = request(&headers);
    init.set_method("POST");
    init.set_body(&body.into());
    let Some(response) = fetch(action, &init).await else {
        return say_lost(form);
    };
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok()?;
    show_from(&header, &cookies);
    if response.redirected() {
        go_to(&response.url());
    } else if let (Some(_), Some(page)) = (header(REDIRECT_HEADER), header("location")) {
        go_to(&page);
    } else if response.ok() || header(CALL_HEADER).is_some() {
        // It is done, or the list says why not.
    } else if response.status() >= 500 {
        say_lost(form);
    } else {
        // Refused, so nothing was done: the browser shows the page that says why.
        BY_BROWSER.set(true);
        _ = match button {
            Some(button) => form.request_submit_with_submitter(Some(button)),
            None => form.request_submit(),
        };
        BY_BROWSER.set(false);
    }
}

/// Nothing is sent again: the server may have done it.
fn say_lost(form: &HtmlFormElement) {
    let text = form.get_attribute("data-flash-lost");
    let mut message = FlashMessage::error(text.as_deref().unwrap_or(LOST));
    // The server knows nothing of it: its ids are positive.
    message.id = -Date::now() as i64;
    if let Some(list) = LIST.get() {
        list.arrive(vec![message], false);
    }
}

/// Loads a page, also where only the fragment differs from the page that is there.
fn go_to(page: &str) {
    // A redirect never runs a script.
    if !is_local(page) && !page.starts_with("http") {
        return;
    }
    let location = window().location();
    _ = location.set_href(page);
    // Only a fragment changes the address at once: the browser has moved there and loaded nothing.
    let parts = [location.pathname(), location.search(), location.hash()];
    if page.contains('#') && parts.map(Result::unwrap_or_default).concat() == page {
        _ = location.reload();
    }
}
