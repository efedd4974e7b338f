//! The browser's side: what has been shown, and how the server gets to know it.

use std::cell::Cell;

use js_sys::{Array, JSON, Reflect};
use leptos::{
    prelude::*,
    server_fn::{ServerFn, request::browser::BrowserRequest, response::browser::BrowserResponse},
    task::spawn_local,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    FormData, Headers, HtmlDocument, HtmlFormElement, HtmlInputElement, PageTransitionEvent,
    RequestInit, Response, Storage, SubmitEvent, UrlSearchParams,
};

use crate::{
    DismissFlash, FlashMessage, FlashMessages, Link,
    wire::{CALL_HEADER, MORE_HEADER, SHOWN_COOKIE},
};

thread_local! {
    /// The list on the page. A browser page has one thread and one list.
    static LIST: Cell<Option<FlashMessages>> = const { Cell::new(None) };
    /// Whether a redirect of a server function stays on the page.
    static IN_PLACE: Cell<bool> = const { Cell::new(false) };
}

/// In the tab's session storage: the ids of the messages that it has shown, the last 200.
const SHOWN: &str = "leptos-flash.shown";

pub fn page_messages() -> Vec<FlashMessage> {
    let Ok(inputs) = document().query_selector_all("input[data-flash]") else {
        return Vec::new();
    };
    (0..inputs.length())
        .filter_map(|index| inputs.get(index)?.dyn_into::<HtmlInputElement>().ok())
        .filter_map(|input| message_of(&JSON::parse(&input.value()).ok()?))
        .collect()
}

/// The page has it.
pub fn page_data(_: &FlashMessage) -> String {
    String::new()
}

/// A message from JSON that the browser has parsed. Its own parser is free; serde's is 30 KB of WASM.
fn message_of(json: &JsValue) -> Option<FlashMessage> {
    let field = |name: &str| Reflect::get(json, &name.into()).ok();
    let text = |name: &str| field(name)?.as_string();
    let flag = |name: &str| field(name).is_some_and(|value| value.is_truthy());
    let mut message = FlashMessage::new(text("level")?.parse().ok()?, text("text")?);
    // Below 2^53, as any number of messages.
    message.id = field("id")?.as_f64()? as i64;
    message.title = text("title");
    message.key = text("key");
    message.sticky = flag("sticky");
    message.auto_dismiss = flag("auto_dismiss");
    let link = field("link").filter(JsValue::is_object);
    message.link = link.and_then(|link| {
        let part = |name: &str| Reflect::get(&link, &name.into()).ok()?.as_string();
        Some(Link {
            href: part("href")?,
            text: part("text")?,
        })
    });
    Some(message)
}

pub fn attach(messages: FlashMessages) {
    LIST.set(Some(messages));
    // After hydration, which must find what the server rendered.
    request_animation_frame(move || {
        let seen = shown();
        messages.retain(|message| message.sticky || !seen.contains(&message.id));
        remember(&messages.get_untracked());
        // A page from the back/forward cache comes back as it was left.
        let handle = window_event_listener_untyped("pageshow", move |event| {
            if event.unchecked_into::<PageTransitionEvent>().persisted() {
                messages.retain(|message| message.sticky);
            }
        });
        std::mem::forget(handle);
    });
}

/// The app's router follows redirects of server functions in place.
pub fn navigates_in_place() {
    IN_PLACE.set(true);
}

pub fn dismiss(id: i64) {
    let init = RequestInit::new();
    init.set_method("POST");
    // It outlives the page; web-sys has no setter for it yet.
    _ = Reflect::set(&init, &"keepalive".into(), &true.into());
    init.set_body(&JsValue::from_str(&format!("id={id}")));
    if let Ok(headers) = Headers::new() {
        _ = headers.set("content-type", "application/x-www-form-urlencoded");
        init.set_headers(&headers);
    }
    _ = window().fetch_with_str_and_init(DismissFlash::PATH, &init);
}

