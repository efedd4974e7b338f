//! The functions of `platform` in the browser.

mod announcer;

mod notes;

mod list;

mod timers;

mod focus;

mod swipe;

mod top_layer;

mod calls;

mod form;

mod region;

pub use calls::{ask_for_messages, remove_failure, show_lost, show_messages};
pub use form::send_form;
pub use list::{attach, dismiss, reading_time, show};
pub use region::{come_alive, note_shown_path, page_messages, style_path};
