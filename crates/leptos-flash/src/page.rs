//! The functions of `platform` on the server, which renders the messages into a page.

use flash_messages::FlashMessage;
use leptos::{
    ev::SubmitEvent,
    server_fn::{request::browser::BrowserRequest, response::browser::BrowserResponse},
};

use crate::{list::FlashMessages, server::flash};

pub fn page_messages() -> Vec<FlashMessage> {
    flash().map(|flash| flash.take()).unwrap_or_default()
}

pub fn page_data(message: &FlashMessage) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

pub fn page_ids(messages: &[FlashMessage]) -> String {
    let ids: Vec<_> = (messages.iter())
        .map(|message| message.id.to_string())
        .collect();
    ids.join(",")
}

// These functions do something only in the browser.
pub fn attach(_: FlashMessages) {}
pub fn detach() {}
pub fn set_navigates_in_place() {}
pub fn dismiss(_: i64) {}
pub fn ask_for_messages(_: &BrowserRequest) -> String {
    String::new()
}
pub fn show_messages(_: &BrowserResponse, _: &str) {}
pub fn send_form(_: SubmitEvent) {}