pub fn send_form(event: SubmitEvent) {
    let Some(form) = event
        .target()
        .and_then(|form| form.dyn_into::<HtmlFormElement>().ok())
    else {
        return;
    };
    let is_plain = form.method() == "post" && form.enctype() == "application/x-www-form-urlencoded";
    if event.default_prevented() || !is_plain {
        return;
    }
    let Ok(fields) = FormData::new_with_form(&form) else {
        return;
    };
    if let Some(button) = event.submitter()
        && let Some(name) = button.get_attribute("name")
    {
        let value = button.get_attribute("value").unwrap_or_default();
        _ = fields.append_with_str(&name, &value);
    }
    let Ok(body) = UrlSearchParams::new_with_str_sequence_sequence(&fields) else {
        return;
    };
    event.prevent_default();
    let init = RequestInit::new();
    init.set_method("POST");
    init.set_body(&body);
    if let Ok(headers) = Headers::new() {
        _ = headers.set("accept", "application/json");
        _ = headers.set(CALL_HEADER, "islands");
        init.set_headers(&headers);
    }
    spawn_local(async move {
        match JsFuture::from(window().fetch_with_str_and_init(&form.action(), &init)).await {
            Ok(response) => {
                let response = response.unchecked_into::<Response>();
                let headers = response.headers();
                let header = |name: &str| headers.get(name).ok()?;
                show_from(header);
                if response.redirected() {
                    _ = window().location().set_href(&response.url());
                } else if let (Some(_), Some(page)) = (header(REDIRECT), header("location")) {
                    _ = window().location().set_href(&page);
                } else if !response.ok() && header(CALL_HEADER).is_none() {
                    // Nothing says why: the browser shows the page that does.
                    _ = form.submit();
                }
            }
            Err(_) => _ = form.submit(),
        }
    });
}

pub fn ask_for_messages(request: &BrowserRequest) {
    // In a fully hydrated app the router navigates in place; with islands the browser loads a page.
    let page = if IN_PLACE.get() { "app" } else { "islands" };
    request.headers().set(CALL_HEADER, page);
}

pub fn show_messages(response: &BrowserResponse) {
    let headers = response.generate_headers();
    show_from(|name| Some(headers.get(name)?.to_str().ok()?.to_owned()));
}

/// What Leptos calls a redirect that hydrated code is to follow (server_fn 0.8, redirect.rs).
const REDIRECT: &str = "serverfnredirect";

fn show_from(header: impl Fn(&str) -> Option<String>) {
    if let Some(messages) = header(CALL_HEADER) {
        let path = |location: String| location.split(['?', '#']).next().map(str::to_owned);
        let elsewhere = header("location")
            .is_some_and(|location| path(location) != window().location().pathname().ok());
        show(&messages, header(REDIRECT).is_some() && elsewhere);
    }
    if header(MORE_HEADER).is_some() {
        spawn_local(fetch_the_rest());
    }
}

/// Shows messages and notes it for the server. A page without a list leaves them to the next one.
fn show(json: &str, with_redirect: bool) {
    let Some(list) = LIST.get() else {
        return;
    };
    let json = JSON::parse(json).unwrap_or_default();
    let mut messages: Vec<_> = Array::from(&json)
        .iter()
        .filter_map(|json| message_of(&json))
        .collect();
    for message in messages.iter().filter(|message| !message.sticky) {
        // One cookie a message: the server can forget it without a race for the others.
        let cookie = format!(
            "{SHOWN_COOKIE}{}=; Path=/; Max-Age=86400; SameSite=Lax",
            message.id
        );
        _ = document()
            .unchecked_into::<HtmlDocument>()
            .set_cookie(&cookie);
    }
    let seen = shown();
    messages.retain(|message| message.sticky || !seen.contains(&message.id));
    remember(&messages);
    list.arrive(messages, with_redirect);
}

/// What did not fit into the header.
async fn fetch_the_rest() {
    let init = RequestInit::new();
    if let Ok(headers) = Headers::new() {
        _ = headers.set(CALL_HEADER, "take");
        init.set_headers(&headers);
    }
    let path = window().location().pathname().unwrap_or_default();
    let Ok(response) = JsFuture::from(window().fetch_with_str_and_init(&path, &init)).await else {
        return;
    };
    let Ok(text) = response.unchecked_into::<Response>().text() else {
        return;
    };
    if let Ok(text) = JsFuture::from(text).await {
        show(&text.as_string().unwrap_or_default(), false);
    }
}

fn shown() -> Vec<i64> {
    let ids = storage().and_then(|storage| storage.get_item(SHOWN).ok()?);
    (ids.as_deref().unwrap_or_default().split(','))
        .filter_map(|id| id.parse().ok())
        .collect()
}

fn remember(messages: &[FlashMessage]) {
    if messages.is_empty() {
        return;
    }
    let mut ids = shown();
    ids.extend(messages.iter().map(|message| message.id));
    ids.drain(..ids.len().saturating_sub(200));
    let ids: Vec<_> = ids.iter().map(i64::to_string).collect();
    if let Some(storage) = storage() {
        // A full or forbidden storage: the server alone keeps track then.
        _ = storage.set_item(SHOWN, &ids.join(","));
    }
}

fn storage() -> Option<Storage> {
    window().session_storage().ok()?
}
