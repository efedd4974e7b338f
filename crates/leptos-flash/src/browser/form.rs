//! Sends a plain form without a page load.

use std::cell::Cell;

use flash_messages::{
    FlashMessage, is_local,
    wire::{CALL_HEADER, REDIRECT_HEADER},
};
use js_sys::{Array, Date, Function, Reflect, RegExp};
use leptos::{prelude::window, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Headers, HtmlElement, HtmlFormElement, RequestInit, Response, SubmitEvent, Url, UrlSearchParams,
};

use super::{
    notes,
    page::{LIST, show_from},
};

thread_local! {
    /// The browser is to send the form that is submitted now.
    static BY_BROWSER: Cell<bool> = const { Cell::new(false) };
}

/// Unless the form says it in its own words: `data-flash-lost`.
const LOST: &str =
    "No answer came. It may have worked all the same: look before you send it again.";

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

/// Returns address and body of the request, as the browser would send it. None for a request that only
/// the browser can send.
fn plain_post(form: &HtmlFormElement, button: Option<&HtmlElement>) -> Option<(String, String)> {
    // By attributes: a field named `action` hides the property of the form.
    let is = |name: &str, values: [&str; 2]| {
        let value = form.get_attribute(name).unwrap_or_default();
        values
            .iter()
            .any(|allowed| value.eq_ignore_ascii_case(allowed))
    };
    let overrides = ["formaction", "formmethod", "formenctype", "formtarget"];
    let is_plain = is("method", ["post", "post"])
        && is("enctype", ["", "application/x-www-form-urlencoded"])
        && is("target", ["", "_self"])
        && !overrides
            .iter()
            .any(|name| button.is_some_and(|button| button.has_attribute(name)))
        && form.query_selector("[type=file]").ok()?.is_none();
    let action = form
        .get_attribute("action")
        .filter(|action| is_plain && is_local(action))?;
    // web-sys has no constructor with a button yet.
    let constructor: Function = Reflect::get(&window(), &"FormData".into())
        .ok()?
        .dyn_into()
        .ok()?;
    let button = button.map_or(JsValue::NULL, JsValue::from);
    let fields = Reflect::construct(&constructor, &Array::of2(form, &button)).ok()?;
    let body = UrlSearchParams::new_with_str_sequence_sequence(&fields).ok()?;
    // Browsers send each line break as CR LF.
    let line_break = RegExp::new("%0D%0A|%0D|%0A", "g");
    let body = body.to_string().replace_by_pattern(&line_break, "%0D%0A");
    Some((action, body.into()))
}

async fn send(form: &HtmlFormElement, button: Option<&HtmlElement>, action: &str, body: &str) {
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&body.into());
    if let Ok(headers) = Headers::new() {
        _ = headers.set("accept", "application/json");
        _ = headers.set("content-type", "application/x-www-form-urlencoded");
        _ = headers.set(CALL_HEADER, "islands");
        init.set_headers(&headers);
    }
    let cookies = notes::cookies();
    let Ok(response) = JsFuture::from(window().fetch_with_str_and_init(action, &init)).await else {
        return say_lost(form);
    };
    let response = response.unchecked_into::<Response>();
    let headers = response.headers();
    let header = |name: &str| headers.get(name).ok()?;
    show_from(header, &cookies);
    if response.redirected() {
        go_to(&response.url());
    } else if let (Some(_), Some(page)) = (header(REDIRECT_HEADER), header("location")) {
        go_to(&page);
    } else if response.status() >= 500 && header(CALL_HEADER).is_none() {
        say_lost(form);
    } else if !response.ok() && header(CALL_HEADER).is_none() {
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
    let location = window().location();
    let here = location.href().unwrap_or_default();
    let Ok(page) = Url::new_with_base(page, &here) else {
        return;
    };
    // A redirect never runs a script.
    if !page.protocol().starts_with("http") {
        return;
    }
    let page = page.href();
    _ = location.set_href(&page);
    let without_fragment = |page: &str| page.split('#').next().map(str::to_owned);
    if page.contains('#') && without_fragment(&page) == without_fragment(&here) {
        _ = location.reload();
    }
}
