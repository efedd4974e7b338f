//! Notes which messages the browser has shown: in a cookie for the server, in the session storage for
//! the tab.
//!
//! `note_shown.js` writes the same cookie for a page with islands, before WASM has loaded.

use flash_messages::{FlashMessage, Scope, wire::SHOWN_COOKIE};
use js_sys::{Date, Number, Reflect, parse_int};
use leptos::prelude::{document, window};
use wasm_bindgen::JsCast;
use web_sys::{HtmlDocument, Storage};

use super::list::{MESSAGES, all, identities};

/// Maximum number of messages in the cookie. Servers refuse requests with too large headers.
const MAX_NOTED: usize = 40;

/// Notes the messages of the page, unless the browser prerenders it.
pub fn note_page() {
    // A person doesn't see a prerendered page yet. The server puts messages into it only if a proxy has
    // removed the header that says so.
    if !is_prerendering() {
        // The request of this page has sent the older notes, and the server has deleted their messages.
        let began = window()
            .performance()
            .map_or(0.0, |clock| clock.time_origin());
        let shown: Vec<_> = all(MESSAGES)
            .iter()
            .flat_map(|item| identities(item))
            .collect();
        note(&shown, began.floor());
    }
}

/// Returns whether the browser loads the page before a person asks for it. web-sys has no binding yet.
pub fn is_prerendering() -> bool {
    let prerendering = Reflect::get(&document(), &"prerendering".into());
    prerendering.is_ok_and(|is| is.is_truthy())
}

/// Notes the messages that came with a call.
pub fn note_arrived(messages: &[FlashMessage]) {
    let messages = messages.iter().filter(|message| !message.sticky);
    note(
        &messages.map(FlashMessage::identity).collect::<Vec<_>>(),
        0.0,
    );
}

/// Returns the cookies, which a request sends. Pass them to [`forget`] when its response comes.
pub fn cookies() -> String {
    html_document().cookie().unwrap_or_default()
}

/// Removes the notes that a request has sent in its `cookies`: the server has deleted their messages.
pub fn forget(cookies: &str) {
    for (name, sent) in note_cookies(cookies) {
        let mut entries = entries_of(name);
        entries.retain(|entry| sent.split('-').all(|known| known != entry));
        // An empty cookie still tells the server that this browser runs our script.
        write(name, &entries, DAY);
    }
}

/// Notes messages, and removes the notes from before a time, in milliseconds since 1970.
fn note(shown: &[(Scope, i64)], began: f64) {
    let shown = &shown[shown.len().saturating_sub(MAX_NOTED)..];
    // All messages belong to one session, because one response had them.
    let Some((scope, _)) = shown.first() else {
        return;
    };
    let own = format!("{SHOWN_COOKIE}{scope}");
    let now = Number::from(Date::now()).to_string_with_radix(36);
    let now = now.map(String::from).unwrap_or_default();
    let mut entries = entries_of(&own);
    entries.retain(|entry| {
        let (_, time) = entry.split_once('.').unwrap_or_default();
        parse_int(time, 36) >= began
    });
    for (_, id) in shown {
        let id = format!("{id}.");
        if entries.iter().all(|entry| !entry.starts_with(&id)) {
            entries.push(id + &now);
        }
    }
    entries.drain(..entries.len().saturating_sub(MAX_NOTED));
    write(&own, &entries, DAY);

    let cookies = cookies();
    let others = note_cookies(&cookies).filter(|(name, _)| *name != own);
    let too_many = others.clone().count() > 3;
    for (name, value) in others {
        // An earlier version wrote a cookie without a value for each message.
        if too_many || value.is_empty() {
            write(name, &[], 0);
        }
    }
}

/// Returns the entries of a cookie.
fn entries_of(name: &str) -> Vec<String> {
    let cookies = cookies();
    let value = note_cookies(&cookies).find(|(other, _)| *other == name);
    let (_, value) = value.unwrap_or_default();
    let entries = value.split('-').filter(|entry| !entry.is_empty());
    entries.map(str::to_owned).collect()
}

/// The age of the cookie in seconds. By default an unseen message waits as long.
const DAY: u32 = 86400;

/// Writes a cookie for `age` seconds.
fn write(name: &str, entries: &[String], age: u32) {
    let is_https = window()
        .location()
        .protocol()
        .is_ok_and(|scheme| scheme == "https:");
    let secure = if is_https { "; Secure" } else { "" };
    let value = entries.join("-");
    let cookie = format!("{name}={value}; Path=/; Max-Age={age}; SameSite=Lax{secure}");
    _ = html_document().set_cookie(&cookie);
}

/// Returns the names and the values of the cookies that note messages.
fn note_cookies(cookies: &str) -> impl Iterator<Item = (&str, &str)> + Clone {
    (cookies.split([';', ' ']))
        .filter_map(|cookie| cookie.split_once('='))
        .filter(|(name, _)| name.starts_with(SHOWN_COOKIE))
}

fn html_document() -> HtmlDocument {
    document().unchecked_into()
}

/// The tab's session storage has the last 200 shown messages under this key.
const SHOWN: &str = "leptos-flash.shown";

/// Returns whether this tab has not shown a message before.
pub fn is_new(identity: (Scope, i64)) -> bool {
    let known = entry_of(identity);
    shown().split(',').all(|entry| entry != known)
}

/// Remembers that this tab has shown messages.
pub fn remember(messages: impl Iterator<Item = (Scope, i64)>) {
    let shown = shown();
    let mut entries: Vec<_> = shown.split(',').map(str::to_owned).collect();
    entries.extend(messages.map(entry_of));
    entries.drain(..entries.len().saturating_sub(200));
    if let Some(storage) = storage() {
        // If the storage is full or forbidden, only the server knows what was shown.
        _ = storage.set_item(SHOWN, &entries.join(","));
    }
}

fn entry_of((scope, id): (Scope, i64)) -> String {
    format!("{scope}.{id}")
}

fn shown() -> String {
    let shown = storage().and_then(|storage| storage.get_item(SHOWN).ok()?);
    shown.unwrap_or_default()
}

fn storage() -> Option<Storage> {
    window().session_storage().ok()?
}
