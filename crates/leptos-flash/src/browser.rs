//! The browser's half: what its modules offer to the components.

mod notes;

mod page;

mod form;

pub use form::send_form;
pub use page::{
    ask_for_messages, attach, detach, dismiss, navigates_in_place, page_data, page_ids,
    page_messages, show_messages,
};
