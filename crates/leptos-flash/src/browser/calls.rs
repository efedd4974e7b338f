//! Shows the messages that come with responses, and says when a call failed.

use std::{future::Future, pin::Pin};

use flash_messages::{
    FlashMessage,
    wire::{CALL_HEADER, MORE_HEADER, NOTED_HEADER, REDIRECT_HEADER},
};
use js_sys::{Array, JSON, Reflect};
use leptos::{
    prelude::*,
    server_fn::{
        ServerFn, error::SERVER_FN_ERROR_HEADER, request::browser::BrowserRequest,
        response::browser::BrowserResponse,
    },
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Headers, RequestInit, Response};

use super::{list, notes};
use crate::dismiss::DismissFlash;

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

/// Deletes a sticky message on the server.
pub fn post_dismissal(id: &str) {
    let init = request(&[
        ("content-type", "application/x-www-form-urlencoded"),
        // The response is no redirect then.
        ("accept", "application/json"),
    ]);
    init.set_method("POST");
    // The request continues if the browser leaves the page. web-sys has no setter for it yet.
    _ = Reflect::set(&init, &"keepalive".into(), &true.into());
    init.set_body(&["dismiss=", id].concat().into());
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

/// Runs a future. Boxed, all share one executor's code: each further one would add 1 KB of WASM.
pub fn spawn(future: Pin<Box<dyn Future<Output = ()>>>) {
    spawn_local(future);
}

/// Adds the header that asks for messages. Returns the cookies of the request, for [`show_messages`].
pub fn ask_for_messages(request: &BrowserRequest) -> String {
    // Without a region on this page, the next page shows the messages.
    if list::region().is_some() {
        let page = if list::navigates_in_place() {
            "app"
        } else {
            "islands"
        };
        request.headers().set(CALL_HEADER, page);
    }
    notes::cookies()
}

/// Shows the messages of a response. `cookies` are those that its request has sent.
pub fn show_messages(response: &BrowserResponse, cookies: &str) {
    let headers = response.generate_headers();
    let header = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    show_response(&header, cookies);
    // Leptos marks the response of a server function that failed.
    if header(SERVER_FN_ERROR_HEADER).is_some() && header(CALL_HEADER).is_none() {
        show_failure("data-flash-failed");
    }
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
        ask_for_the_rest();
    }
}

/// Shows messages, and notes them for the server.
fn show(json: &str, with_redirect: bool) {
    if list::region().is_none() {
        return;
    }
    let Ok(json) = JSON::parse(json) else { return };
    let messages: Vec<_> = (Array::from(&json).iter())
        .filter_map(|json| message_of(&json))
        .collect();
    notes::note_arrived(&messages);
    let is_due = |message: &FlashMessage| message.sticky || notes::is_new(message.identity());
    let messages: Vec<_> = messages.into_iter().filter(is_due).collect();
    notes::remember(messages.iter().map(FlashMessage::identity));
    list::add(messages, with_redirect);
}

/// Asks for the messages that wait, and shows them.
pub fn ask_for_the_rest() {
    async fn ask() -> Option<()> {
        let path = window().location().pathname().ok()?;
        let response = fetch(&path, &request(&[(CALL_HEADER, "take")])).await?;
        let response = response.ok().then_some(response)?;
        let text = JsFuture::from(response.text().ok()?).await.ok()?;
        show(&text.as_string()?, false);
        Some(())
    }
    spawn(Box::pin(async { _ = ask().await }));
}

/// The key of the message that says that a call failed: the next one takes its place.
const FAILURE: &str = "leptos-flash.failure";

/// Shows that the outcome of a call is unknown.
pub fn show_lost() {
    show_failure("data-flash-lost");
}

/// Shows an error with the words of a setting, if there are any.
fn show_failure(words: &str) {
    if let Some(words) = list::setting(words) {
        list::show(FlashMessage::error(words).key(FAILURE));
    }
}

/// Removes the message that a call failed.
pub fn remove_failure() {
    list::remove_key(FAILURE);
}
