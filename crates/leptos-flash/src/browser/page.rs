//! Connects the list on the page with the HTML and with the responses to calls.

use std::cell::Cell;

use flash_messages::{
    FlashMessage,
    wire::{CALL_HEADER, MORE_HEADER, NOTED_HEADER, REDIRECT_HEADER},
};
use js_sys::{Array, JSON, Reflect};
use leptos::{
    prelude::*,
    server_fn::{ServerFn, request::browser::BrowserRequest, response::browser::BrowserResponse},
    task::spawn_local,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, HtmlInputElement, PageTransitionEvent, RequestInit, Response};

use super::notes;
use crate::{dismiss::DismissFlash, list::FlashMessages};

thread_local! {
    /// The list on the page. A page has one thread and one list.
    pub static LIST: Cell<Option<FlashMessages>> = const { Cell::new(None) };
    /// Whether the app's router follows redirects of server functions, without a page load.
    static IN_PLACE: Cell<bool> = const { Cell::new(false) };
}

pub fn page_messages() -> Vec<FlashMessage> {
    let Ok(inputs) = document().query_selector_all("input[data-flash]") else {
        return Vec::new();
    };
    (0..inputs.length())
        .filter_map(|index| inputs.get(index)?.dyn_into::<HtmlInputElement>().ok())
        .filter_map(|input| message_of(&JSON::parse(&input.value()).ok()?))
        .collect()
}

/// Returns nothing: the HTML already has it.
pub fn page_data(_: &FlashMessage) -> String {
    String::new()
}

/// Returns nothing: the HTML already has it.
pub fn page_ids(_: &[FlashMessage]) -> String {
    String::new()
}

/// Returns a message from JSON that the browser has parsed. serde's parser would add 30 KB of WASM.
fn message_of(json: &JsValue) -> Option<FlashMessage> {
    let field = |name: &str| Reflect::get(json, &name.into()).ok();
    let text = |name: &str| field(name)?.as_string();
    let flag = |name: &str| field(name).is_some_and(|value| value.is_truthy());
    let mut message = FlashMessage::new(text("level")?.parse().ok()?, text("text")?);
    // An id is below 2^53, so `f64` is exact.
    message.id = field("id")?.as_f64()? as i64;
    message.scope = text("scope")
        .and_then(|scope| scope.parse().ok())
        .unwrap_or_default();
    message.title = text("title");
    message.key = text("key");
    message.sticky = flag("sticky");
    message.auto_dismiss = flag("auto_dismiss");
    let link = field("link").filter(JsValue::is_object);
    let part = |name: &str| Reflect::get(link.as_ref()?, &name.into()).ok()?.as_string();
    Some(match (part("href"), part("text")) {
        (Some(href), Some(text)) => message.link(href, text),
        _ => message,
    })
}

pub fn attach(messages: FlashMessages) {
    LIST.set(Some(messages));
    notes::note_page(&messages.get_untracked());
    // Hydration must find what the server has rendered, so the list changes after it.
    request_animation_frame(move || {
        if LIST.get().is_none() {
            return;
        }
        messages.retain(|message| message.sticky || notes::is_new(message));
        notes::remember(&messages.get_untracked());
        // The back/forward cache restores a page with the messages that it had.
        let handle = window_event_listener_untyped("pageshow", move |event| {
            if event.unchecked_into::<PageTransitionEvent>().persisted() {
                messages.retain(|message| message.sticky);
            }
        });
        std::mem::forget(handle);
    });
}

pub fn detach() {
    LIST.set(None);
}

/// Says that the app's router follows redirects of server functions, without a page load.
pub fn set_navigates_in_place() {
    IN_PLACE.set(true);
}

pub fn dismiss(id: i64) {
    let init = request(&[("content-type", "application/x-www-form-urlencoded")]);
    init.set_method("POST");
    // The request continues if the browser leaves the page. web-sys has no setter for it yet.
    _ = Reflect::set(&init, &"keepalive".into(), &true.into());
    init.set_body(&JsValue::from_str(&format!("id={id}")));
    _ = window().fetch_with_str_and_init(DismissFlash::PATH, &init);
}

/// Returns the options of a request with these headers.
pub fn request(headers: &[(&str, &str)]) -> RequestInit {
    let init = RequestInit::new();
    if let Ok(all) = Headers::new() {
        for (name, value) in headers {
            _ = all.set(name, value);
        }
        init.set_headers(&all);
    }
    init
}

/// Returns the response, or `None` if it gets lost.
pub async fn fetch(path: &str, init: &RequestInit) -> Option<Response> {
    let response = JsFuture::from(window().fetch_with_str_and_init(path, init)).await;
    Some(response.ok()?.unchecked_into::<Response>())
}

/// Adds the header that asks for messages. Returns the cookies of the request, for [`show_messages`].
pub fn ask_for_messages(request: &BrowserRequest) -> String {
    // Without a list on this page, the next page shows the messages.
    if LIST.get().is_some() {
        let page = if IN_PLACE.get() { "app" } else { "islands" };
        request.headers().set(CALL_HEADER, page);
    }
    notes::cookies()
}

pub fn show_messages(response: &BrowserResponse, cookies: &str) {
    let headers = response.generate_headers();
    let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    show_response(&header, cookies);
}

/// Shows the messages of a response. `cookies` are those that its request has sent.
pub fn show_response(header: &dyn Fn(&str) -> Option<String>, cookies: &str) {
    if header(NOTED_HEADER).is_some() {
        notes::forget(cookies);
    }
    if let Some(messages) = header(CALL_HEADER) {
        let path = |location: String| location.split(['?', '#']).next().map(str::to_owned);
        let elsewhere = header("location")
            .is_some_and(|location| path(location) != window().location().pathname().ok());
        show(&messages, header(REDIRECT_HEADER).is_some() && elsewhere);
    }
    if header(MORE_HEADER).is_some() {
        spawn_local(async { _ = fetch_the_rest().await });
    }
}

/// Shows messages, and notes them for the server.
fn show(json: &str, with_redirect: bool) {
    let Some(list) = LIST.get() else {
        return;
    };
    let json = JSON::parse(json).unwrap_or_default();
    let mut messages: Vec<_> = Array::from(&json)
        .iter()
        .filter_map(|json| message_of(&json))
        .collect();
    notes::note_arrived(&messages);
    messages.retain(|message| message.sticky || notes::is_new(message));
    notes::remember(&messages);
    list.add(messages, with_redirect);
}

/// Fetches and shows the messages that did not fit into the header.
async fn fetch_the_rest() -> Option<()> {
    let path = window().location().pathname().ok()?;
    let response = fetch(&path, &request(&[(CALL_HEADER, "take")])).await?;
    let text = JsFuture::from(response.text().ok()?).await.ok()?;
    show(&text.as_string()?, false);
    Some(())
}
