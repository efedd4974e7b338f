//! The functions of `platform` on the server, which renders the messages into a page.

use flash_messages::FlashMessage;
use leptos::{
    ev::SubmitEvent,
    server_fn::{request::browser::BrowserRequest, response::browser::BrowserResponse},
};

use crate::{list::FlashMessages, server::flash};

pub use crate::{
    assets::{note_shown_path, style_path},
    server::reading_time,
};

pub fn page_messages() -> Vec<FlashMessage> {
    flash().map(|flash| flash.take()).unwrap_or_default()
}

// These functions do something only in the browser.
pub fn come_alive() {}
pub fn attach(_: FlashMessages) {}
pub fn dismiss(_: i64) {}
pub fn show(_: FlashMessage) {}
pub fn remove_failure() {}
pub fn ask_for_messages(_: &BrowserRequest) -> String {
    String::new()
}
pub fn show_messages(_: &BrowserResponse, _: &str) {}
pub fn show_lost() {}
pub fn send_form(_: SubmitEvent) {}
