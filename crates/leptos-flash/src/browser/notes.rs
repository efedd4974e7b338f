//! What this browser has shown: a cookie tells the server, the session storage tells this tab.
//!
//! `note_shown.js` writes the same cookie for the messages of a page with islands, before WASM is there.

use flash_messages::{FlashMessage, wire::SHOWN_COOKIE};
use js_sys::{Date, Number, Reflect, parse_int};
use leptos::prelude::{document, window};
use wasm_bindgen::JsCast;
use web_sys::{HtmlDocument, Storage};

/// A request with more bytes of ours could be refused.
const MAX_NOTED: usize = 40;

/// Notes the messages of the page.
pub fn note_page(messages: &[FlashMessage]) {
    // No person sees it yet. The server puts no messages into such a page; if a proxy hid from it what
    // the page is for, `note_shown.js` waits.
    let prerendering = Reflect::get(&document(), &"prerendering".into());
    if !prerendering.is_ok_and(|is| is.is_truthy()) {
        // The request of this page brought what is older, and its take deleted it.
        let began = window()
            .performance()
            .map_or(0.0, |clock| clock.time_origin());
        note(messages, began.floor());
    }
}

/// Notes messages that came with a call.
pub fn note_arrived(messages: &[FlashMessage]) {
    note(messages, 0.0);
}

/// Returns the cookies, to be handed to [`forget`] with the response.
pub fn cookies() -> String {
    html_document().cookie().unwrap_or_default()
}

/// Drops what a request brought along in its `cookies`: the server has deleted those messages.
pub fn forget(cookies: &str) {
    for (name, brought) in of_flash(cookies) {
        let mut entries = entries_of(name);
        entries.retain(|entry| brought.split('-').all(|known| known != entry));
        // Empty, it still tells that this browser notes.
        write(name, &entries, DAY);
    }
}

/// Notes messages, and drops what was noted before a time.
fn note(messages: &[FlashMessage], began: f64) {
    let mut shown: Vec<_> = messages.iter().filter(|message| !message.sticky).collect();
    shown.drain(..shown.len().saturating_sub(MAX_NOTED));
    // All are of one session: they came with one response.
    let Some(first) = shown.first() else { return };
    let own = format!("{SHOWN_COOKIE}{}", first.scope);
    let now = Number::from(Date::now()).to_string_with_radix(36);
    let now = now.map(String::from).unwrap_or_default();
    let mut entries = entries_of(&own);
    entries.retain(|entry| {
        let (_, time) = entry.split_once('.').unwrap_or_default();
        parse_int(time, 36) >= began
    });
    for message in shown {
        let id = format!("{}.", message.id);
        if entries.iter().all(|entry| !entry.starts_with(&id)) {
            entries.push(id + &now);
        }
    }
    entries.drain(..entries.len().saturating_sub(MAX_NOTED));
    write(&own, &entries, DAY);

    let cookies = cookies();
    let others = of_flash(&cookies).filter(|(name, _)| *name != own);
    let too_many = others.clone().count() > 3;
    for (name, value) in others {
        // An earlier version wrote a cookie without a value for each message.
        if too_many || value.is_empty() {
            write(name, &[], 0);
        }
    }
}

/// Returns what one of our cookies notes.
fn entries_of(name: &str) -> Vec<String> {
    let cookies = cookies();
    let value = of_flash(&cookies).find(|(other, _)| *other == name);
    let (_, value) = value.unwrap_or_default();
    let entries = value.split('-').filter(|entry| !entry.is_empty());
    entries.map(str::to_owned).collect()
}

/// As long as an unseen message waits by default, in seconds.
const DAY: u32 = 86400;

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

/// Returns name and value of our cookies.
fn of_flash(cookies: &str) -> impl Iterator<Item = (&str, &str)> + Clone {
    (cookies.split([';', ' ']))
        .filter_map(|cookie| cookie.split_once('='))
        .filter(|(name, _)| name.starts_with(SHOWN_COOKIE))
}

fn html_document() -> HtmlDocument {
    document().unchecked_into()
}

/// In the tab's session storage: the messages that it has shown, the last 200.
const SHOWN: &str = "leptos-flash.shown";

/// Returns whether this tab has shown a message.
pub fn is_new(message: &FlashMessage) -> bool {
    let known = entry_of(message);
    shown().split(',').all(|entry| entry != known)
}

/// Remembers that this tab has shown messages.
pub fn remember(messages: &[FlashMessage]) {
    let shown = shown();
    let mut entries: Vec<_> = shown.split(',').map(str::to_owned).collect();
    entries.extend(messages.iter().map(entry_of));
    entries.drain(..entries.len().saturating_sub(200));
    if let Some(storage) = storage() {
        // A full or forbidden storage: the server alone keeps track then.
        _ = storage.set_item(SHOWN, &entries.join(","));
    }
}

fn entry_of(message: &FlashMessage) -> String {
    format!("{}.{}", message.scope, message.id)
}

fn shown() -> String {
    let shown = storage().and_then(|storage| storage.get_item(SHOWN).ok()?);
    shown.unwrap_or_default()
}

fn storage() -> Option<Storage> {
    window().session_storage().ok()?
}
