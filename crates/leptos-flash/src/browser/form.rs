//! Sends a plain form without a page load, see [`send_form`](crate::send_form).

use std::cell::Cell;

use flash_messages::{
    FlashMessage, is_local,
    wire::{CALL_HEADER, REDIRECT_HEADER},
};
use js_sys::{Array, Function, Reflect, RegExp};
use leptos::prelude::window;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{HtmlElement, HtmlFormElement, SubmitEvent, UrlSearchParams};

use super::{
    calls::{self, fetch, request, show_response, spawn},
    list, notes,
};

thread_local! {
    /// Whether the browser itself sends the form that is submitted now.
    static SENT_BY_BROWSER: Cell<bool> = const { Cell::new(false) };
}

pub fn send_form(event: SubmitEvent) {
    let form = (event.target()).and_then(|form| form.dyn_into::<HtmlFormElement>().ok());
    let (Some(form), Some(_)) = (form, list::region()) else {
        return;
    };
    if event.default_prevented() || SENT_BY_BROWSER.get() {
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
    spawn(Box::pin(async move {
        send(&form, button.as_ref(), &action, &body).await;
        _ = form.remove_attribute("aria-busy");
    }));
}

/// Selects the forms that `send_form` can send. It reads attributes, because a field named `action`
/// hides the property of the form.
const PLAIN_FORM: &str = "[method=post i]:not(:has([type=file]))\
    :is(:not([enctype]), [enctype='application/x-www-form-urlencoded' i])\
    :is(:not([target]), [target=''], [target=_self i])";

/// Selects the buttons that change how the browser sends the form.
const OVERRIDES: &str = "[formaction], [formmethod], [formenctype], [formtarget]";

/// Returns the path and the body of the request that the browser would send. Returns `None` if only the
/// browser can send it.
fn plain_post(form: &HtmlFormElement, button: Option<&HtmlElement>) -> Option<(String, String)> {
    let overrides = |button: &HtmlElement| button.matches(OVERRIDES).ok();
    if !form.matches(PLAIN_FORM).ok()? || button.and_then(overrides) == Some(true) {
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
        return show_lost(form);
    };
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok()?;
    show_response(&header, &cookies);
    if response.redirected() {
        load_page(&response.url());
    } else if let (Some(_), Some(page)) = (header(REDIRECT_HEADER), header("location")) {
        load_page(&page);
    } else if response.ok() || header(CALL_HEADER).is_some() {
        // It has worked, or the list has the reason why not.
    } else if response.status() >= 500 {
        show_lost(form);
    } else {
        // The server has done nothing, so the browser may send the form again and show the reason.
        SENT_BY_BROWSER.set(true);
        _ = match button {
            Some(button) => form.request_submit_with_submitter(Some(button)),
            None => form.request_submit(),
        };
        SENT_BY_BROWSER.set(false);
    }
}

/// Shows that the outcome is unknown. The form is not sent again, because the server may have done it.
fn show_lost(form: &HtmlFormElement) {
    match form.get_attribute("data-flash-lost") {
        Some(text) => list::show(FlashMessage::error(text)),
        None => calls::show_lost(),
    }
}

/// Loads a page, even if it differs from the current one only in the fragment.
fn load_page(page: &str) {
    // `javascript:` would run a script.
    if !is_local(page) && !page.starts_with("http") {
        return;
    }
    let location = window().location();
    _ = location.set_href(page);
    // If only the fragment differs, the address has changed already and the browser loads nothing.
    let parts = [location.pathname(), location.search(), location.hash()];
    if page.contains('#') && parts.map(Result::unwrap_or_default).concat() == page {
        _ = location.reload();
    }
}
