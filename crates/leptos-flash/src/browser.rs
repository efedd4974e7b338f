//! The functions of `platform` in the browser.

mod notes;

mod page;

mod form;

pub use form::send_form;
pub use page::{
    ask_for_messages, attach, detach, dismiss, page_data, page_ids, page_messages,
    set_navigates_in_place, show_messages,
};
