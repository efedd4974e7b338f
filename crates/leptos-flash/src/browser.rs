//! The functions of `platform` in the browser.

mod region;

mod list;

mod announcer;

mod focus;

mod timers;

mod swipe;

mod top_layer;

mod calls;

mod form;

mod notes;

pub use calls::{ask_for_messages, remove_failure, show_lost, show_messages};
pub use form::send_form;
pub use list::{attach, dismiss, reading_time, show};
pub use region::{come_alive, note_shown_path, page_messages, style_path};
